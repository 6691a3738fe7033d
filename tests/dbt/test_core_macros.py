"""The hard SQL of core by hand-made examples: final action, stays that merge, emergency visits that end in a stay.

The macros are rendered as dbt renders them and run on rows written in the test, without building any table.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader

from jobs.dbt import PROJECT


def _macro(file: str, name: str, *arguments: Any) -> str:
    """The SQL of one macro. These macros use nothing of dbt beyond Jinja."""
    module = Environment(loader=FileSystemLoader(PROJECT / "macros")).get_template(file).make_module()
    return str(getattr(module, name)(*arguments))


def _group(spark: Any, rows: str) -> list[tuple[Any, ...]]:
    """Encounters of `(id, kind, claim_type, starts, ends, provider)` rows: type, start and ids of its claims."""
    claims = (
        "select 'm' as member_id, c.id, c.kind as claim_encounter_type, c.claim_type, date(c.starts) as starts, "
        f"date(c.ends) as ends, c.provider from values {rows} as c(id, kind, claim_type, starts, ends, provider)"
    )
    grouped = _macro("core_encounters.sql", "core_group_encounters", f"({claims})", ["member_id"])
    found = spark.sql(
        "select encounter_type, encounter_start, encounter_provider, array_sort(collect_list(id)) as ids "
        f"from ({grouped}) group by all order by encounter_start, encounter_type, encounter_provider"
    ).collect()
    return [(row.encounter_type, row.encounter_start, row.ids) for row in found]


def test_overlapping_and_adjacent_stays_are_one_and_a_gap_parts_them(spark: Any) -> None:
    got = _group(
        spark,
        """('a', 'acute_inpatient', 'institutional', '2024-02-25', '2024-02-28', '1'),
           ('b', 'acute_inpatient', 'institutional', '2024-02-29', '2024-03-04', '2'),
           ('c', 'acute_inpatient', 'institutional', '2024-03-01', '2024-03-02', '1'),
           ('d', 'acute_inpatient', 'institutional', '2024-03-06', '2024-03-06', '1')""",
    )
    assert got == [
        ("acute_inpatient", date(2024, 2, 25), ["a", "b", "c"]),
        ("acute_inpatient", date(2024, 3, 6), ["d"]),
    ]


def test_emergency_visit_that_ends_in_admission_belongs_to_the_stay(spark: Any) -> None:
    got = _group(
        spark,
        """('stay', 'acute_inpatient', 'institutional', '2024-05-10', '2024-05-14', '1'),
           ('night before', 'emergency_department', 'institutional', '2024-05-09', '2024-05-09', '1'),
           ('same day', 'emergency_department', 'professional', '2024-05-10', '2024-05-10', '7'),
           ('surgeon', 'acute_inpatient', 'professional', '2024-05-11', '2024-05-11', '8'),
           ('way home', 'emergency_department', 'institutional', '2024-05-14', '2024-05-14', '1'),
           ('other', 'emergency_department', 'institutional', '2024-05-01', '2024-05-01', '1')""",
    )
    assert got == [
        ("emergency_department", date(2024, 5, 1), ["other"]),
        ("acute_inpatient", date(2024, 5, 10), ["night before", "same day", "stay", "surgeon"]),
        ("emergency_department", date(2024, 5, 14), ["way home"]),
    ]


def test_visits_count_per_day_and_provider_and_emergency_lines_of_a_day_are_one(spark: Any) -> None:
    got = _group(
        spark,
        """('x', 'office_visit', 'professional', '1931-02-01', '1931-02-01', '1'),
           ('y', 'office_visit', 'professional', '1931-02-01', '1931-02-01', '1'),
           ('z', 'office_visit', 'professional', '1931-02-01', '1931-02-01', '2'),
           ('f', 'emergency_department', 'institutional', '1931-02-03', '1931-02-03', '1'),
           ('p', 'emergency_department', 'professional', '1931-02-03', '1931-02-03', '9'),
           ('lone', 'acute_inpatient', 'professional', '1931-03-01', '1931-03-01', '9')""",
    )
    assert got == [
        ("office_visit", date(1931, 2, 1), ["x", "y"]),
        ("office_visit", date(1931, 2, 1), ["z"]),
        ("emergency_department", date(1931, 2, 3), ["f", "p"]),
        ("other", date(1931, 3, 1), ["lone"]),
    ]


@pytest.fixture(scope="module")
def versions(spark: Any) -> dict[tuple[str, int, str], tuple[str | None, bool]]:
    """Versions of hand-made claims: (claim, line, known) -> (superseded, void)."""
    rows = """('kept', 1, '0', '2024-01-02', 10), ('kept', 1, '0', '2024-01-02', 11),
        ('adjusted', 1, '0', '2024-01-02', 20), ('adjusted', 2, '0', '2024-01-02', 21),
        ('adjusted', 1, '2', '2024-02-02', 22), ('adjusted', 1, '0', '2024-03-03', 23),
        ('voided', 1, '0', '2024-01-02', 30), ('voided', 1, '1', '2024-01-09', 31),
        ('same delivery', 1, '0', '2024-01-02', 40), ('same delivery', 1, '1', '2024-01-02', 41)"""
    lines = (
        "select 'tuva' as data_source, 'm' as member_id, claim_id, line as claim_line_number, adjustment_type_code, timestamp(known) as "
        "known_at, cast(null as date) as paid_date, 'f' as file_sha256, n as file_row_number "
        f"from values {rows} as c(claim_id, line, adjustment_type_code, known, n)"
    )
    sql = _macro("core_claim_versions.sql", "core_claim_versions", f"({lines})")
    found = spark.sql(
        "select claim_id, claim_line_number, date_format(known_at, 'yyyy-MM-dd') as known, "
        f"date_format(superseded_at, 'yyyy-MM-dd') as superseded, is_void from ({sql})"
    ).collect()
    keys = [(row.claim_id, row.claim_line_number, row.known) for row in found]
    assert len(keys) == len(set(keys)), "two rows of one version"
    return {key: (row.superseded, row.is_void) for key, row in zip(keys, found, strict=True)}


def test_copies_are_one_row(versions: dict[Any, Any]) -> None:
    assert versions[("kept", 1, "2024-01-02")] == (None, False)


def test_adjustment_replaces_every_line_and_a_late_original_revives_nothing(versions: dict[Any, Any]) -> None:
    assert versions[("adjusted", 1, "2024-01-02")] == ("2024-02-02", False)
    assert versions[("adjusted", 2, "2024-01-02")] == ("2024-02-02", False)
    assert versions[("adjusted", 1, "2024-02-02")] == (None, False)
    assert ("adjusted", 1, "2024-03-03") not in versions


def test_void_ends_the_claim(versions: dict[Any, Any]) -> None:
    assert versions[("voided", 1, "2024-01-02")] == ("2024-01-09", False)
    assert versions[("voided", 1, "2024-01-09")] == (None, True)
    assert versions[("same delivery", 1, "2024-01-02")] == (None, True)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_of_one_day_the_last_numbered_file_says_how_a_call_ended(spark: Any, order: str) -> None:
    columns = ["data_source", "known_at", "contact_id", *["member_id", "program", "channel", "team", "assigned_date"]]
    columns += ["assigned_by", "is_offered", "assignment_probability", "is_reached", "disposition"]
    told = """(select 'tuva' as data_source, timestamp'2026-07-03' as known_at, 'c' as contact_id, 'm' as member_id, 'p' as
        program, 'phone' as channel, 't' as team, date'2026-07-01' as assigned_date, 'policy' as assigned_by,
        true as is_offered, 0.9D as assignment_probability, disposition = 'reached' as is_reached, disposition, file_name,
        timestamp'2026-07-03 01:00:00' as ingested_at, 1 as file_row_number
        from values ('declined', 'd_0002_a.csv'), ('reached', 'd_0003_0.csv'), ('no_answer', 'd_0001_f.csv')
        as f(disposition, file_name) order by disposition {order})"""
    model = Environment(loader=FileSystemLoader(PROJECT)).get_template("models/core/outreach_contact.sql")
    sql = model.render(
        config=lambda **_: "",
        core_columns=lambda _: columns,
        ref=lambda _: told.format(order=order),
        source=lambda *_: f"(select * from {told.format(order=order)} where false)",
    )
    (row,) = spark.sql(sql).collect()
    assert (row.disposition, row.is_reached, row.contact_id) == ("reached", True, "c")
