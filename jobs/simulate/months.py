"""Member-months: crises, rates, the events that would happen without any outreach, and what care managers can see.

A crisis starts at random and fades over four months, so that whoever looks worst now will look better soon.
Every month's draws come from hashes, so no month waits for the one before it; only what people *saw* needs windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.simulate.config import SimulationConfig
from jobs.simulate.draws import Draws, logistic, num, poisson
from jobs.simulate.programs import MAINTENANCE as MAINTENANCE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FADING = (1.0, 0.6, 0.35, 0.15)  # weight of a shock 0, 1, 2, 3 months old
SHOCK_PROB = 0.02
ED_CRISIS, ADMISSION_CRISIS, VISIT_CRISIS = 6.0, 10.0, 1.5
LAPSE_MONTHS, LAPSE_PROB, LAPSE_LOGIT = 3, 0.18, -2.2
MEAN_CRISIS = SHOCK_PROB * sum(FADING)
DRUG_COLUMN = {"diabetes": "on_diabetes", "ras_antagonist": "on_ras", "statin": "on_statin"}
LOOK = "over (partition by member_no order by m rows between {0} preceding and {1} preceding)"


def member_months(people: DataFrame, config: SimulationConfig) -> DataFrame:
    """One row per member and month 0 .. months (the last one lies ahead of the data: only `truth` uses it)."""
    draws = Draws(config.seed)
    frame = people.selectExpr("*", f"explode(sequence(0, {config.months})) as m")
    for step in (_calendar(config), _crisis(draws), _rates(config), _untreated(draws), _seen()):
        frame = frame.selectExpr("*", *(f"{sql} as {name}" for name, sql in step.items()))
    return frame


def _calendar(config: SimulationConfig) -> dict[str, str]:
    month = f"add_months(date'{config.first_month}', m)"
    enrolled = (
        "m >= start_month and m < end_month and not (gap_month is not null and m >= gap_month and m < gap_month + gap_length)"
        f" and (death_date is null or {month} <= death_date)"
    )
    return {"month_start": month, "month_days": f"day(last_day({month}))", "is_enrolled": enrolled}


def _crisis(draws: Draws) -> dict[str, str]:
    """`shock_k`: size of the shock that began k months ago."""

    def shock(age: int) -> str:
        when = f"m - {age}"
        hit = draws.uniform("shock", "member_no", when)
        return f"if({hit} < {num(SHOCK_PROB)}, {draws.exponential('severity', 'member_no', when)}, 0D)"

    lapse = f"{draws.uniform('lapse', 'member_no', f'floor((m + pmod(member_no, 3L)) / {LAPSE_MONTHS})')} < {num(LAPSE_PROB)}"
    return {**{f"shock_{age}": shock(age) for age in range(len(FADING))}, "is_lapsed": lapse}


def season(month: str = "month(month_start)") -> str:
    """Winter is busier, by an eighth."""
    return f"(1D + 0.12D * cos(({month} - 1) * 0.5235987755982988D))"


def _rates(config: SimulationConfig) -> dict[str, str]:
    crisis = " + ".join(f"{num(weight)} * shock_{age}" for age, weight in enumerate(FADING))
    drift = config.shifts.drift_month
    grows = f" * if(m >= {drift}, 1.3D, 1D)" if drift is not None else ""
    dying = "if(death_date is not null and months_between(death_date, month_start) < 2D, 3D, 1D)"
    return {
        "crisis": f"({crisis})",
        "ed_now": f"ed_rate * {season()} * (1D + {num(ED_CRISIS)} * ({crisis})) * {dying}{grows}",
        "adm_now": f"adm_rate * {season()} * (1D + {num(ADMISSION_CRISIS)} * ({crisis})) * {dying}",
        "busy": f"1D + {num(VISIT_CRISIS)} * ({crisis})",
    }


def refill_prob(shift: str = "0D", lapse: str = "is_lapsed") -> str:
    """Monthly probability of refilling each maintenance drug that the member takes."""
    return logistic(f"refill_logit + if({lapse}, {num(LAPSE_LOGIT)}, 0D) + {shift}")


def _untreated(draws: Draws) -> dict[str, str]:
    out = {
        "ed_u": draws.uniform("ed", "member_no", "m"),
        "adm_u": draws.uniform("admission", "member_no", "m"),
        "ed_0": f"if(is_enrolled, {poisson('ed_u', 'ed_now')}, 0)",
        "adm_0": f"if(is_enrolled, {poisson('adm_u', 'adm_now', 2)}, 0)",
        "first_discharge": f"{event_day(draws, 'admission day', '1')} + {length_of_stay(draws, '1')}",
    }
    fills = [
        f"cast(is_enrolled and {DRUG_COLUMN[name]} and {refill_draw(draws, name)} < {refill_prob()} as int)"
        for name in MAINTENANCE
    ]
    return {**out, **{f"fill_0_{n}": f for n, f in zip(MAINTENANCE, fills, strict=True)}}


def refill_draw(draws: Draws, drug_class: str) -> str:
    """The uniform that decides whether a drug is refilled this month, with or without help."""
    return draws.uniform(f"refill {drug_class}", "member_no", "m")


def event_day(draws: Draws, stream: str, slot: str) -> str:
    """Day of the month, from 1, on which the slot-th event of a kind starts."""
    return f"(1 + cast({draws.uniform(stream, 'member_no', 'm', slot)} * month_days as int))"


def length_of_stay(draws: Draws, slot: str) -> str:
    """Nights in hospital: 1 plus a geometric tail with mean about 3.6, at most 40."""
    return f"cast(least(1D + 3.6D * {draws.exponential('stay', 'member_no', 'm', slot)}, 40D) as int)"


def _seen() -> dict[str, str]:
    """What a care manager could know on the first of the month of the months before it."""
    fill_min = ", ".join(
        f"if({DRUG_COLUMN[name]}, sum(fill_0_{name}) {LOOK.format(6, 1)}, null)" for name in MAINTENANCE
    )
    return {
        "ed_12m": f"coalesce(sum(ed_0) {LOOK.format(12, 1)}, 0L)",
        "ed_2m": f"coalesce(sum(ed_0) {LOOK.format(2, 1)}, 0L)",
        "adm_2m": f"coalesce(sum(adm_0) {LOOK.format(2, 1)}, 0L)",
        "discharged": f"coalesce(max(cast(adm_0 > 0 and first_discharge <= month_days as int)) {LOOK.format(1, 1)}, 0) = 1",
        "months_seen": f"coalesce(sum(cast(is_enrolled as int)) {LOOK.format(6, 1)}, 0L)",
        "fewest_fills_6m": f"coalesce(least({fill_min}), 6L)",
    }
