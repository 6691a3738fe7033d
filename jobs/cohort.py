"""A sequence of target trials per program, built in Spark: who could have been offered, who was, what happened.

At each monthly index date (time zero) eligibility, assignment and start of follow-up coincide (Hernán & Robins 2016,
doi:10.1093/aje/kwv254). Features obey both clocks because they come from `features.member_feature` as of the index
date; assignments and outcomes are read as the warehouse knew them at `trained_as_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from contracts.programs import Program

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession


def index_dates(program: Program, as_of: date) -> list[date]:
    """Monthly time zeros whose horizon and claims run-out are complete at `as_of`, oldest first.

    Args:
        program: gives horizon, run-out and how many months to look back.
        as_of: date as of which the training sees the world.
    """
    latest = as_of - timedelta(days=program.outcome.horizon_days + program.runout_days)
    year, month = latest.year, latest.month
    found: list[date] = []
    while len(found) < program.training_months:
        found.append(date(year, month, 1))
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return sorted(found)


def _dates(days: list[date]) -> str:
    return ", ".join(f"date'{day.isoformat()}'" for day in days)


def _eligible_sql(program: Program, data_source: str, days: list[date], as_of: date) -> str:
    """One row per enrolled member and index date, each cohort step a boolean column."""
    return f"""
    with assignment as (
        select member_id, assigned_date, is_offered, assigned_by = 'pilot' as is_randomized, assignment_probability
        from core.outreach_contact
        where data_source = '{data_source}' and program = '{program.key}' and known_at < timestamp'{as_of}'
    ),
    enrolled as (
        select f.* from features.member_feature f
        where f.data_source = '{data_source}' and f.as_of_date in ({_dates(days)}) and f.is_enrolled and not f.is_deceased
    ),
    in_window as (
        -- A randomised assignment in the window decides the arm; without one, an offer does. Several: the first.
        select e.member_id, e.as_of_date,
            min_by(struct(a.is_offered, a.is_randomized, a.assignment_probability),
                   struct(not a.is_randomized, not a.is_offered, a.assigned_date)) as arm
        from enrolled e join assignment a on a.member_id = e.member_id
            and a.assigned_date >= e.as_of_date and a.assigned_date < date_add(e.as_of_date, {max(program.grace_days, 1)})
        group by e.member_id, e.as_of_date
    ),
    washed as (
        select distinct e.member_id, e.as_of_date
        from enrolled e join assignment a on a.member_id = e.member_id and a.is_offered
            and a.assigned_date < e.as_of_date and a.assigned_date >= date_sub(e.as_of_date, {program.washout_days})
    )
    select e.member_id, e.as_of_date as index_date,
        not e.is_hospice and e.is_claims_complete as is_observable,
        e.lookback_days >= {program.min_lookback_days} as has_lookback,
        coalesce({program.eligibility}, false) as meets_criteria,
        w.member_id is null as is_washed_out,
        coalesce(i.arm.is_offered, false) as is_offered,
        coalesce(i.arm.is_randomized, false) as is_randomized,
        case when i.arm.is_randomized then i.arm.assignment_probability end as assignment_probability
    from enrolled e
    left join in_window i on i.member_id = e.member_id and i.as_of_date = e.as_of_date
    left join washed w on w.member_id = e.member_id and w.as_of_date = e.as_of_date
    """


STEPS: tuple[tuple[str, str], ...] = (
    ("Enrolled and alive at an index date", "true"),
    ("Claims are complete and not in hospice", "is_observable"),
    ("Enrolled long enough before", "has_lookback"),
    ("Meets the program's criteria", "meets_criteria"),
    ("Not offered the program in the wash-out", "is_washed_out"),
)


@dataclass(frozen=True)
class CohortStep:
    """How many person-trials are left after one step, and how many of these were offered."""

    step_number: int
    step: str
    remaining_count: int
    offered_count: int


def trials(spark: SparkSession, program: Program, data_source: str, as_of: date) -> DataFrame:
    """One row per enrolled member and index date: a boolean per step of the cohort, and the arm.

    `member_id, index_date, is_observable, has_lookback, meets_criteria, is_washed_out, is_offered, is_randomized,
    assignment_probability`.
    """
    return spark.sql(_eligible_sql(program, data_source, index_dates(program, as_of), as_of))


def cohort_flow(trials: DataFrame) -> list[CohortStep]:
    """Counts of person-trials after each step, in one pass."""
    conditions, selects = [], []
    for number, (_, condition) in enumerate(STEPS, start=1):
        conditions.append(condition)
        every = " and ".join(conditions)
        selects += [f"count_if({every}) as n{number}", f"count_if({every} and is_offered) as t{number}"]
    row = trials.selectExpr(*selects).collect()[0]
    return [CohortStep(n, text, row[f"n{n}"], row[f"t{n}"]) for n, (text, _) in enumerate(STEPS, start=1)]


def kept(trials: DataFrame) -> DataFrame:
    """The person-trials left after all steps: `member_id, index_date, is_offered, is_randomized, assignment_probability`."""
    return trials.where(" and ".join(condition for _, condition in STEPS)).select(
        "member_id", "index_date", "is_offered", "is_randomized", "assignment_probability"
    )


def cohort(kept: DataFrame, program: Program, data_source: str, as_of: date) -> DataFrame:
    """Person-trials with their outcome: the columns of `kept`, `outcome, followup_days`.

    An offer counts whether or not the member was reached (intention to treat).
    """
    return kept.sparkSession.sql(outcomes_sql("select * from {kept}", program, data_source, as_of), kept=kept)


def outcomes_sql(base: str, program: Program, data_source: str, as_of: date) -> str:
    """The trials of `base` with `outcome` and `followup_days`, as the warehouse knew them at `as_of`.

    Follow-up starts at time zero in both arms and ends at the horizon, death or disenrolment.

    Args:
        base: a query with `member_id, index_date`, together unique, and whatever shall be carried along.
        program: gives outcome and horizon.
        data_source: whose members.
        as_of: enrolment and events that became known later are not read.
    """
    horizon = program.outcome.horizon_days
    events = ", ".join(f"'{kind}'" for kind in program.outcome.event_types)
    inside = "greatest(0, datediff(least(date_add(o.event_end_date, 1), c.censor_date), greatest(o.event_start_date, c.index_date)))"
    starts = "case when o.event_start_date >= c.index_date and o.event_start_date < c.censor_date then 1 else 0 end"
    measured = starts if program.outcome.measure == "count" else inside
    return f"""
    with base as ({base}),
    covered as (
        -- the end of the enrolment that covers time zero, as known when training; touching spans are one
        select b.member_id, b.index_date, max(s.enrollment_end_date) as covered_until
        from base b join core.eligibility s on s.data_source = '{data_source}' and s.member_id = b.member_id
            and s.known_at < timestamp'{as_of}' and (s.superseded_at is null or s.superseded_at >= timestamp'{as_of}')
            and s.enrollment_start_date <= date_add(b.index_date, {horizon}) and s.enrollment_end_date >= b.index_date
        group by b.member_id, b.index_date
    ),
    censored as (
        select b.*, greatest(date_add(b.index_date, 1), least(date_add(b.index_date, {horizon}),
            date_add(coalesce(v.covered_until, date_add(b.index_date, {horizon})), 1),
            coalesce(m.death_date, date'9999-12-31'))) as censor_date
        from base b
        left join covered v on v.member_id = b.member_id and v.index_date = b.index_date
        left join core.member m on m.data_source = '{data_source}' and m.member_id = b.member_id
    ),
    observed as (
        select c.member_id, c.index_date, sum({measured}) as outcome
        from censored c join core.outcome_event o on o.data_source = '{data_source}' and o.member_id = c.member_id
            and o.event_type in ({events}) and o.known_at < timestamp'{as_of}'
            and (o.superseded_at is null or o.superseded_at >= timestamp'{as_of}')
            and o.event_start_date < c.censor_date and o.event_end_date >= c.index_date
        group by c.member_id, c.index_date
    )
    select c.* except (censor_date), cast(coalesce(o.outcome, 0) as double) as outcome,
        datediff(c.censor_date, c.index_date) as followup_days
    from censored c left join observed o on o.member_id = c.member_id and o.index_date = c.index_date
    """
