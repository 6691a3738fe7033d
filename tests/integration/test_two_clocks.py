"""No feature reads past its as-of date on either clock: rows planted beyond it change no column of any member.

The same people with the same past come from two sources, and only one of them goes on: what a leak may come through, a
person, an area, a provider or all of a source, differs. They go into staging and through core, so that grouping, versions
and area rates are scanned as well.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from claims_world import World, at, day

from contracts.catalog import contract
from jobs.dbt import run_dbt

AS_OF = "2024-03-01"
ENDS_THERE, GOES_ON = "synthea_csv", "tuva"
SEEN = ("clock-a", "clock-b", "clock-c", "clock-d")


def _past(world: World, source: str) -> None:
    """What had happened, and was known, before the as-of date."""
    add, claim = (partial(how, data_source=source) for how in (world.add, world.claim))
    stay, emergency, fill = (partial(how, data_source=source) for how in (world.stay, world.emergency, world.fill))
    for member in SEEN:
        add("member", member, known="2023-01-02")
        if member != "clock-d":
            add("eligibility", member, known="2023-01-02", enrollment_start_date="2022-06-01")
    # enrolled anew on the as-of date itself, as it was known before
    for start, end in (("2023-03-01", "2024-02-29"), (AS_OF, "2025-02-28")):
        add("eligibility", "clock-d", known="2023-01-02", enrollment_start_date=start, enrollment_end_date=end)
    emergency("clock-a", "a1", "2024-02-10", known="2024-02-20", diagnosis_codes=["E119"])
    claim("clock-a", "a2", "2024-02-12", known="2024-02-20", diagnosis_codes=["I10"])
    stay("clock-b", "b1", "2024-01-05", "2024-01-09", known="2024-02-01", diagnosis_codes=["I5032"])
    fill("clock-b", "b2", "2023-12-01", known="2023-12-03")
    fill("clock-b", "b3", "2024-01-20", known="2024-01-22")
    add("outreach_contact", "clock-b", known="2024-02-02", contact_id="clock-o1", assigned_date="2024-02-01")


def _future(world: World) -> None:
    """Everything that must not reach back: later service, later knowledge, later changes of what was known."""
    known_late = f"{AS_OF}T00:00:00"  # what is delivered on a day is known from its first moment
    # service on or after D, although (wrongly) known before it
    for number, (member, start) in enumerate(
        [("clock-a", "2024-03-01"), ("clock-b", "2024-03-02"), ("clock-c", "2024-05-01")]
    ):
        world.emergency(member, f"f-ed{number}", start, known="2024-02-28", diagnosis_codes=["J449"])
        world.stay(member, f"f-ip{number}", start, "2024-05-03", known="2024-02-28", diagnosis_codes=["C61"])
        world.fill(member, f"f-rx{number}", start, known="2024-02-28")
        world.add("outreach_contact", member, known="2024-02-28", contact_id=f"clock-f{number}", assigned_date=start)
    # service before D, known on D or later; the stay swallows the emergency visit of clock-a, as the world is known today
    world.stay("clock-a", "f-late", "2024-02-10", "2024-02-14", known=known_late, diagnosis_codes=["N186"])
    world.claim("clock-c", "f-late2", "2023-11-11", known="2024-06-01", diagnosis_codes=["F0390"])
    world.fill("clock-b", "f-late3", "2023-12-31", known=known_late)
    # voids, adjustments and copies of known claims
    world.stay("clock-b", "b1", "2024-01-05", "2024-01-09", known="2024-04-01", adjustment_type_code="1")
    world.claim("clock-a", "a2", "2024-02-13", known="2024-03-05", adjustment_type_code="2", paid_amount=999)
    world.fill("clock-b", "b3", "2024-01-20", known="2024-03-09", adjustment_type_code="1")
    # later words on people and spans
    world.add("member", "clock-a", known="2024-04-01", sex="male", zip_code="98001", birth_date="1990-01-01",
              death_date="2024-02-15", death_known_at=at("2024-04-01"))  # fmt: skip
    world.add(
        "eligibility",
        "clock-c",
        known="2024-04-01",
        enrollment_start_date="2022-06-01",
        enrollment_end_date="2023-06-30",
    )
    world.add("eligibility", "clock-c", known="2024-04-01", enrollment_start_date="2020-01-01", payer_type="medicaid")
    world.add("eligibility", "clock-b", known="2024-02-01", enrollment_start_date="2024-03-02", is_hospice=True)
    world.add("outreach_contact", "clock-b", known="2024-03-20", contact_id="clock-o1", assigned_date="2024-02-01",
              is_reached=True, disposition="reached")  # fmt: skip
    # somebody of the same area who is only heard of later
    world.add("member", "clock-new", known="2024-03-02")
    world.add("eligibility", "clock-new", known="2024-03-02", enrollment_start_date="2022-01-01")


def _features(spark: Any, source: str) -> dict[str, dict[str, Any]]:
    """Features of the planted members as this source tells of them."""
    run_dbt("path:models/features", {"data_source": source, "as_of_dates": [AS_OF]}, run_id="two-clocks")
    rows = spark.sql(
        f"select * from features.member_feature where data_source = '{source}' and as_of_date = date'{AS_OF}' "
        "and member_id like 'clock-%'"
    ).collect()
    assert {row["data_source"] for row in rows} == {source}
    return {row["member_id"]: row.asDict() for row in rows}


@pytest.mark.timeout(1800)
def test_rows_beyond_the_as_of_date_change_no_feature(spark: Any) -> None:
    world = World(spark, "c")
    try:
        _past(world, ENDS_THERE)
        _past(world, GOES_ON)
        _future(world)
        world.write()
        run_dbt("path:models/core", {}, run_id="two-clocks")
        before, after = _features(spark, ENDS_THERE), _features(spark, GOES_ON)
    finally:
        world.remove()
    assert set(before) == set(SEEN)
    assert before["clock-a"]["ed_visit_30d_count"] == 1, "the past was not computed: the scan would prove nothing"
    assert before["clock-b"]["acute_admission_90d_count"] == 1
    assert all(row["is_enrolled"] for row in before.values())
    assert before["clock-d"]["lookback_days"] == 365
    assert {row["as_of_date"] for row in before.values()} == {day(AS_OF)}
    assert set(after) == set(SEEN), "members known later entered the past"
    names = set(contract("features.member_feature").column_names)
    assert names == set(before["clock-a"]), "the table and the registry name different columns"
    leaks = {
        f"{member}.{name}: {before[member][name]} -> {after[member][name]}"
        for member in SEEN
        for name in names - {"data_source"}
        if before[member][name] != after[member][name]
    }
    assert not leaks, "features that read past their as-of date"
