"""Potential outcomes per member, program and monthly index date, from the same rates and draws that made the claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.simulate.config import SimulationConfig
from jobs.simulate.draws import num
from jobs.simulate.months import (
    ADMISSION_CRISIS,
    ED_CRISIS,
    FADING,
    LAPSE_MONTHS,
    LAPSE_PROB,
    MAINTENANCE,
    SHOCK_PROB,
    refill_prob,
    season,
)
from jobs.simulate.programs import ADHERENCE, ED, PROGRAMS, TRANSITIONS, SimulatedProgram

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession


def write_truth(spark: SparkSession, rows: DataFrame, people: DataFrame, seed: int, data_source: str) -> int:
    """Replace the source's rows of `truth.potential_outcome` and `truth.unmeasured`; returns the rows of the first."""
    from contracts.catalog import contract
    from jobs.delta import ensure_tables, replace_where

    tables = contract("truth.potential_outcome"), contract("truth.unmeasured")
    ensure_tables(spark, tables)
    where, run = f"data_source = '{data_source}'", f"simulate-{seed}"
    written = replace_where(rows, tables[0], where, run)
    hidden = people.selectExpr(f"'{data_source}' as data_source", "member_id", "hidden", "frailty", "primary_care")
    replace_where(hidden, tables[1], where, run)
    return written.rows


def potential_outcomes(outcomes: DataFrame, config: SimulationConfig, data_source: str) -> DataFrame:
    """Rows of `truth.potential_outcome` for adults enrolled at the index date, months 0 .. `months` (the next one).

    Transitions are told for members discharged in the month before, adherence for members who take a maintenance drug.
    """
    adults = outcomes.where("age >= 18D").selectExpr(*_NEEDED, *_realized(), *_gap_probs())
    adults = adults.selectExpr("*", *(f"{sql} as {name}" for name, sql in _means().items()))
    told = {ED: "true", TRANSITIONS: "discharged", ADHERENCE: "n_drugs > 0"}
    structs = ", ".join(f"if({told[program]}, {_struct(program, config)}, null)" for program in PROGRAMS)
    rows = adults.selectExpr("member_id", "month_start", "reach_prob", f"explode(array_compact(array({structs}))) as o")
    rows = rows.selectExpr("*", "o.y0 as expected_y0", "o.y0 + reach_prob * (o.helped - o.y0) as expected_y1")
    return rows.selectExpr(
        f"'{data_source}' as data_source",
        "member_id",
        "o.program as program",
        "month_start as index_date",
        "o.horizon_days as horizon_days",
        "expected_y0",
        "expected_y1",
        "expected_y1 - expected_y0 as effect",
        "cast(o.real_0 as double) as realized_y0",
        "cast(o.real_1 as double) as realized_y1",
        "reach_prob",
        "o.is_eligible as is_eligible",
        "o.is_harmed_slice as is_harmed_slice",
    )


_NEEDED = (
    "member_no", "member_id", "m", "month_start", "reach_prob", "ed_rate", "ed_ratio", "adm_rate", "adm_ratio", "n_drugs",
    "is_harmed", "discharged", "is_lapsed", *(f"shock_{age}" for age in range(len(FADING))),
    *(f"{column}_{p.short}" for p in PROGRAMS for column in ("eligible", "reached")),
)  # fmt: skip


def _struct(program: SimulatedProgram, config: SimulationConfig) -> str:
    s = program.short
    done = f"m + {program.months} <= {config.months} and whole_{program.months}"
    ratio = {ED: "ed_ratio", TRANSITIONS: "adm_ratio"}.get(program)
    return (
        f"named_struct('program', '{program.key}', 'horizon_days', {program.horizon_days}, 'y0', {s}_mean,"
        f" 'helped', {f'{s}_mean * {ratio}' if ratio else 'med_helped'},"
        f" 'real_0', if({done}, {s}_real_0, null), 'real_1', if({done}, if(reached_{s}, {s}_real_1, {s}_real_0), null),"
        f" 'is_eligible', eligible_{s}, 'is_harmed_slice', {'is_harmed' if program is ED else 'false'})"
    )


def _means() -> dict[str, str]:
    """Mean outcomes without help, and the mean gap with help that reaches the member."""
    return {
        "ed_mean": " + ".join(_month_mean("ed_rate", ED_CRISIS, k) for k in range(ED.months)),
        "toc_mean": " + ".join(_month_mean("adm_rate", ADMISSION_CRISIS, k) for k in range(TRANSITIONS.months)),
        "med_mean": _gap_days("0"),
        "med_helped": _gap_days("1"),
    }


def _month_mean(rate: str, weight: float, ahead: int) -> str:
    """Mean events `ahead` months after the index month's start: old shocks fade, new ones are as likely as ever."""
    known = " + ".join(f"{num(FADING[age])} * shock_{age - ahead}" for age in range(ahead + 1, len(FADING)))
    fresh = SHOCK_PROB * sum(FADING[: ahead + 1])
    month = f"(pmod(month(month_start) - 1 + {ahead}, 12) + 1)"
    return (
        f"{rate} * {season(month)} * (1D + {num(weight)} * ({known or '0D'} + {num(fresh)})) * {_share(3, ahead, 90)}"
    )


def _share(months: int, ahead: int, horizon: int) -> str:
    """Share of a month that lies within the horizon: all of it, but for the last."""
    if ahead < months - 1:
        return "1D"
    before = f"datediff(add_months(month_start, {ahead}), month_start)"
    return f"(({horizon}D - {before}) / day(last_day(add_months(month_start, {ahead}))))"


def _gap_probs() -> list[str]:
    """Monthly probability of no refill, without (0) and with (1) help, in a lapse and out of it."""
    return [
        f"1D - {refill_prob(shift, lapse)} as missed_{name}_{arm}"
        for arm, shift in (("0", "0D"), ("1", "med_shift"))
        for name, lapse in (("lapsed", "true"), ("steady", "false"))
    ]


def _gap_days(arm: str) -> str:
    """Mean days without the member's maintenance drugs: 30 for every refill missed in six months.

    A lapse known at the index date lasts to the end of its block of months; later months are lapsed at random.
    """
    left = f"({LAPSE_MONTHS - 1} - pmod(m + {LAPSE_MONTHS - 1} + pmod(member_no, 3L), {LAPSE_MONTHS}))"
    here = f"if(was_lapsed, missed_lapsed_{arm}, missed_steady_{arm})"
    later = f"({num(LAPSE_PROB)} * missed_lapsed_{arm} + {num(1 - LAPSE_PROB)} * missed_steady_{arm})"
    return f"30D * n_drugs * ({left} * {here} + ({ADHERENCE.months} - {left}) * {later})"


def _realized() -> list[str]:
    """Sums of both potential outcomes over the months ahead, for offers that reach."""

    def ahead(expression: str, months: int) -> str:
        return f"sum({expression}) over (partition by member_no order by m rows between current row and {months - 1} following)"

    def missed(arm: int) -> str:
        return f"30 * (n_drugs - ({' + '.join(f'fill_{arm}_{name}' for name in MAINTENANCE)}))"

    return [
        *(f"{ahead(f'ed_{arm}', 3)} as ed_real_{arm}" for arm in (0, 1)),
        *(f"{ahead(f'adm_{arm}', 3)} as toc_real_{arm}" for arm in (0, 1)),
        *(f"{ahead(missed(arm), 6)} as med_real_{arm}" for arm in (0, 1)),
        *(f"{ahead('1', months)} = {months} as whole_{months}" for months in (3, 6)),
        "coalesce(lag(is_lapsed) over (partition by member_no order by m), is_lapsed) as was_lapsed",
    ]
