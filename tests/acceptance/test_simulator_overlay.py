"""Outreach laid over real-shaped members: deterministic, randomised where it says so, and it changes what happens."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from contracts.errors import UserError
from jobs.simulate.overlay import Period, overlay, overlay_frames

PERIOD = Period(date(2009, 1, 1), date(2009, 10, 1), 0.4)


@pytest.fixture(scope="module")
def inputs(spark: Any) -> tuple[Any, Any]:
    """1,500 members with one to four stays each, in the columns that the overlay reads."""
    members = spark.range(1500).selectExpr(
        "concat('A', id) as member_id",
        "date_add(date'1924-01-01', cast(id % 1500 as int) * 9) as birth_date",
        "cast(null as date) as death_date",
        "if(id % 2 = 0, 'female', 'male') as sex",
    )
    claims = members.selectExpr(
        "member_id", "explode(sequence(1, 1 + cast(pmod(hash(member_id), 4) as int))) as n"
    ).selectExpr(
        "concat(member_id, '-', n) as claim_id",
        "member_id",
        "'institutional' as claim_type",
        "'111' as bill_type_code",
        "cast(null as string) as place_of_service_code",
        "cast(null as string) as revenue_center_code",
        "date_add(date'2008-06-01', cast(pmod(hash(member_id, n), 600) as int)) as claim_start_date",
        "date_add(date'2008-06-01', cast(pmod(hash(member_id, n), 600) as int) + 4) as claim_end_date",
        "date_add(date'2008-06-01', cast(pmod(hash(member_id, n), 600) as int)) as admission_date",
        "timestamp'2010-03-01 00:00:00' as known_at",
    )
    return members, claims


@pytest.fixture(scope="module")
def frames(inputs: tuple[Any, Any]) -> tuple[Any, Any, Any]:
    contacts, prevented, truth = overlay_frames(*inputs, "desynpuf", PERIOD, 5)
    return contacts.toPandas(), prevented.toPandas(), truth.toPandas()


def test_contacts_are_randomised_and_chosen(frames: tuple[Any, Any, Any]) -> None:
    contacts = frames[0]
    assert contacts.contact_id.is_unique
    pilot = contacts[contacts.assigned_by == "pilot"]
    assert (pilot.assignment_probability == 0.5).all()
    assert 0.4 < pilot.is_offered.mean() < 0.6
    assert (contacts.assigned_by == "care_manager").any()
    assert contacts.assigned_date.between(PERIOD.first, PERIOD.last).all()


def test_prevented_claims_are_real_and_few(frames: tuple[Any, Any, Any], inputs: tuple[Any, Any]) -> None:
    prevented = frames[1]
    assert prevented.claim_id.is_unique
    assert 0.1 < len(prevented) / inputs[1].count() < 0.4


def test_truth_says_whom_help_helps(frames: tuple[Any, Any, Any]) -> None:
    truth = frames[2]
    assert (truth[~truth.is_harmed_slice].effect <= 0).all()
    assert (truth[truth.is_harmed_slice].effect >= 0).all()
    assert truth[truth.program == "transitions_of_care"].effect.min() < -0.1


def test_same_seed_same_contacts(frames: tuple[Any, Any, Any], inputs: tuple[Any, Any]) -> None:
    again = overlay_frames(inputs[0].repartition(3), inputs[1].repartition(5), "desynpuf", PERIOD, 5)[0].toPandas()
    by = ["program", "contact_id"]
    assert frames[0].sort_values(by).reset_index(drop=True).equals(again.sort_values(by).reset_index(drop=True))


def test_a_source_with_its_own_outreach_is_refused(spark: Any) -> None:
    with pytest.raises(UserError):
        overlay(spark, "tuva", 1)
