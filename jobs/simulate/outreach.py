"""Who is offered what: care managers' own choice, and a randomised pilot.

Care managers choose by recent crisis, which fades by itself, and by hunches that no table holds; so treated members
differ from the others in ways seen and unseen. Choices look at need as it would be without help, which keeps every
month computable on its own; offers of one program keep a distance, so that effects never overlap.

Where lists were published, they decide from their first month on: what the simulator then delivers are the outcomes
under the offers really made. Pilot and own choices end there, so that the holdout stays one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.simulate.config import SimulationConfig
from jobs.simulate.draws import Draws, logistic, num, poisson
from jobs.simulate.months import DRUG_COLUMN, refill_draw, refill_prob
from jobs.simulate.population import HEAVY_MEMBER, PROVIDERS
from jobs.simulate.programs import ADHERENCE, ED, MAINTENANCE, PROGRAMS, TRANSITIONS, SimulatedProgram

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NONE, CHOSEN, PILOT_OFFERED, PILOT_CONTROL, LISTED = 0, 1, 2, 3, 4
OFFERED = (CHOSEN, PILOT_OFFERED, LISTED)
_BASE = "is_enrolled and age >= 18D and months_seen >= 3 and (hospice_month is null or m < hospice_month)"
ELIGIBLE = {
    ED.key: f"{_BASE} and (ed_12m >= 1 or n_cond >= 2)",
    TRANSITIONS.key: f"{_BASE} and discharged",
    ADHERENCE.key: f"{_BASE} and n_drugs >= 1 and months_seen >= 6 and fewest_fills_6m <= 4",
}


def with_offers(months: DataFrame, config: SimulationConfig, published: DataFrame | None = None) -> DataFrame:
    """Adds per program `eligible_*`, `offer_*` (0 none, 1 care manager, 2 pilot offer, 3 pilot control, 4 published
    list), `reached_*`.

    Args:
        months: member-months.
        config: of the plan.
        published: `member_id, program, offered_on` of lists to be followed.
    """
    draws = Draws(config.seed)
    months, first_list = _with_lists(months, config, published)
    months = months.selectExpr("*", *(f"({ELIGIBLE[p.key]}) as eligible_{p.short}" for p in PROGRAMS))
    months = months.selectExpr("*", *(f"{_candidate(p, draws, config)} as candidate_{p.short}" for p in PROGRAMS))
    return months.selectExpr(
        "*",
        *(f"case when m >= {first_list} then if(listed_{p.short}, {LISTED}, {NONE})"
          f" when candidate_{p.short} > 0 and coalesce(max(candidate_{p.short}) {_before(p.months)}, 0) = 0"
          f" then candidate_{p.short} else {NONE} end as offer_{p.short}" for p in PROGRAMS),
        *(f"{draws.uniform(f'reached {p.short}', 'member_no', 'm')} < reach_prob as reached_{p.short}" for p in PROGRAMS),
    )  # fmt: skip


def _with_lists(months: DataFrame, config: SimulationConfig, published: DataFrame | None) -> tuple[DataFrame, int]:
    """Adds `listed_*` per program; with the first month that a list decides (one after all months without lists).

    Months are the simulator's clock: an offer of the first of a month works from that day, one of a later day from the
    first of the next month.
    """
    if published is None:
        return months.selectExpr("*", *(f"false as listed_{p.short}" for p in PROGRAMS)), config.months + 1
    first = f"date'{config.first_month}'"
    begins = "if(day(offered_on) = 1, offered_on, add_months(trunc(offered_on, 'MM'), 1))"
    offers = published.selectExpr("member_id", "program", f"cast(months_between({begins}, {first}) as int) as m")
    first_list = offers.selectExpr("min(m)").collect()[0][0]
    listed = offers.groupBy("member_id", "m").pivot("program", [p.key for p in PROGRAMS]).count()
    joined = months.join(listed, ["member_id", "m"], "left")
    marked = joined.selectExpr(
        *(f"`{name}`" for name in months.columns), *(f"{p.key} is not null as listed_{p.short}" for p in PROGRAMS)
    )
    return marked, config.months + 1 if first_list is None else int(first_list)


def _before(rows: int, last: str = "1 preceding") -> str:
    return f"over (partition by member_no order by m rows between {rows} preceding and {last})"


def _candidate(program: SimulatedProgram, draws: Draws, config: SimulationConfig) -> str:
    willing = "(refusal_month is null or m < refusal_month)"
    pilot = ", ".join(str(month) for month in config.pilot_months) or "-1"
    share = min(1.0, config.pilot_share * program.pilot_factor)
    drawn = draws.uniform(f"pilot {program.short}", "member_no", "m")
    arm = draws.uniform(f"pilot arm {program.short}", "member_no", "m")
    chosen = draws.uniform(f"choice {program.short}", "member_no", "m")
    return (
        f"case when not (eligible_{program.short} and {willing}) or m >= {config.months} then 0"
        f" when m in ({pilot}) and {drawn} < {num(share)} then if({arm} < 0.5D, {PILOT_OFFERED}, {PILOT_CONTROL})"
        f" when {chosen} < {num(config.offered_share)} * {_wish(program, config)} then {CHOSEN} else 0 end"
    )


def _wish(program: SimulatedProgram, config: SimulationConfig) -> str:
    """Probability that a care manager picks an eligible member this month."""
    hunch = f"{num(1.6 * config.confounding)} * hidden"
    score = {
        ED.key: f"-4.35D + 0.95D * least(ed_2m, 3L) + 0.6D * least(adm_2m, 2L) + 0.15D * n_cond + {hunch}",
        TRANSITIONS.key: f"-1.1D + 0.2D * n_cond + 0.5D * least(adm_2m, 3L) + {hunch}",
        ADHERENCE.key: f"-2.9D + 0.35D * (4D - fewest_fills_6m) + {hunch}",
    }[program.key]
    return logistic(score)


def with_outcomes(offers: DataFrame, config: SimulationConfig) -> DataFrame:
    """What really happened: events under the offers made, by the same uniforms as without them."""
    draws = Draws(config.seed)
    frame = offers.selectExpr(
        "*",
        *(f"{_helped(program)} as helped_{program.short}" for program in PROGRAMS),
        "ed_now * ed_ratio as ed_helped",
        "adm_now * adm_ratio as adm_helped",
        "office_rate * busy as office_now",
        "outpatient_rate * busy as outpatient_now",
        f"{draws.uniform('office', 'member_no', 'm')} as office_u",
        f"{draws.uniform('outpatient', 'member_no', 'm')} as outpatient_u",
    )
    frame = frame.selectExpr(
        "*",
        f"if(is_enrolled, {poisson('ed_u', 'ed_helped')}, 0) as ed_1",
        f"if(is_enrolled, {poisson('adm_u', 'adm_helped', 2)}, 0) as adm_1",
        *(f"cast(is_enrolled and {DRUG_COLUMN[name]} and {refill_draw(draws, name)} < {refill_prob('med_shift')} as int)"
          f" as fill_1_{name}" for name in MAINTENANCE),
    )  # fmt: skip
    return frame.selectExpr(
        "*",
        "if(helped_ed, ed_1, ed_0) as n_ed",
        "if(helped_toc, adm_1, adm_0) as n_adm",
        *(f"if(helped_med, fill_1_{name}, fill_0_{name}) as fill_{name}" for name in MAINTENANCE),
        f"if(is_enrolled, {poisson('office_u', 'office_now')}, 0) as n_office",
        f"if(is_enrolled, if(member_no = {HEAVY_MEMBER}, 40, {poisson('outpatient_u', 'outpatient_now')}), 0) as n_outpatient",
    )


# What encounters, pharmacy, contacts and truth read of a member-month.
KEPT = (
    "member_no", "member_id", "m", "month_start", "month_days", "is_enrolled", "is_medicare", "plan", "area", "age", "cond",
    "n_cond", "n_drugs", "death_date", "reach_prob", "ed_rate", "ed_ratio", "adm_rate", "adm_ratio", "refill_logit", "med_shift",
    "is_harmed", "discharged", "is_lapsed", "shock_0", "shock_1", "shock_2", "shock_3", "ed_0", "ed_1", "adm_0", "adm_1",
    *(f"fill_{arm}{name}" for name in MAINTENANCE for arm in ("", "0_", "1_")),
    *(f"{column}_{p.short}" for p in PROGRAMS for column in ("eligible", "offer", "reached")),
    "n_ed", "n_adm", "n_office", "n_outpatient", *PROVIDERS,
)  # fmt: skip


def _helped(program: SimulatedProgram) -> str:
    """An offer of this or the last months that reached the member still works in this month."""
    s = program.short
    made = f"cast(offer_{s} in {OFFERED} and reached_{s} as int)"
    return f"coalesce(max({made}) {_before(program.months - 1, 'current row')}, 0) = 1"
