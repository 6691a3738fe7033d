"""What came of past members whom the model saw alike: their realised outcomes, offered and not."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.report.suppression import SMALLEST

if TYPE_CHECKING:
    import duckdb

# (only those drawn by lot, how many nearest): the first that leaves 11 people in both arms.
_ATTEMPTS = ((True, 100), (True, 400), (False, 400))
READS = ("causal.cohort", "causal.oof_prediction")


@dataclass(frozen=True)
class Arm:
    """People, their mean outcome and the mean that was expected without an offer; None for fewer than 11 people.

    How far the expected mean lies from the member's own tells how alike they are.
    """

    people: int | None = None
    mean_outcome: float | None = None
    mean_baseline: float | None = None


@dataclass(frozen=True)
class Similar:
    """Person-trials of the last training whose predicted risk and effect lie nearest.

    `is_randomized`: both arms were drawn by lot, so that their difference is the effect among people like these; else
    care managers chose, and the difference also holds what they knew.
    """

    trained_as_of: dt.date
    is_randomized: bool
    offered: Arm
    not_offered: Arm


def similar(connection: duckdb.DuckDBPyConnection, row: dict[str, Any]) -> Similar | None:
    """The nearest past person-trials; None where no training is on record or nobody was scored.

    Args:
        connection: holds the tables of READS.
        row: of `outreach.priority`.
    """
    if row["baseline_risk"] is None:
        return None
    parameters = {
        name: row[name] for name in ("data_source", "program", "run_date", "member_id", "baseline_risk", "cate")
    }
    found = None
    for only_randomized, nearest in _ATTEMPTS:
        counted = connection.execute(_SQL, {**parameters, "randomized": only_randomized, "nearest": nearest}).fetchall()
        arms = {bool(offered): _arm(*rest) for offered, *rest, _ in counted}
        if counted:
            found = Similar(counted[0][-1], only_randomized, arms.get(True, Arm()), arms.get(False, Arm()))
            if found.offered.people and found.not_offered.people:
                return found
    return found


def _arm(people: int, mean_outcome: float, mean_baseline: float) -> Arm:
    return Arm(people, mean_outcome, mean_baseline) if people >= SMALLEST else Arm()


# Distances in standard deviations, so that risk and effect count alike; without an effect, the risk alone.
_SQL = """
    with trained as (
        select max(trained_as_of) as day from causal.cohort
        where data_source = $data_source and program = $program and trained_as_of <= $run_date
    ), past as (
        select c.member_id, c.is_offered, c.outcome, o.baseline, o.cate, trained.day,
            nullif(stddev_pop(o.baseline) over (), 0) as baseline_sd, nullif(stddev_pop(o.cate) over (), 0) as cate_sd
        from trained
        join causal.cohort c on c.trained_as_of = trained.day
        join causal.oof_prediction o on o.data_source = c.data_source and o.program = c.program
            and o.trained_as_of = c.trained_as_of and o.member_id = c.member_id and o.index_date = c.index_date
        where c.data_source = $data_source and c.program = $program and c.member_id <> $member_id
            and (c.is_randomized or not $randomized)
    ), nearest as (
        select * from past
        order by coalesce(abs(baseline - $baseline_risk) / baseline_sd, 0)
            + coalesce(abs(cate - $cate::double) / cate_sd, 0), member_id
        limit $nearest
    )
    select is_offered, count(distinct member_id), avg(outcome), avg(baseline), max(day) from nearest group by is_offered"""
