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
from jobs.simulate.programs import ADHERENCE, ED, TRANSITIONS, SimulatedProgram

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession


def write_truth(
    spark: SparkSession, outcomes: DataFrame, people: DataFrame, config: SimulationConfig, data_source: str
) -> int:
    """Replace the source's rows of `truth.potential_outcome` and `truth.unmeasured`; returns the rows of the first."""
    from contracts.catalog import contract
    from jobs.delta import ensure_tables, replace_where

    tables = contract("truth.potential_outcome"), contract("truth.unmeasured")
    ensure_tables(spark, tables)
    where, run = f"data_source = '{data_source}'", f"simulate-{config.seed}"
    written = replace_where(potential_outcomes(outcomes, config, data_source), tables[0], where, run)
    replace_where(unmeasured(people, data_source), tables[1], where, run)
    return written.rows


def unmeasured(people: DataFrame, data_source: str) -> DataFrame:
    """Rows of `truth.unmeasured`."""
    return people.selectExpr(f"'{data_source}' as data_source", "member_id", "hidden", "frailty", "primary_care")


def potential_outcomes(outcomes: DataFrame, config: SimulationConfig, data_source: str) -> DataFrame:
    """Rows of `truth.potential_outcome` for adults enrolled at the index date, months 0 .. `months` (the next one)."""
    adults = outcomes.where("age >= 18D").selectExpr("*", *_realized())
    parts = [
        adults.selectExpr(*_row(ED, config, data_source)),
        adults.where("discharged").selectExpr(*_row(TRANSITIONS, config, data_source)),
        adults.where("n_drugs > 0").selectExpr(*_row(ADHERENCE, config, data_source)),
    ]
    return parts[0].unionAll(parts[1]).unionAll(parts[2])


def _row(program: SimulatedProgram, config: SimulationConfig, data_source: str) -> list[str]:
    untreated, treated = _means(program)
    s = program.short
    done = f"m + {program.months} <= {config.months} and whole_{program.months}"
    y0, y1 = f"({untreated})", f"({untreated} + reach_prob * ({treated} - {untreated}))"
    return [
        f"'{data_source}' as data_source",
        "member_id",
        f"'{program.key}' as program",
        "month_start as index_date",
        f"{program.horizon_days} as horizon_days",
        f"{y0} as expected_y0",
        f"{y1} as expected_y1",
        f"{y1} - {y0} as effect",
        f"if({done}, cast({s}_real_0 as double), null) as realized_y0",
        f"if({done}, cast(if(reached_{s}, {s}_real_1, {s}_real_0) as double), null) as realized_y1",
        "reach_prob",
        f"eligible_{s} as is_eligible",
        f"{'is_harmed' if program is ED else 'false'} as is_harmed_slice",
    ]


def _means(program: SimulatedProgram) -> tuple[str, str]:
    """SQL of the mean outcome without help and with help that reaches the member."""
    if program is ADHERENCE:
        return _gap_days("0D"), _gap_days("med_shift")
    rate, ratio, weight = (
        ("ed_rate", "ed_ratio", ED_CRISIS) if program is ED else ("adm_rate", "adm_ratio", ADMISSION_CRISIS)
    )
    base = " + ".join(_month_mean(rate, weight, k) for k in range(program.months))
    return f"({base})", f"(({base}) * {ratio})"


def _month_mean(rate: str, weight: float, ahead: int) -> str:
    """Mean events `ahead` months after the index month's start: old shocks fade, new ones are as likely as ever."""
    known = " + ".join(f"{num(FADING[age])} * shock_{age - ahead}" for age in range(ahead + 1, len(FADING)))
    fresh = SHOCK_PROB * sum(FADING[: ahead + 1])
    month = f"(pmod(month(month_start) - 1 + {ahead}, 12) + 1)"
    return f"{rate} * {season(month)} * (1D + {num(weight)} * ({known or '0D'} + {num(fresh)})) * {_share(3, ahead, 90)}"


def _share(months: int, ahead: int, horizon: int) -> str:
    """Share of a month that lies within the horizon: all of it, but for the last."""
    if ahead < months - 1:
        return "1D"
    before = f"datediff(add_months(month_start, {ahead}), month_start)"
    return f"(({horizon}D - {before}) / day(last_day(add_months(month_start, {ahead}))))"


def _gap_days(shift: str) -> str:
    """Mean days without the member's maintenance drugs: 30 for every refill missed in six months."""
    new_mean = f"({num(LAPSE_PROB)} * {refill_prob(shift, 'true')} + {num(1 - LAPSE_PROB)} * {refill_prob(shift, 'false')})"
    here, phase = refill_prob(shift), "pmod(member_no, 3L)"
    terms = []
    for ahead in range(ADHERENCE.months):
        same = f"floor((m + {ahead} + {phase}) / {LAPSE_MONTHS}) = floor((m - 1 + {phase}) / {LAPSE_MONTHS})"
        terms.append(f"if({same}, 1D - {here}, 1D - {new_mean})")
    return f"(30D * n_drugs * ({' + '.join(terms)}))"


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
    ]
