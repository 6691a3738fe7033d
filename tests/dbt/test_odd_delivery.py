"""A delivery as odd as plans send them: what cannot be read is told and never guessed, and no row is lost without a word."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from claims_world import World
from jinja2 import Environment, FileSystemLoader

from contracts.catalog import contract
from jobs.dbt import PROJECT, run_dbt
from jobs.enforce import audit_table, prepare
from jobs.ingest.land import ensure_raw, land

pytestmark = pytest.mark.timeout(1200)
D = date
AS_OF = "2025-02-01"
MARK = "odd-delivery"


def _macro(name: str, *arguments: Any) -> str:
    """The SQL of one macro of staging; dbt's Jinja knows `do`."""
    made = Environment(loader=FileSystemLoader(PROJECT / "macros"), extensions=["jinja2.ext.do"])
    return str(getattr(made.get_template("staging_types.sql").make_module(), name)(*arguments))


def _read(spark: Any, texts: list[str], sql: str) -> dict[str, Any]:
    """What each text is read as."""
    frame = spark.createDataFrame([(text,) for text in texts], "x string")
    return {row.x: row.read for row in frame.selectExpr("x", f"{sql} as read").collect()}


def test_dates_are_whole_days_of_possible_years(spark: Any) -> None:
    days = {
        "2024-06-01": D(2024, 6, 1), "20240601": D(2024, 6, 1), " 2024-06-01 ": D(2024, 6, 1), "2024-06-01T00:00:00Z": D(2024, 6, 1),
        "2024-06-01 00:00:00": D(2024, 6, 1), "9999-12-31": D(9999, 12, 31), "99991231": D(9999, 12, 31), "1850-01-01": D(1850, 1, 1),
        "2200-12-31": D(2200, 12, 31),
    }  # fmt: skip
    nothing = ["202406", "45444", "2024010", "2024", "2024-06", "2024-6-1", "2024-06-1", "06/01/2024", "2024/06/01", "2023-02-29",
               "0001-01-01", "1849-12-31", "2201-01-01", "9999-01-01", "20240601 00:00:00", "+2024-06-01", "", "x"]  # fmt: skip
    assert _read(spark, [*days, *nothing], _macro("staging_date", "x")) == {**days, **dict.fromkeys(nothing)}


def test_whole_numbers_codes_and_texts(spark: Any) -> None:
    whole = {
        "1": 1,
        "30.0": 30,
        " 7 ": 7,
        "-3": -3,
        "1.5": None,
        "30.7": None,
        "x": None,
        "5000000000": None,
        "NaN": None,
    }
    assert _read(spark, [*whole], _macro("staging_int", "x")) == whole
    places = {"2": "02", "23": "23", "233": "233", "020": "020", "": None}
    assert _read(spark, [*places], _macro("staging_padded", "x", 2)) == places
    texts = {"a\n": "a", "\r\n a b\t": "a b", "\n": None}
    assert _read(spark, [*texts], _macro("staging_text", "x")) == texts


def test_what_is_unreadable_is_named(spark: Any) -> None:
    sql = _macro("staging_unreadable", ["day"], ["paid"], ["supply"], ["units"], ["flag"])
    rows = [
        ("2024-06-01", "12.34", "30", "1.5", "1", None), (None, "", " ", None, None, None), ("06/01/2024", "5", "30", "1", "no", "day"),
        (None, "$5", "30.7", "many", "maybe", "paid supply units flag"), (None, "1,234.50", None, None, None, "paid"),
        (None, "NaN", None, None, None, "paid"),
    ]  # fmt: skip
    frame = spark.createDataFrame(
        rows, "day string, paid string, supply string, units string, flag string, expected string"
    )
    assert [row.read for row in frame.selectExpr(f"{sql} as read").collect()] == [row[-1] for row in rows]


@pytest.mark.parametrize(
    ("flag", "text", "birth", "is_told"),
    [
        *((None, text, "1950-01-01", False) for text in (
            "12/31/2099", "31-DEC-2099", "01/01/1900", "1/1/1900", "1/0/1900", "12/31/9999", "03/15/1949", "03/15/2026", "n/a", None,
        )),
        *((None, text, "1950-01-01", True) for text in (
            "03/15/2024", "15-MAR-2025", "2024-3-1", "UNK 2024", "19032024", "12192024", "3/15/1950", "3/15/2024 1930",
        )),
        (None, "01/01/1900", None, False), (None, "01/01/1900", "1900-01-01", False), (None, "03/15/2024", "45366", True),
        ("0", "03/15/2024", "1950-01-01", False), ("no", "12/31/2099", "1950-01-01", False),
        ("1", "12/31/2099", "1950-01-01", True), ("1", None, None, True), ("?", "03/15/2024", "1950-01-01", True),
    ],
)  # fmt: skip
def test_a_death_is_told_by_the_flag_or_else_by_a_year_that_can_be_its(
    spark: Any, flag: str | None, text: str | None, birth: str | None, is_told: bool
) -> None:
    row = spark.createDataFrame([(flag, text, birth)], "flag string, told string, birth string")
    sql = _macro("staging_tells_death", "flag", "told", "birth", "date'2025-01-05'")
    assert [bool(it.read) for it in row.selectExpr(f"{sql} as read").collect()] == [is_told]


def _deliver(folder: Path, entity: str, rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / f"{MARK}_{entity}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def _span(member: str, file_date: str = "2025-01-05", **edits: Any) -> dict[str, Any]:
    return {
        "person_id": f"{MARK}-{member}", "birth_date": "1950-01-01", "gender": "female", "death_date": "", "death_flag": "0",
        "enrollment_start_date": "2023-01-01", "enrollment_end_date": "9999-12-31", "payer": "P", "payer_type": "commercial",
        "file_date": file_date, **edits,
    }  # fmt: skip


def _line(claim: str, member: str, **edits: Any) -> dict[str, Any]:
    return {
        "claim_id": f"{MARK}-{claim}", "claim_line_number": "1", "person_id": f"{MARK}-{member}", "claim_type": "professional",
        "claim_start_date": "2024-06-01", "place_of_service_code": "11", "revenue_center_code": "", "paid_amount": "10",
        "diagnosis_code_1": "I10", "file_date": "2025-01-05", **edits,
    }  # fmt: skip


def _contact(contact: str, member: str, **edits: Any) -> dict[str, Any]:
    return {
        "person_id": f"{MARK}-{member}", "contact_id": f"{MARK}-{contact}", "program": "ed_diversion", "channel": "phone",
        "assigned_date": "2024-10-01", "assigned_by": "care_manager", "is_offered": "true", "is_reached": "", "disposition": "",
        "file_date": "2025-01-05", **edits,
    }  # fmt: skip


SPANS = [
    *(_span(member, "2024-12-05") for member in ("flagged", "worded", "placeheld", "denied")),
    _span("alive", death_date="9999-12-31"),
    _span("promised", "2024-12-05", death_date="2099-12-31"),
    _span("promised", death_date="2024-11-30", death_flag="1"),
    _span("dated", death_date="2024-03-15", death_flag="1"),
    _span("flagged", death_flag="1"),
    _span("worded", death_date="03/15/2024", death_flag=""),
    _span("placeheld", death_date="12/31/2099", death_flag=""),
    _span("denied", death_date="03/15/2024"),
    _span("nonsense", death_date="n/a"),
    _span("future", file_date="9999-12-31"),
    _span("two payers", payer="Medicare", payer_type="medicare"),
    _span("two payers", payer="Medicaid", payer_type="medicaid"),
]
FIRST_CONTACTS = [
    _contact("shared", "alive"),
    _contact("shared", "dated"),
    _contact("corrected", "alive", is_reached="false", disposition="no_answer"),
]
CLAIMS = [
    _line("shared", "alive"), _line("shared", "dated"), _line("half", "alive", claim_line_number="1.5"),
    _line("place", "alive", place_of_service_code="233"), _line("revenue", "alive", revenue_center_code="04501"),
    _line("amount", "alive", paid_amount="$5"),
]  # fmt: skip


FIRST, SECOND, THIRD, FOURTH = TOLD = ("2024-10-05", "2024-11-05", "2024-12-05", "2025-01-05")
OPEN = "9999-12-31"
# What each of the four deliveries tells of the payers of one span and of its last day with them.
TOLD_SPANS: dict[str, tuple[dict[str | None, str], ...]] = {
    "renamed": ({"Acme": OPEN}, {"Acme Health": OPEN}, {"Acme Health": "2024-12-31"}),
    "filled in": ({None: OPEN}, {"Acme": OPEN}, {"Acme": "2024-12-31"}),
    "one leaves": ({"A": OPEN, "B": OPEN}, {"A": OPEN, "B": OPEN}, {"A": OPEN}, {"A": "2025-06-30"}),
    "comes back": ({"A": OPEN}, {"B": OPEN}, {"A": OPEN}, {"A": OPEN}),
    "left out": ({"A": OPEN, "B": OPEN}, {}, {}, {"A": OPEN, "B": OPEN}),
}


def _tell_spans(world: World) -> None:
    for member, told in TOLD_SPANS.items():
        world.add("member", member, known=FIRST)
        for known, payers in zip(TOLD, told, strict=False):
            for payer, ends in payers.items():
                world.add("eligibility", member, known=known, payer=payer, enrollment_end_date=ends)
    world.add("eligibility", "left out", known=SECOND, payer="C", enrollment_start_date="2024-11-01")
    world.write()


@pytest.fixture(scope="module")
def audits(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, int]]]:
    """The delivery, landed, staged, audited and taken through core and features: rows that break each rule, by entity."""
    ensure_raw(spark)
    prepare(spark)
    world = World(spark, "o")  # the other tables that core reads, too
    _tell_spans(world)
    first, second = (tmp_path_factory.mktemp(name) for name in ("first", "second"))
    _deliver(first, "eligibility", SPANS)
    _deliver(first, "medical_claim", CLAIMS)
    _deliver(first, "outreach_contact", FIRST_CONTACTS)
    _deliver(second, "outreach_contact", [_contact("corrected", "alive", is_reached="true", disposition="reached")])
    for folder in (first, second):
        land(spark, "tuva", [folder], uuid.uuid4().hex)
    run_dbt("path:models/staging/tuva", run_id=MARK)
    found = {}
    for entity in ("member", "eligibility", "medical_claim", "outreach_contact"):
        table = contract(f"staging.stg_tuva__{entity}")
        result = audit_table(spark, table, run_id=MARK, where=f"file_name like '{MARK}%'", record=False)
        assert not result.blocked, result.reason
        found[entity] = {rule.name: rule.rows_broken for rule in result.rules if rule.rows_broken}
    run_dbt("path:models/core", run_id=MARK)
    run_dbt("path:models/features", {"data_source": "tuva", "as_of_dates": [AS_OF]}, run_id=MARK)
    yield found
    for entity in found:
        spark.sql(f"delete from staging.stg_tuva__{entity} where file_name like '{MARK}%'")
    world.remove()


def _of(spark: Any, table: str, columns: str) -> list[tuple[Any, ...]]:
    """Rows of the delivery in a table, by member without the mark."""
    rows = spark.sql(
        f"select substr(member_id, {len(MARK) + 2}) as who, {columns} from {table} where member_id like '{MARK}%' order by all"
    )
    return [tuple(row) for row in rows.collect()]


def test_who_is_told_dead_in_any_way_is_dead(spark: Any, audits: dict[str, dict[str, int]]) -> None:
    deceased = dict(_of(spark, "features.member_feature", "is_deceased"))
    assert deceased == {
        "alive": False, "dated": True, "flagged": True, "worded": True, "placeheld": False, "denied": False, "two payers": False,
        "promised": True,
    }  # fmt: skip
    told = dict(_of(spark, "core.member", "death_date"))
    assert told == {
        "alive": None, "dated": D(2024, 3, 15), "flagged": D(2025, 1, 5), "worded": D(2025, 1, 5), "placeheld": None, "denied": None,
        "two payers": None, "promised": D(2024, 11, 30),
    }  # fmt: skip
    broken = audits["member"]
    assert (broken["death_date_is_readable"], broken["all_columns_are_readable"]) == (3, 4), "told, and no death"
    assert broken["death_says_its_day"] == 2


def test_a_file_of_the_year_9999_is_refused(spark: Any, audits: dict[str, dict[str, int]]) -> None:
    assert audits["eligibility"]["delivery_is_not_years_ahead"] == 1
    assert audits["member"]["delivery_is_not_years_ahead"] == 1
    (months,) = spark.sql("select max(year_month) from core.member_month where data_source = 'tuva'").collect()[0]
    assert months < D(2200, 1, 1)


def test_what_is_told_of_two_members_or_payers_is_kept(spark: Any, audits: dict[str, dict[str, int]]) -> None:
    spans = [row for row in _of(spark, "core.eligibility", "payer, superseded_at") if row[0] == "two payers"]
    assert spans == [("two payers", "Medicaid", None), ("two payers", "Medicare", None)]
    lines = [row[0] for row in _of(spark, "core.medical_claim", "claim_id") if row[1] == f"{MARK}-shared"]
    assert lines == ["alive", "dated"]
    contacts = [row[:2] for row in _of(spark, "core.outreach_contact", "contact_id, is_reached")]
    assert contacts == [("alive", f"{MARK}-corrected"), ("alive", f"{MARK}-shared"), ("dated", f"{MARK}-shared")]


def test_a_payer_that_a_span_is_told_without_is_its_payer_no_more(
    spark: Any, audits: dict[str, dict[str, int]]
) -> None:
    columns = "payer, string(enrollment_end_date), string(date(known_at)), string(date(superseded_at))"
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in spark.sql(
        f"select member_id, {columns} from core.eligibility where data_source = 'tuva' order by all"
    ).collect():
        found.setdefault(row[0], []).append(tuple(row)[1:])
    expected = {
        "renamed": [
            ("Acme", OPEN, FIRST, SECOND), ("Acme Health", "2024-12-31", THIRD, None), ("Acme Health", OPEN, SECOND, THIRD),
        ],
        "filled in": [("Acme", "2024-12-31", THIRD, None), ("Acme", OPEN, SECOND, THIRD), ("unknown", OPEN, FIRST, SECOND)],
        "one leaves": [("A", "2025-06-30", FOURTH, None), ("A", OPEN, FIRST, FOURTH), ("B", OPEN, FIRST, THIRD)],
        "comes back": [("A", OPEN, FIRST, SECOND), ("A", OPEN, THIRD, None), ("B", OPEN, SECOND, THIRD)],
        "left out": [("A", OPEN, FIRST, None), ("B", OPEN, FIRST, None), ("C", OPEN, SECOND, None)],
    }  # fmt: skip
    assert {member: found[member] for member in TOLD_SPANS} == expected
    enrolled = spark.sql(
        "select member_id, is_enrolled from features.member_feature where data_source = 'tuva'"
    ).collect()
    assert {row[0]: row[1] for row in enrolled if row[0] in TOLD_SPANS} == {
        "renamed": False, "filled in": False, "one leaves": True, "comes back": True, "left out": True,
    }  # fmt: skip


def test_of_two_words_of_one_day_the_one_landed_later_holds(spark: Any, audits: dict[str, dict[str, int]]) -> None:
    rows = _of(spark, "core.outreach_contact", "contact_id, is_reached, disposition")
    assert [row[2:] for row in rows if row[1] == f"{MARK}-corrected"] == [(True, "reached")]


def test_codes_are_not_cut_into_emergency_visits(spark: Any, audits: dict[str, dict[str, int]]) -> None:
    broken = audits["medical_claim"]
    assert (broken["place_is_known"], broken["revenue_center_is_formed"]) == (1, 1)
    assert (broken["claim_line_number__not_null"], broken["all_columns_are_readable"]) == (1, 2)
    kinds = {claim: kind for _, claim, kind in _of(spark, "core.medical_claim", "claim_id, claim_encounter_type")}
    assert f"{MARK}-half" not in kinds
    assert "emergency_department" not in kinds.values()
