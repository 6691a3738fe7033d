"""Reading a study's rows: files as spreadsheets and statistics programs write them, and what is wrong with the others."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import ConfigError
from contracts.study import StudySpec, load_study, parse_study
from jobs.study_data import read_data

ROWS = pd.DataFrame({"id": ["007", "008"], "arm": ["NA", "mail"], "visits": [1.5, 2.5], "town": ["Köln", "Łódź"]})
TEXT = ROWS.to_csv(index=False)


def spec(**changes: object) -> StudySpec:
    return parse_study(
        {
            "name": "s",
            "data": "rows.csv",
            "unit_id": "id",
            "treatment": {"column": "arm", "control": "NA", "treated": ["mail"]},
            "outcome": {"column": "visits", "better": "lower"},
            **changes,
        }
    )


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.replace("\n", "\r\n").encode(),
        ROWS.to_csv(index=False, sep=";", decimal=",").encode(),
        ROWS.to_csv(index=False, sep="\t").encode(),
        ROWS.to_csv(index=False, quoting=1).encode(),
        ("\n" + TEXT.replace("arm", " arm ", 1)).encode(),
    ],
    ids=["plain", "byte order mark", "CRLF", "semicolons and commas", "tabs", "quoted", "blank line and blanks"],
)
def test_a_text_file_means_the_same_however_it_was_written(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    pd.testing.assert_frame_equal(read_data(spec(), tmp_path), ROWS)


def test_compressed_text_and_parquet(tmp_path: Path) -> None:
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(TEXT.encode()))
    pd.testing.assert_frame_equal(read_data(spec(data="rows.csv.gz"), tmp_path), ROWS)
    ROWS.set_index("id").to_parquet(tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(read_data(spec(data="rows.parquet"), tmp_path), ROWS)


def test_parquet_with_two_columns_of_one_name(tmp_path: Path) -> None:
    twice = pa.table([["1"], ["a"], ["b"]], names=["id", "arm", "arm"])
    pq.write_table(twice, tmp_path / "rows.parquet")
    with pytest.raises(ConfigError, match=r"columns 2 and 3 of rows\.parquet have the same name"):
        read_data(spec(data="rows.parquet"), tmp_path)


def test_decimal_commas_with_exponents_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id;arm;visits\n007;NA;1,5E-09\n008;mail;-2,5e+3\n")
    assert read_data(spec(), tmp_path)["visits"].tolist() == [1.5e-9, -2500.0]


COMMAS: dict[str, tuple[str, list[str], list[float] | None]] = {
    "a comma before one digit": (";\t|", ["1,5", "2,125", "-3"], [1.5, 2.125, -3.0]),
    "nothing before the comma": (";\t|", ["0,125", "-0,250", "7"], [0.125, -0.25, 7.0]),
    "thousands would have a mark": (";\t|", ["1119,250", "152", ""], [1119.25, 152.0, float("nan")]),
    "thousands by point": (";\t|", ["1.119,50", "-152,25", "3"], [1119.5, -152.25, 3.0]),
    "two marks": (",;\t|", ["1,119,000", "-1,152", "3"], [1119000.0, -1152.0, 3.0]),
    "a point behind the comma": (",;\t|", ["1,119.50", " 152 ", "-1,030"], [1119.5, 152.0, -1030.0]),
    "either": (",;\t|", ["1,119", "152", "-1,030"], None),
    "either without a thousand": (",;\t|", ["1,119", "1500", "2,030"], None),
}


@pytest.mark.parametrize("values", COMMAS)
def test_commas_in_numbers_are_read_where_they_can_mean_one_thing_only(tmp_path: Path, values: str) -> None:
    delimiters, visits, meant = COMMAS[values]
    rows = pd.DataFrame({"id": range(3), "arm": ["NA", "mail", "mail"], "visits": visits})
    for delimiter in delimiters:
        rows.to_csv(tmp_path / "rows.csv", sep=delimiter, index=False)
        if meant is None:
            with pytest.raises(ConfigError, match="commas of column `visits` may mark decimals or thousands") as raised:
                read_data(spec(), tmp_path)
            assert not any(value in str(raised.value) for value in visits)
            continue
        assert read_data(spec(), tmp_path)["visits"].tolist() == pytest.approx(meant, nan_ok=True), delimiter


def test_lists_of_codes_and_words_stay_text(tmp_path: Path) -> None:
    codes = pd.DataFrame({"id": [1, 2], "arm": ["NA", "mail"], "visits": [1, 2], "codes": ["1,2", "3"]})
    words = codes.assign(codes=["1,119", "1,119 or so"])
    for rows in (codes, words):
        rows.to_csv(tmp_path / "rows.csv", index=False)
        assert read_data(spec(), tmp_path)["codes"].tolist() == rows["codes"].tolist()


def test_commas_matter_only_in_columns_of_the_study(tmp_path: Path) -> None:
    rows = pd.DataFrame({"id": [1, 2], "arm": ["NA", "mail"], "visits": [1, 2], "codes": ["1,119", "2"]})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    for covariates in ({"exclude": ["codes"]}, {"include": ["age"]}):
        assert read_data(spec(covariates=covariates), tmp_path)["codes"].tolist() == ["1,119", "2"]
    with pytest.raises(ConfigError, match="`codes`"):
        read_data(spec(covariates={"include": []}, groups=["codes"]), tmp_path)
    rows.to_csv(tmp_path / "rows.csv", index=False, header=["7", "8", "9", "a name"])
    assert list(read_data(spec(), tmp_path)) == ["7", "8", "9", "a name"], "a first row is nobody's message"


def test_every_level_of_a_pandas_index_is_a_column(tmp_path: Path) -> None:
    ROWS.set_index(["id", "town"]).to_parquet(tmp_path / "rows.parquet")
    found = read_data(spec(data="rows.parquet"), tmp_path)
    pd.testing.assert_frame_equal(found[list(ROWS)], ROWS)
    ROWS.set_index(["id", pd.Index([8, 9])]).to_parquet(tmp_path / "rows.parquet")
    assert [c for c in read_data(spec(data="rows.parquet"), tmp_path) if c not in ROWS] == ["Unnamed: 1"]


@pytest.mark.parametrize("name", ["~nosuchuser/rows.csv", "a" * 300 + ".csv"])
def test_a_path_that_leads_nowhere_is_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"`data`: the file .* does not exist"):
        read_data(spec(data=name), tmp_path)


def test_whole_numbers_stay_numbers_and_missing_words_are_missing(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(",id,arm,visits,bmi\n0,1,0,NA,?\n1,2,1,3,31\n")
    found = read_data(spec(treatment={"column": "arm", "control": 0, "treated": [1]}), tmp_path)
    assert found["id"].dtype == "int64"
    assert found["visits"].isna().tolist() == [True, False]
    assert found["bmi"].dtype == "float64"
    assert found.columns[0].startswith("Unnamed")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (TEXT.encode("iso8859-2"), "UTF-8"),
        (TEXT.encode("utf-16"), "UTF-8"),
        (b"\xef\xbb\xbf\n", "empty"),
        (b"id,arm,arm\n1,a,b\n", "columns 2 and 3 of rows.csv have the same name"),
        (b"id,arm,visits\n1,a,2,\n2,b,3,\n", "more fields than its header"),
        (b"id,arm,visits\n1,a,2\n2,b,3,4,5\n", "neither as CSV nor as Parquet"),
        (b'"' + b"id,arm\n" * 40_000, "neither as CSV nor as Parquet"),
        (bytes(range(256)), "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(ConfigError, match=f"`data`.*{said}"):
        read_data(spec(), tmp_path)


@pytest.mark.parametrize("name", ["gone.csv", "cut.csv.gz", "false.parquet", "."])
def test_a_file_that_is_not_there_or_not_whole_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(TEXT.encode() * 99)[:60])
    (tmp_path / "false.parquet").write_bytes(b"id,arm")
    with pytest.raises(ConfigError, match="`data`"):
        read_data(spec(data=name), tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "not valid YAML"),
        ("- name", "not a mapping"),
        ("", "not a mapping"),
        ("name: a\nname: b", "line 2: the field `name` occurs twice"),
        ("name: a\nsplit: &s\n  test_fraction: *s", "fields within fields without end"),
        ("name: " + "[" * 3_000, "fields within fields without end"),
        ("name: !!python/object:os.system x", "not valid YAML"),
    ],
)
def test_a_study_file_that_is_no_study(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_study(tmp_path / "study.yaml")


def test_words_of_yaml_that_are_names_of_arms_and_empty_fields(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        "name: 2019\ntreatment: {column: arm, control: no, treated: [yes]}\n"
        "outcome: {column: 7, better: higher}\ncluster:\nplacebo_outcomes:\ncovariates: {include: [age], exclude: }\n"
    )
    found = load_study(tmp_path / "study.yaml")
    assert (found.treatment.control, found.treatment.treated) == ("no", ["yes"])
    assert (found.name, found.outcome.column) == ("2019", "7")
    assert found.cluster is None
    assert found.covariates.exclude == []


def test_codes_with_zeros_in_front_are_words_and_exponents_numbers(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        "name: n\ntreatment: {column: arm, control: 0, treated: [010, 2, 1.5]}\nbudget: {fraction: 2e-1}\n"
        "outcome: {column: y, better: higher, usd_per_unit: 1e3}\nassignment: {randomized: {arms: {0: .25, '010': 0.25, 2: .25, 1.5: .25}}}\n"
    )
    found = load_study(tmp_path / "study.yaml")
    assert (found.treatment.control, found.treatment.treated) == (0, ["010", 2, 1.5])
    assert (found.outcome.usd_per_unit, found.budget.fraction) == (1000.0, 0.2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"outcome": {"column": "y", "bettr": "lower"}},
            r"`outcome\.bettr`: is no field.*1 further problem\..*`better`",
        ),
        (
            {"budgett": 1, "splitt": 2},
            r"`budgett`: is no field of a study\. \(1 further problem\.\) Expected: `budget`\.",
        ),
        (
            {"covariates": ["a", "b"]},
            r"`covariates`: must hold fields of its own\. Expected: `include`, `exclude`\.",
        ),
        ({"budget": {"count": 9}}, r"`budget\.count`: is no field of a study\. Expected: `fraction`\."),
        ({"assignment": {"randomised": 0.5}}, r"`assignment\.randomised`: is no field.*`\{randomized: 0\.5\}`"),
        ({"assignment": "randomized"}, r"`assignment`: .*`observational`, `\{randomized: 0\.5\}`.*column.*arms"),
        ({"learners": "causal_forest"}, r"`learners`: must be `auto` or a list\. Expected: .*linear_dr.*dr_boosted\."),
        ({"learners": ["forest"]}, r"`learners\.0`: Input should be 'constant'.*'dr_boosted'\. Next"),
        ({"treatment": {"column": "t", "control": 0, "treated": [None]}}, r"`treatment\.treated\.0`: must be.*\. Next"),
        ({"treatment": {"column": "t", "control": [0], "treated": [1]}}, r"`treatment\.control`: must be.*\. Next"),
        ({"outcome": {}, "placebo_outcomes": "y"}, r"`outcome\.column`: is missing\. \(2 further problems\.\)"),
    ],
)
def test_a_wrong_field_is_named_with_what_may_stand_there(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        spec(**changes)
