"""No feature reads past its as-of date on either clock: rows planted beyond it change no column of any member.

Twins, alike up to that date and each in an area of its own; one of them has a future. They go into staging and through core,
so that grouping, versions and area rates are scanned as well, and one build tells.
"""

from __future__ import annotations

from typing import Any

import pytest
from claims_world import World, at, day

from contracts.catalog import contract
from jobs.dbt import run_dbt

AS_OF = "2024-03-01"
# What becomes of the people; their ZIP code.
ENDS_THERE, GOES_ON = ("past", "77101"), ("future", "77201")
LETTERS = "abcd"


def _past(world: World, twin: str, zip_code: str) -> None:
    """What had happened, and was known, before the as-of date."""
    a, b, c, d = (f"clock-{twin}-{letter}" for letter in LETTERS)
    for member in (a, b, c, d):
        world.add("member", member, known="2023-01-02", zip_code=zip_code)
        if member != d:
            world.add("eligibility", member, known="2023-01-02", enrollment_start_date="2022-06-01")
    # enrolled anew on the as-of date itself, as it was known before
    for start, end in (("2023-03-01", "2024-02-29"), (AS_OF, "2025-02-28")):
        world.add("eligibility", d, known="2023-01-02", enrollment_start_date=start, enrollment_end_date=end)
    world.emergency(a, f"{twin}-a1", "2024-02-10", known="2024-02-20", diagnosis_codes=["E119"])
    world.claim(a, f"{twin}-a2", "2024-02-12", known="2024-02-20", diagnosis_codes=["I10"])
    world.stay(b, f"{twin}-b1", "2024-01-05", "2024-01-09", known="2024-02-01", diagnosis_codes=["I5032"])
    world.fill(b, f"{twin}-b2", "2023-12-01", known="2023-12-03")
    world.fill(b, f"{twin}-b3", "2024-01-20", known="2024-01-22")
    world.add("outreach_contact", b, known="2024-02-02", contact_id=f"{twin}-o1", assigned_date="2024-02-01")


def _future(world: World, twin: str, zip_code: str) -> None:
    """Everything that must not reach back: later service, later knowledge, later changes of what was known."""
    a, b, c, _ = (f"clock-{twin}-{letter}" for letter in LETTERS)
    known_late = "2024-03-01"
    # service on or after D, although (wrongly) known before it
    for number, (member, start) in enumerate([(a, "2024-03-01"), (b, "2024-03-02"), (c, "2024-05-01")]):
        world.emergency(member, f"f-ed{number}", start, known="2024-02-28", diagnosis_codes=["J449"])
        world.stay(member, f"f-ip{number}", start, "2024-05-03", known="2024-02-28", diagnosis_codes=["C61"])
        world.fill(member, f"f-rx{number}", start, known="2024-02-28")
        world.add("outreach_contact", member, known="2024-02-28", contact_id=f"clock-f{number}", assigned_date=start)
    # service before D, known on D or later; the stay swallows the emergency visit of a, as the world is known today
    world.stay(a, "f-late", "2024-02-10", "2024-02-14", known=known_late, diagnosis_codes=["N186"])
    world.claim(c, "f-late2", "2023-11-11", known="2024-06-01", diagnosis_codes=["F0390"])
    world.fill(b, "f-late3", "2023-12-31", known=known_late)
    # voids, adjustments and copies of known claims
    world.stay(b, f"{twin}-b1", "2024-01-05", "2024-01-09", known="2024-04-01", adjustment_type_code="1")
    world.claim(a, f"{twin}-a2", "2024-02-13", known="2024-03-05", adjustment_type_code="2", paid_amount=999)
    world.fill(b, f"{twin}-b3", "2024-01-20", known="2024-03-09", adjustment_type_code="1")
    # later words on people and spans
    world.add("member", a, known="2024-04-01", sex="male", zip_code="98001", birth_date="1990-01-01",
              death_date="2024-02-15", death_known_at=at("2024-04-01"))  # fmt: skip
    for values in (
        {"known": "2024-04-01", "enrollment_start_date": "2022-06-01", "enrollment_end_date": "2023-06-30"},
        {"known": "2024-04-01", "enrollment_start_date": "2020-01-01", "payer_type": "medicaid"},
    ):
        world.add("eligibility", c, **values)
    world.add("eligibility", b, known="2024-02-01", enrollment_start_date="2024-03-02", is_hospice=True)
    world.add("outreach_contact", b, known="2024-03-20", contact_id=f"{twin}-o1", assigned_date="2024-02-01",
              is_reached=True, disposition="reached")  # fmt: skip
    # somebody of the same area who is only heard of later
    world.add("member", "clock-new", known="2024-03-02", zip_code=zip_code)
    world.add("eligibility", "clock-new", known="2024-03-02", enrollment_start_date="2022-01-01")


def _features(spark: Any) -> dict[str, dict[str, Any]]:
    """Features of the planted members, computed from staging."""
    run_dbt("path:models/core", {}, run_id="two-clocks")
    run_dbt("path:models/features", {"data_source": "tuva", "as_of_dates": [AS_OF]}, run_id="two-clocks")
    rows = spark.sql(
        f"select * from features.member_feature where data_source = 'tuva' and as_of_date = date'{AS_OF}' "
        "and member_id like 'clock-%'"
    ).collect()
    return {row["member_id"]: row.asDict() for row in rows}


@pytest.mark.timeout(1800)
def test_rows_beyond_the_as_of_date_change_no_feature(spark: Any) -> None:
    world = World(spark, "c")
    try:
        for twin in (ENDS_THERE, GOES_ON):
            _past(world, *twin)
        _future(world, *GOES_ON)
        world.write()
        found = _features(spark)
    finally:
        world.remove()
    before, after = (
        {letter: found.pop(f"clock-{twin}-{letter}") for letter in LETTERS} for twin, _ in (ENDS_THERE, GOES_ON)
    )
    assert not found, "members known later entered the past"
    assert before["a"]["ed_visit_30d_count"] == 1, "the past was not computed: the scan would prove nothing"
    assert before["b"]["acute_admission_90d_count"] == 1
    assert all(row["is_enrolled"] for row in before.values())
    assert before["d"]["lookback_days"] == 365
    assert {row["as_of_date"] for row in before.values()} == {day(AS_OF)}
    names = set(contract("features.member_feature").column_names)
    assert names == set(before["a"]), "the table and the registry name different columns"
    leaks = {
        f"{letter}.{name}: {before[letter][name]} -> {after[letter][name]}"
        for letter in LETTERS
        for name in names - {"member_id"}
        if before[letter][name] != after[letter][name]
    }
    assert not leaks, "features that read past their as-of date"
