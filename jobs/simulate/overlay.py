"""Simulated outreach on real members of an ingested source, with effects on their real claims.

Members, dates and claims stay as they are; care managers' choices and a pilot are laid over them by the simulator's
rules. An effect can only remove real events: each acute stay or emergency visit survives with probability s0 where no
offer works on it and s1 where one does, by one uniform per event. With s0 below 1 an offer can do harm as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from contracts.errors import UserError
from jobs.simulate.draws import Draws, logistic, num
from jobs.simulate.programs import ADHERENCE, ED, PROGRAMS, TRANSITIONS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession


@dataclass(frozen=True)
class Period:
    """Index months of one source, first and last, and the share of eligible members that a pilot month randomises."""

    first: date
    last: date
    pilot_share: float

    @property
    def months(self) -> int:
        """Number of index months."""
        return (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1


OVERLAID_SOURCES = {
    "desynpuf": Period(date(2008, 7, 1), date(2009, 12, 1), 0.12),
    "synthea_csv": Period(date(2024, 8, 1), date(2026, 7, 1), 0.25),
}
LOOKBACK = 12
REACH_PROB, SURVIVAL = 0.8, 0.85
TABLES = ("staging.overlay__outreach_contact", "staging.overlay__prevented_claim", "truth.potential_outcome")


def ensure_overlay(spark: SparkSession) -> None:
    """Create the overlay's tables, empty, where missing: core reads them whichever sources are there."""
    from contracts.catalog import contract
    from jobs.delta import ensure_tables

    ensure_tables(spark, [contract(name) for name in TABLES])


def overlay(spark: SparkSession, data_source: str, seed: int) -> int:
    """Write the source's contacts, prevented claims and truth; the same rows write no new version.

    Returns:
        Rows of `staging.overlay__outreach_contact` of the source.

    Raises:
        UserError: the source has outreach of its own, or is unknown.
    """
    if data_source not in OVERLAID_SOURCES:
        raise UserError(
            f"No outreach can be laid over {data_source}.", expected=", ".join(OVERLAID_SOURCES), actual=data_source
        )
    from contracts.catalog import contract
    from jobs.delta import replace_where

    parts = overlay_frames(
        spark.table(f"staging.stg_{data_source}__member"),
        spark.table(f"staging.stg_{data_source}__medical_claim"),
        data_source,
        OVERLAID_SOURCES[data_source],
        seed,
    )
    where = f"data_source = '{data_source}'"
    written = [
        replace_where(rows, contract(name), where, f"overlay-{seed}") for name, rows in zip(TABLES, parts, strict=True)
    ]
    return written[0].rows


def overlay_frames(
    members: DataFrame, claims: DataFrame, data_source: str, period: Period, seed: int
) -> tuple[DataFrame, DataFrame, DataFrame]:
    """Contacts, prevented claims and potential outcomes, as rows of `TABLES`.

    Args:
        members: `MemberShape`, any number of rows per member.
        claims: `MedicalClaimShape`, lines in any number of versions.
        data_source: written into each row.
        period: index months.
        seed: root of the draws.
    """
    draws = Draws(seed)
    events = _events(claims, draws)
    months = _offers(_months(members, events, period), draws, period)
    return (
        _contacts(months, data_source, draws),
        _prevented(events, months, data_source),
        _truth(events, months, data_source),
    )


def _events(lines: DataFrame, draws: Draws) -> DataFrame:
    """One row per claim that is part of an emergency visit or an acute stay, with the event's uniform."""
    claims = lines.selectExpr(
        "claim_id", "member_id", "claim_start_date as start_date", "claim_end_date as end_date", "known_at",
        "case when claim_type = 'institutional' and (bill_type_code like '11%' or (bill_type_code is null and admission_date"
        f" is not null)) then '{TRANSITIONS.key}' when place_of_service_code = '23' or revenue_center_code like '045_'"
        f" then '{ED.key}' end as program",
    )  # fmt: skip
    one = claims.where("program is not null").groupBy("claim_id", "member_id", "program")
    rows = one.agg({"start_date": "min", "end_date": "max", "known_at": "max"}).selectExpr(
        "claim_id", "member_id", "program", "`min(start_date)` as start_date", "`max(end_date)` as end_date",
        "`max(known_at)` as known_at",
    )  # fmt: skip
    return rows.selectExpr(
        "claim_id", "member_id", "program", "start_date", "end_date", "known_at",
        f"{draws.uniform('overlay event', 'xxhash64(member_id)', 'unix_date(start_date)', 'length(program)')} as event_u",
    )  # fmt: skip


def _months(members: DataFrame, events: DataFrame, period: Period) -> DataFrame:
    """One row per member and month from a year before the first index month, with what had happened by then."""
    people = (
        members.where("birth_date is not null")
        .groupBy("member_id")
        .agg({"birth_date": "min", "death_date": "max", "sex": "min"})
        .selectExpr(
            "member_id",
            "xxhash64(member_id) as member_no",
            "`min(birth_date)` as birth_date",
            "`max(death_date)` as death_date",
            "`min(sex)` as sex",
        )
    )
    start = f"add_months(date'{period.first}', -{LOOKBACK})"
    months = people.selectExpr("*", f"explode(sequence(0, {LOOKBACK + period.months - 1})) as m").selectExpr(
        "*", f"add_months({start}, m) as month_start"
    )
    counted = events.selectExpr(
        "member_id as event_member",
        f"cast(months_between(trunc(if(program = '{TRANSITIONS.key}', end_date, start_date), 'MM'), {start}) as int) as event_m",
        f"if(program = '{ED.key}', start_date, null) as ed_date",
        f"if(program = '{TRANSITIONS.key}', start_date, null) as stay_date",
    ).groupBy("event_member", "event_m")
    seen = counted.agg({"ed_date": "count", "stay_date": "count"}).selectExpr(
        "event_member", "event_m", "`count(ed_date)` as eds", "`count(stay_date)` as stays"
    )
    joined = months.join(seen, (months.member_id == seen.event_member) & (months.m == seen.event_m), "left")
    return joined.selectExpr(
        "member_id", "member_no", "birth_date", "death_date", "sex", "m", "month_start",
        "coalesce(eds, 0L) as eds", "coalesce(stays, 0L) as stays",
    )  # fmt: skip


def _offers(months: DataFrame, draws: Draws, period: Period) -> DataFrame:
    """Adds history, hidden confounder, who is eligible, who was offered what, and survival under help."""
    seen = "over (partition by member_id order by m rows between {0} preceding and 1 preceding)"
    frame = months.selectExpr(
        "*",
        f"coalesce(sum(eds + stays) {seen.format(LOOKBACK)}, 0L) as events_12m",
        f"coalesce(sum(eds + 2 * stays) {seen.format(2)}, 0L) as events_2m",
        f"coalesce(max(stays) {seen.format(1)}, 0L) > 0 as discharged",
        "months_between(month_start, birth_date) / 12D as age",
        f"{draws.normal('overlay hidden', 'member_no')} as hidden",
    ).where("death_date is null or month_start <= death_date")
    adult = f"(age >= 18D and m >= {LOOKBACK})"
    eligible = {ED: adult, TRANSITIONS: f"{adult} and discharged", ADHERENCE: adult}
    wish = {
        ED: "-4.9D + 0.8D * least(events_2m, 3L) + 0.2D * least(events_12m, 5L) + 0.5D * hidden",
        TRANSITIONS: "-1.2D + 0.3D * least(events_12m, 4L) + 0.5D * hidden",
        ADHERENCE: "-5.2D + 0.5D * hidden",
    }
    for program in PROGRAMS:
        s = program.short
        share = min(0.7, period.pilot_share * program.pilot_factor) if program is not ADHERENCE else 0.05
        frame = frame.selectExpr(
            "*",
            f"({eligible[program]}) as eligible_{s}",
            f"case when not ({eligible[program]}) then 0 when pmod(m, 2) = 0 and {draws.uniform(f'overlay pilot {s}', 'member_no', 'm')}"
            f" < {num(share)} then if({draws.uniform(f'overlay arm {s}', 'member_no', 'm')} < 0.5D, 2, 3)"
            f" when {draws.uniform(f'overlay choice {s}', 'member_no', 'm')} < {logistic(wish[program])} then 1 else 0 end as candidate_{s}",
        )
        before = f"over (partition by member_id order by m rows between {program.months} preceding and 1 preceding)"
        frame = frame.selectExpr(
            "*",
            f"if(coalesce(max(candidate_{s}) {before}, 0) = 0, candidate_{s}, 0) as offer_{s}",
            f"{draws.uniform(f'overlay reached {s}', 'member_no', 'm')} < {num(REACH_PROB)} as reached_{s}",
        )
    return frame.where(f"m >= {LOOKBACK}").selectExpr(
        "*",
        f"{num(SURVIVAL)} - 0.08D * cast(hidden < 0D as int) as survival_0",
        "age >= 84D as is_harmed",
        f"if(age >= 84D, 1D, ({num(SURVIVAL)} - 0.08D * cast(hidden < 0D as int)) * (1D - 0.65D * {logistic('0.25D * (80D - age)')} * if(sex = 'female', 1D, 0.5D))) as survival_1",
    )


def _contacts(months: DataFrame, data_source: str, draws: Draws) -> DataFrame:
    offers = ", ".join(
        f"if(offer_{p.short} > 0, named_struct('program', '{p.key}', 'team', '{p.team}', 'offer', offer_{p.short},"
        f" 'is_reached', reached_{p.short}), null)"
        for p in PROGRAMS
    )
    rows = months.selectExpr(
        "member_id", "member_no", "m", "month_start", f"explode(array_compact(array({offers}))) as o"
    )
    attempt = draws.integer(6, "overlay attempt", "member_no", "m", "length(o.program)")
    return rows.selectExpr(
        f"'{data_source}' as data_source",
        f"cast(date_add(month_start, 1 + if(o.offer = 3, 0, {attempt})) as timestamp) as known_at",
        "concat(substr(o.program, 1, 3), '-', substr(md5(concat(member_id, '|', month_start)), 1, 20)) as contact_id",
        "member_id",
        "o.program as program",
        "if(o.offer in (1, 2), if(pmod(member_no + m, 5L) = 0, 'letter', 'phone'), null) as channel",
        "if(o.offer in (1, 2), o.team, null) as team",
        "month_start as assigned_date",
        "if(o.offer = 1, 'care_manager', 'pilot') as assigned_by",
        "o.offer in (1, 2) as is_offered",
        "if(o.offer = 1, cast(null as double), 0.5D) as assignment_probability",
        "if(o.offer in (1, 2), o.is_reached, null) as is_reached",
        "if(o.offer in (1, 2), if(o.is_reached, 'reached', 'no_answer'), null) as disposition",
    )


def _prevented(events: DataFrame, months: DataFrame, data_source: str) -> DataFrame:
    """Claims of events that the overlaid world does not have: their uniform is above their survival."""
    helped = _each(months, "offer in (1, 2) and is_reached").selectExpr(
        "member_id as helped_member", "program as helped_program", "month_start", "until", "survival_1"
    )
    survival = months.groupBy("member_id").agg({"survival_0": "min"}).toDF("known_member", "survival_0")
    joined = events.join(survival, events.member_id == survival.known_member).join(
        helped,
        (events.member_id == helped.helped_member)
        & (events.program == helped.helped_program)
        & (events.start_date >= helped.month_start)
        & (events.start_date < helped.until),
        "left",
    )
    rows = joined.where("event_u >= coalesce(survival_1, survival_0)")
    return (
        rows.groupBy("claim_id")
        .agg({"known_at": "max"})
        .toDF("claim_id", "known_at")
        .selectExpr(f"'{data_source}' as data_source", "known_at", "claim_id")
    )


def _each(months: DataFrame, where: str) -> DataFrame:
    """One row per member, index month and program that the overlay gives an effect to."""
    structs = ", ".join(
        f"named_struct('program', '{p.key}', 'offer', offer_{p.short}, 'is_reached', reached_{p.short},"
        f" 'is_eligible', eligible_{p.short})"
        for p in (ED, TRANSITIONS)
    )
    return months.selectExpr(
        "member_id", "month_start", f"date_add(month_start, {ED.horizon_days}) as until", "survival_0", "survival_1",
        "is_harmed", f"inline(array({structs}))",
    ).where(where)  # fmt: skip


def _truth(events: DataFrame, months: DataFrame, data_source: str) -> DataFrame:
    """Rows of `truth.potential_outcome`: the real events of the horizon, thinned by each arm's survival."""
    from pyspark.sql.connect import functions as F

    rows = _each(months, "is_eligible")
    distinct = (
        events.select("member_id", "program", "start_date", "event_u")
        .distinct()
        .toDF("event_member", "event_program", "start_date", "event_u")
    )
    joined = rows.join(
        distinct,
        (rows.member_id == distinct.event_member)
        & (rows.program == distinct.event_program)
        & (distinct.start_date >= rows.month_start)
        & (distinct.start_date < rows.until),
        "left",
    )
    summed = joined.groupBy("member_id", "program", "month_start").agg(
        *(
            F.expr(sql).alias(name)
            for name, sql in {
                "is_harmed": "first(is_harmed)",
                "is_reached": "first(is_reached)",
                "s0": "first(survival_0)",
                "s1": "first(survival_1)",
                "events": "count(event_u)",
                "y0": "count_if(event_u < survival_0)",
                "y1": "count_if(event_u < survival_1)",
            }.items()
        )
    )
    return summed.selectExpr(
        f"'{data_source}' as data_source", "member_id", "program", "month_start as index_date", f"{ED.horizon_days} as horizon_days",
        "s0 * events as expected_y0", f"s0 * events + {num(REACH_PROB)} * (s1 - s0) * events as expected_y1",
        f"(s0 * events + {num(REACH_PROB)} * (s1 - s0) * events) - s0 * events as effect",
        "cast(y0 as double) as realized_y0", "cast(if(is_reached, y1, y0) as double) as realized_y1",
        f"{num(REACH_PROB)} as reach_prob", "true as is_eligible", "is_harmed as is_harmed_slice",
    )  # fmt: skip
