"""The rules of health-data quality in Spark: one row alone, and rows together, each finding what was made for it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from quality_cases import CASES, FILL, KNOWN, STAY, VISIT, arrow_of, rows_of

from contracts.catalog import contract
from contracts.model import Survey
from contracts.quality import together, utilisation
from jobs.profile import survey_answer
from jobs.row_flags import classified

pytestmark = pytest.mark.timeout(600)
D = dt.date


@pytest.mark.parametrize("table", CASES)
def test_same_rules_as_on_a_frame(spark: Any, table: str) -> None:
    """`tests/unit/test_quality_rules.py` holds the same rows against Pandera and DuckDB."""
    declared, rows, expected = rows_of(table)
    seen = classified(spark.createDataFrame(arrow_of(declared, rows)), declared, {}, twins=False)
    found = seen.select("file_row_number", "__rules").collect()
    assert {row[0]: set(row[1]) for row in found} == {i + 1: rules for i, rules in enumerate(expected)}


def _line(claim: str, **edits: Any) -> dict[str, Any]:
    """A line in force of a claim of its own member, billed for an amount of its own."""
    base = STAY if edits.pop("stay", False) else VISIT
    charge = Decimal(sum(claim.encode()) + edits.get("claim_line_number", 1)) + Decimal("0.50")
    own = {"data_source": "tuva", "known_at": KNOWN, "claim_id": claim, "member_id": claim, "charge_amount": charge}
    return {**base, **own, "is_void": False, **edits}


LINES = [
    _line("good"), _line("good", claim_line_number=2),
    _line("superseded", claim_type="dental", superseded_at=KNOWN), _line("superseded", adjustment_type_code="2"),
    _line("types"), _line("types", claim_line_number=2, claim_type="institutional"),
    _line("members"), _line("members", claim_line_number=2, member_id="another"),
    _line("bills", stay=True), _line("bills", stay=True, claim_line_number=2, bill_type_code="112"),
    _line("stays", stay=True), _line("stays", stay=True, claim_line_number=2, admission_date=D(2026, 1, 6)),
    _line("drgs", stay=True), _line("drgs", stay=True, claim_line_number=2, drg_code="469"),
    _line("second", claim_line_number=2),
    _line("long"), _line("long", claim_line_number=1000),
    _line("adjusted", adjustment_type_code="2"),
    _line("billed", member_id="b", charge_amount=Decimal("7.00")), _line("again", member_id="b", charge_amount=Decimal("7.00")),
    _line("in hospital", stay=True, member_id="h"),
    _line("overlaps", stay=True, member_id="h", admission_date=D(2026, 1, 8), discharge_date=D(2026, 1, 12)),
    _line("follows", stay=True, member_id="h", admission_date=D(2026, 1, 12), discharge_date=D(2026, 1, 13)),
    _line("after death", member_id="dead"),
    _line("before birth", member_id="unborn"),
    _line("expired", stay=True, discharge_disposition_code="20"),
    _line("pregnant man", member_id="man", diagnosis_codes=["O80"]),
    _line("prostate", diagnosis_codes=["C61"]),
    _line("pregnant child", member_id="child", diagnosis_codes=["O80"]),
    _line("old newborn", stay=True, admit_type_code="4"),
]  # fmt: skip
MEMBERS = {
    "dead": {"death_date": D(2026, 1, 4)}, "unborn": {"birth_date": D(2026, 1, 6)}, "man": {"sex": "male", "birth_date": D(1990, 1, 1)},
    "child": {"birth_date": D(2020, 1, 1)},
}  # fmt: skip


@pytest.fixture(scope="module")
def tables(spark: Any) -> dict[str, Any]:
    """Rows of core tables, not written anywhere."""
    names = {line["member_id"] for line in LINES} | {"uncovered"}
    blank = {"data_source": "tuva", "known_at": KNOWN, "birth_date": D(1950, 1, 1), "sex": "female"}
    spans = [("good", "2025-01-01", "2025-12-31"), ("good", "2026-01-01", "2026-06-30"), ("man", "2025-01-01", "2025-03-31"),
             ("man", "2025-03-31", "2025-06-30"), ("unborn", "2026-01-01", "2026-12-31"), ("dead", "2026-01-05", "2026-01-31"),
             ("expired", "2020-01-01", "2020-01-31")]  # fmt: skip
    rows = {
        "core.medical_claim": LINES,
        "core.member": [{**blank, "member_id": name, **MEMBERS.get(name, {})} for name in sorted(names)],
        "core.eligibility": [
            {"data_source": "tuva", "member_id": name, "enrollment_start_date": D.fromisoformat(start),
             "enrollment_end_date": D.fromisoformat(end)} for name, start, end in spans
        ],
    }  # fmt: skip
    frames = {name: spark.createDataFrame(arrow_of(contract(name), made)) for name, made in rows.items()}
    for name, frame in frames.items():
        frame.createOrReplaceTempView(f"quality_{name.partition('.')[2]}")
    return frames


def _answer(spark: Any, survey: Survey, rows: Any) -> dict[str, float]:
    asked = survey_answer(spark, survey, rows, lambda name: f"quality_{name.partition('.')[2]}")
    return {row["name"]: row["value"] for row in asked.collect()}


@pytest.mark.parametrize(
    "survey", [together.LINES_OF_CLAIM, together.BILLED_TWICE, together.STAYS, together.CLAIM_AND_MEMBER], ids=lambda s: s.measures[0].name
)  # fmt: skip
def test_each_rule_over_claims_finds_the_one_that_was_made_for_it(spark: Any, tables: Any, survey: Survey) -> None:
    assert _answer(spark, survey, tables["core.medical_claim"]) == {m.name: 1.0 for m in survey.measures}


def test_fills_and_contacts_of_two_members_are_found(spark: Any) -> None:
    told = [("one", "m"), ("one", "m"), ("two", "m"), ("two", "another")]
    same = {"data_source": "tuva", "known_at": KNOWN}
    fills = [{**FILL, **same, "claim_id": claim, "member_id": member, "is_void": False} for claim, member in told]
    contacts = [{**same, "contact_id": contact, "member_id": member} for contact, member in told]
    for survey, table, rows in (
        (together.LINES_OF_FILL, "core.pharmacy_claim", fills), (together.CONTACTS, "core.outreach_contact", contacts),
    ):  # fmt: skip
        frame = spark.createDataFrame(arrow_of(contract(table), rows))
        assert _answer(spark, survey, frame) == {survey.measures[0].name: 1.0}


def test_each_rule_over_spans_finds_the_one_that_was_made_for_it(spark: Any, tables: Any) -> None:
    """The dead member's span, which starts after the death, also ends after it, in the same month."""
    found = _answer(spark, together.SPANS, tables["core.eligibility"])
    assert found == {"span_does_not_overlap": 1.0, "span_not_before_birth": 1.0, "span_not_after_death": 1.0, "span_ends_with_death": 0.0}  # fmt: skip
    covered = tables["core.eligibility"].select("member_id").distinct().count()
    members = tables["core.member"].count()
    uncovered = _answer(spark, together.UNCOVERED_MEMBERS, tables["core.eligibility"])
    assert uncovered == {"member_has_eligibility": float(members - covered)}


def test_too_few_members_are_not_measured(spark: Any, tables: Any) -> None:
    assert _answer(spark, utilisation.MEMBERS, tables["core.member"].limit(10)) == {}
