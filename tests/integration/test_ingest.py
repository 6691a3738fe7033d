"""Landing through the real engine: each file once, whole or not at all, bad ones parked, whatever interrupts it."""

from __future__ import annotations

import gzip
import json
import os
import uuid
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.settings import settings
from jobs.ingest import land as landing
from jobs.ingest.land import land
from jobs.ingest.report import DUPLICATE, IGNORED, LANDED, LEFT, PARKED, LandingReport

HEADER = "person_id,program,channel,is_consented,effective_date"


@pytest.fixture
def mark() -> str:
    """A program name that no other test's rows have, so that tests can share the tables."""
    return f"p{uuid.uuid4().hex[:12]}"


def consent(mark: str, rows: int = 3, header: str = HEADER) -> bytes:
    return "\n".join([header, *(f"m{n},{mark},phone,true,2025-01-{n + 1:02}" for n in range(rows)), ""]).encode()


def run(spark: Any, folder: Path, source: str = "tuva") -> LandingReport:
    return land(spark, source, [folder], uuid.uuid4().hex)


def statuses(report: LandingReport) -> dict[str, str]:
    return {file.file_name: file.status for file in report.files}


def landed_rows(spark: Any, mark: str) -> list[Any]:
    return (
        spark.table("raw.tuva__consent").where(f"program = '{mark}'").orderBy("file_name", "file_row_number").collect()
    )


def on_record(spark: Any, name: str) -> list[Any]:
    return spark.table("ops.input_file").where(f"file_name = '{name}'").collect()


def test_each_bad_file_is_parked_with_its_reason_and_the_others_land(spark: Any, tmp_path: Path, mark: str) -> None:
    good = consent(mark)
    files = {
        f"{mark}_consent_empty.csv": b"",
        f"{mark}_consent_truncated.csv.gz": gzip.compress(consent(mark, 9))[:-12],
        f"{mark}_consent_latin1.csv": consent(mark) + b"m\xe9,all,phone,true,2025-01-01\n",
        f"{mark}_consent_header_only.csv": f"{HEADER},{mark}\n".encode(),
        f"{mark}_consent_wrong_columns.csv": f"a,b\n1,{mark}\n".encode(),
        f"{mark}_consent_ragged.csv": consent(mark) + b"m9,all\n",
        f"{mark}_consent_twice.csv": consent(mark, header=HEADER.replace("channel", "program")),
        f"{mark}_consent.parquet": b"PAR1 not really",
    }
    for name, content in {**files, f"{mark}_consent_20260131.csv": good, "LICENSE": b"words"}.items():
        (tmp_path / name).write_bytes(content)
    report = run(spark, tmp_path)

    found = statuses(report)
    assert found.pop("LICENSE") == IGNORED
    assert found.pop(f"{mark}_consent_20260131.csv") == LANDED
    assert found == dict.fromkeys(files, PARKED)
    rows = landed_rows(spark, mark)
    assert [(row.person_id, row.file_row_number) for row in rows] == [("m0", 1), ("m1", 2), ("m2", 3)]
    assert rows[0].file_date == date(2026, 1, 31)
    for name in files:
        assert (tmp_path / name).exists(), "a file outside the inbox is the user's and stays"
        (reason,) = settings().parked.joinpath("tuva").glob(f"*_{name}.reason.json")
        assert json.loads(reason.read_text())["reason"]
        assert reason.with_name(reason.name.removesuffix(".reason.json")).read_bytes() == files[name]
        (row,) = on_record(spark, name)
        assert (row.status, row.row_count) == (PARKED, None)
        assert row.reason


def test_only_parked_files_is_a_failure(spark: Any, tmp_path: Path, mark: str) -> None:
    (tmp_path / f"{mark}_consent.csv").write_bytes(f"a,{mark}\n1,2\n".encode())
    assert run(spark, tmp_path).is_failure


def test_a_bad_file_is_taken_out_of_the_inbox(spark: Any, mark: str) -> None:
    inbox = settings().landing / "tuva" / mark
    inbox.mkdir(parents=True)
    (inbox / f"{mark}_consent.csv").write_bytes(f"a,{mark}\n1,2\n".encode())
    os.utime(inbox / f"{mark}_consent.csv", (0, 0))
    assert run(spark, inbox).of(PARKED)
    assert not list(inbox.iterdir())


def test_an_upload_that_goes_on_is_left_and_lands_whole(spark: Any, tmp_path: Path, mark: str) -> None:
    """Stalled in the middle of a row in the inbox, or growing by whole rows between the hash and the reading."""
    inbox = settings().landing / "tuva" / mark
    inbox.mkdir(parents=True)
    half, whole = inbox / f"{mark}_consent_a.csv", consent(mark)
    half.write_bytes(whole[:-14])
    report = run(spark, inbox)
    assert (statuses(report), report.is_failure) == ({half.name: LEFT}, True)
    grown, ready = tmp_path / f"{mark}_consent_b.csv", landing.make_ready
    grown.write_bytes(consent(mark, 2))

    def while_it_grows(*given: Any) -> Any:
        with grown.open("ab") as upload:
            upload.write(f"m7,{mark},phone,true,2025-01-01\n".encode())
        return ready(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landing, "make_ready", while_it_grows)
        assert statuses(run(spark, tmp_path)) == {grown.name: LEFT}
    assert not landed_rows(spark, mark)
    assert not on_record(spark, half.name) + on_record(spark, grown.name)

    with half.open("ab") as upload:
        upload.write(whole[-14:])
    assert statuses(run(spark, inbox)) == {half.name: LANDED}
    assert statuses(run(spark, tmp_path)) == {grown.name: LANDED}
    assert [row.file_name for row in landed_rows(spark, mark)] == [half.name] * 3 + [grown.name] * 3


def test_paths_may_be_relative_and_what_is_passed_over_is_told(
    spark: Any, tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine works in a folder of its own; names of files are no patterns to it."""
    (folder := tmp_path / "consent").mkdir()
    rows = {"member_id": ["m1"], "program": [mark], "channel": ["phone"], "is_consented": [True]}
    pq.write_table(pa.table({**rows, "effective_date": [date(2025, 1, 1)]}), folder / "part-{0}[1] 10:30.parquet")
    (folder / "more.zip").write_bytes(b"PK")
    (folder / "away").symlink_to(tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    report = run(spark, Path("consent"))
    assert statuses(report) == {"part-{0}[1] 10:30.parquet": LANDED, "more.zip": IGNORED, "away": IGNORED}
    assert report.not_landed == "0 parked, 2 ignored"
    assert [row.member_id for row in landed_rows(spark, mark)] == ["m1"]


def test_the_same_content_lands_once_whatever_it_is_called(spark: Any, tmp_path: Path, mark: str) -> None:
    (tmp_path / f"{mark}_consent.csv").write_bytes(consent(mark))
    (tmp_path / f"{mark}_consent_copy.csv").write_bytes(consent(mark))
    first = run(spark, tmp_path)
    assert statuses(first) == {f"{mark}_consent.csv": LANDED, f"{mark}_consent_copy.csv": DUPLICATE}
    (tmp_path / f"{mark}_consent_other.csv").write_bytes(consent(mark))
    second = run(spark, tmp_path)
    assert set(statuses(second).values()) == {DUPLICATE}
    third = run(spark, tmp_path)
    assert not third.rows
    assert len(landed_rows(spark, mark)) == 3
    assert [row.status for row in on_record(spark, f"{mark}_consent.csv")] == [LANDED]
    assert [row.status for row in on_record(spark, f"{mark}_consent_other.csv")] == [DUPLICATE]
    (told,) = (file.reason for file in second.files if file.file_name == f"{mark}_consent_other.csv")
    assert told == f"the same content was landed before as {mark}_consent.csv"


def test_unknown_columns_are_kept_and_reported(spark: Any, tmp_path: Path, mark: str) -> None:
    lines = [f"{HEADER},Said To,said_by", f"m1,{mark},phone,true,2025-01-01,nurse,mail", ""]
    (tmp_path / f"{mark}_consent.csv").write_text("\n".join(lines))
    (file,) = run(spark, tmp_path).files
    assert file.drift.added == ("Said To", "said_by")
    (row,) = landed_rows(spark, mark)
    assert json.loads(row.extra_columns) == {"Said To": "nurse", "said_by": "mail"}
    (told,) = on_record(spark, f"{mark}_consent.csv")
    drift = json.loads(told.drift)
    assert (drift["added"], drift["added_unnamed"]) == (["said_by"], 1), "a column may be named like a person"


def test_parquet_parts_of_a_folder_land_as_text_with_row_dates(spark: Any, tmp_path: Path, mark: str) -> None:
    folder = tmp_path / "consent"
    folder.mkdir()
    for part in (0, 1):
        table = pa.table({
            "member_id": [f"m{part}"] * 2, "program": [mark] * 2, "channel": ["phone"] * 2, "is_consented": [True, False],
            "effective_date": [date(2025, 1, 1)] * 2, "file_date": [date(2025, 2, 1), date(2025, 3, 1)],
        })  # fmt: skip
        pq.write_table(table, folder / f"part-0000{part}.parquet")
    pq.write_table(table.slice(0, 0), folder / "part-00002.parquet")
    report = run(spark, tmp_path)
    assert sorted(statuses(report).values()) == [IGNORED, LANDED, LANDED]
    rows = landed_rows(spark, mark)
    assert [(r.member_id, r.file_row_number, r.is_consented, r.effective_date, r.file_date.month) for r in rows] == [
        ("m0", 1, "true", "2025-01-01", 2), ("m0", 2, "false", "2025-01-01", 3),
        ("m1", 1, "true", "2025-01-01", 2), ("m1", 2, "false", "2025-01-01", 3),
    ]  # fmt: skip


def test_identifiers_held_as_floating_point_keep_their_digits(spark: Any, tmp_path: Path, mark: str) -> None:
    """pandas makes doubles of whole numbers with a gap among them."""
    others = {"program": [mark] * 3, "channel": ["phone"] * 3, "is_consented": [True] * 3}
    columns = {**others, "effective_date": [date(2025, 1, 1)] * 3, "score": [0.5, 2.0, float("nan")]}
    ids = pa.array([27.0, 12345678.0, None], pa.float64())
    (good := tmp_path / "good").mkdir()
    pq.write_table(pa.table({**columns, "person_id": ids, "member_id": [7, 8, 9]}), good / "consent_1.parquet")
    assert statuses(run(spark, good)) == {"consent_1.parquet": LANDED}
    rows = landed_rows(spark, mark)
    assert [(row.person_id, row.member_id) for row in rows] == [("27", "7"), ("12345678", "8"), (None, "9")]
    assert [json.loads(row.extra_columns) for row in rows] == [{"score": "0.5"}, {"score": "2"}, {}]
    (bad := tmp_path / "bad").mkdir()
    for number, held in ((27.5, pa.float64()), (2.0**53 + 2, pa.float64()), (2.0**24 + 2, pa.float32())):
        table = pa.table({**columns, "person_id": pa.array([1.0, number, None], held)})
        pq.write_table(table, bad / f"consent_{number:.0f}.parquet")
    report = run(spark, bad)
    assert set(statuses(report).values()) == {PARKED}
    assert all("in person_id" in str(file.reason) and "27" not in str(file.reason) for file in report.files)


class Killed(BaseException):
    """Nothing in the code under test may catch it, as nothing catches SIGKILL."""


@pytest.mark.parametrize("where", ["append_files", "ledger.record"])
def test_killed_in_the_middle_then_run_again(
    spark: Any, tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Killed before or after the commit: the second run leaves each row once and the ledger complete."""

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    (tmp_path / f"{mark}_consent_1.csv").write_bytes(consent(mark, 2))
    (tmp_path / f"{mark}_consent_2.csv").write_bytes(consent(mark, 4))
    with monkeypatch.context() as patch:
        owner, _, name = where.rpartition(".")
        patch.setattr(getattr(landing, owner) if owner else landing, name, die)
        with pytest.raises(Killed):
            run(spark, tmp_path)
    before = len(landed_rows(spark, mark))
    assert before == (0 if where == "append_files" else 6)
    run(spark, tmp_path)
    run(spark, tmp_path)
    assert len(landed_rows(spark, mark)) == 6
    for n in (1, 2):
        assert len(on_record(spark, f"{mark}_consent_{n}.csv")) == 1


def test_both_synthea_layouts_land_in_one_table(spark: Any, real_data: Path) -> None:
    files = [real_data / folder / "payer_transitions.csv.gz" for folder in ("synthea_3_0_0", "synthea_3_3_0")]
    report = land(spark, "synthea_csv", files, uuid.uuid4().hex)
    assert not report.of(PARKED)
    older = next(file for file in report.files if file.drift.renamed)
    assert dict(older.drift.renamed) == {
        "START_YEAR": "start_date", "END_YEAR": "end_date", "OWNERSHIP": "plan_ownership", "OWNERNAME": "owner_name",
    }  # fmt: skip
    table = spark.table("raw.synthea_csv__payer_transitions")
    assert {row[0] for row in table.groupBy("file_sha256").count().select("count").collect()} >= {1051, 5819}
    assert table.where("start_date is null or end_date is null or patient is null").count() == 0


def test_command_prints_json_and_its_exit_codes(tmp_path: Path, mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    from jobs.ingest.__main__ import main

    (tmp_path / f"{mark}_consent.csv").write_bytes(consent(mark))
    assert main(["--source", "tuva", "--json", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 3
    assert main(["--source", "nobody", str(tmp_path)]) == 2
    assert "tuva or desynpuf" in capsys.readouterr().err
    assert main(["--source", "tuva", str(tmp_path / "nowhere")]) == 2
    (tmp_path / f"{mark}_consent.csv").write_bytes(f"a,{mark}\n1,2\n".encode())
    assert main(["--source", "tuva", str(tmp_path)]) == 1
