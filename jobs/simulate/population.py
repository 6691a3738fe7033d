"""People: demographics, latent frailty, access to care, conditions, enrolment, and their static rates of use.

One row per member, from `range`, without a shuffle. Latent columns (`frailty`, `hidden`, `primary_care`) never leave
the simulator, except for `truth.unmeasured`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.simulate.clinic import CONDITIONS, log_sum
from jobs.simulate.config import SimulationConfig
from jobs.simulate.draws import Draws, choose, logistic, npi, num
from jobs.simulate.programs import effect_columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

# ZIP3 areas of the Pacific Northwest; deprivation is a property of the area, the same under every seed.
AREAS = ("970", "971", "972", "973", "974", "975", "976", "977", "978", "979",
         "980", "981", "982", "983", "984", "985", "986", "988", "989", "990",
         "991", "992", "993", "994", "832", "833", "834", "835", "836", "837")  # fmt: skip
LANGUAGES = ("es", "zh", "vi", "ru", "ko", "tl")
RARE_MEMBER, HEAVY_MEMBER = 1, 2  # one member without any claim, one with thousands of claim lines


def members(spark: SparkSession, config: SimulationConfig, first: int = 1, last: int | None = None) -> DataFrame:
    """One row per member, numbered `first` .. `last`, with everything that does not change by month."""
    draws = Draws(config.seed)
    frame = spark.range(first, (last or config.members) + 1, 1, 2).withColumnRenamed("id", "member_no")
    for step in (
        _latent(draws),
        _demographics(draws),
        _dates(draws, config),
        _conditions(draws),
        _summary(),
        _enrolment(draws, config),
        _providers(draws),
        _rates(config),
        effect_columns(config),
    ):
        frame = frame.selectExpr("*", *(f"{sql} as {name}" for name, sql in step.items()))
    return frame


def _latent(draws: Draws) -> dict[str, str]:
    area = draws.integer(len(AREAS), "area", "member_no")
    return {
        "member_id": "concat('M', lpad(cast(member_no as string), 9, '0'))",
        "frailty": draws.normal("frailty", "member_no"),
        "primary_care": draws.normal("primary care", "member_no"),
        "hidden": draws.normal("hidden", "member_no"),
        "area": area,
        "payer_draw": draws.uniform("payer", "member_no"),
        "age_draw": draws.uniform("age", "member_no"),
    }


def _demographics(draws: Draws) -> dict[str, str]:
    fixed = Draws(0)
    return {
        "deprivation": fixed.uniform("deprivation", "area"),
        "is_medicare": "payer_draw < 0.45D",
        "is_disabled": "payer_draw < 0.06D",
        "sex": f"if({draws.uniform('sex', 'member_no')} < 0.52D, 'female', 'male')",
        "race": choose(draws.integer(10, "race", "member_no"), ("white",) * 6 + ("black", "asian", "other", "unknown")),
        "ethnicity": f"if({draws.uniform('ethnicity', 'member_no')} < 0.14D, 'hispanic', 'not hispanic')",
        "language": f"if({draws.uniform('speaks', 'member_no')} < 0.09D, "
        f"{choose(draws.integer(len(LANGUAGES), 'language', 'member_no'), LANGUAGES)}, 'en')",
        "zip_code": f"concat({choose('area', AREAS)}, lpad(cast({draws.integer(40, 'zip', 'member_no')} as string), 2, '0'))",
        "state": "case when area < 10 then 'OR' when area < 24 then 'WA' else 'ID' end",
    }


def _dates(draws: Draws, config: SimulationConfig) -> dict[str, str]:
    # Commercial: 0-64, a fifth of them children; Medicare: 65-98, thinning with age, and a few disabled under 65.
    age = (
        "case when is_disabled then 35D + 30D * age_draw"
        " when is_medicare then 65D + 33D * pow(age_draw, 1.7D)"
        " when age_draw < 0.2D then 90D * age_draw"
        " else 18D + 47D * (age_draw - 0.2D) / 0.8D end"
    )
    return {
        "age": age,
        # Nobody is enrolled before being born: the youngest were born in the month before the history begins.
        "birth_date": f"date_sub(date'{config.end_date}', cast(greatest({age}, {(config.months + 1) / 12}D) * 365.25D as int) + 1)",
        "is_dual": f"is_medicare and {draws.uniform('dual', 'member_no')} < 0.08D + 0.25D * deprivation",
        "is_costly_plan": f"{draws.uniform('plan', 'member_no')} < 0.4D",
    }


def _conditions(draws: Draws) -> dict[str, str]:
    bits = []
    for bit, c in enumerate(CONDITIONS):
        score = f"{num(c.intercept)} + {num(c.age_slope)} * (age - 50D) / 10D + {num(c.frailty_slope)} * frailty"
        share = logistic(score) + ("" if c.in_children else " * if(age < 18D, 0.02D, 1D)")
        bits.append(f"if({draws.uniform('condition', 'member_no', str(bit))} < {share}, {1 << bit}, 0)")
    return {"cond": " + ".join(bits)}


def _summary() -> dict[str, str]:
    return {
        "n_cond": "bit_count(cond)",
        "plan": "concat(if(is_medicare, 'Medicare ', 'Commercial '), if(is_costly_plan, 'high deductible', 'standard'))",
    }


def _enrolment(draws: Draws, config: SimulationConfig) -> dict[str, str]:
    """Months are numbered from 0; a member is enrolled from `start_month` until before `end_month`."""
    later = draws.integer(config.months, "late start", "member_no")
    earlier = draws.integer(60, "early start", "member_no")
    hazard = "0.0035D * exp(0.085D * (age - 65D) + 0.45D * frailty + if(cond & 3404 <> 0, 0.6D, 0D))"
    special = f"member_no in ({RARE_MEMBER}, {HEAVY_MEMBER})"
    months = f"cast(least({draws.exponential('death', 'member_no')} / ({hazard}) * 12D, 9000D) as int)"
    alive = f"(({special}) or {months} > {config.months + 6})"
    last_day = f"day(last_day(add_months(date'{config.first_month}', {months})))"
    death = (
        f"if({alive}, null, date_add(add_months(date'{config.first_month}', {months}), "
        f"cast({draws.uniform('death day', 'member_no')} * {last_day} as int)))"
    )
    start = f"if({special} or {draws.uniform('starts late', 'member_no')} < 0.8D, -1 - {earlier}, {later})"
    churn = (
        f"cast(least({draws.exponential('churn', 'member_no')} / if(is_medicare, 0.04D, 0.12D) * 12D, 9000D) as int)"
    )
    return {
        "start_month": start,
        "end_month": f"if({special}, 9999, greatest({start}, 0) + 1 + {churn})",
        "gap_month": f"if(not ({special}) and {draws.uniform('has gap', 'member_no')} < 0.04D, "
        f"greatest({start}, 0) + 3 + {draws.integer(config.months, 'gap', 'member_no')}, null)",
        "gap_length": f"1 + {draws.integer(4, 'gap length', 'member_no')}",
        "death_date": death,
        "hospice_month": f"if({alive} or {draws.uniform('hospice', 'member_no')} > 0.35D, null, {months} - 2)",
        "refusal_month": f"if({draws.uniform('refuses', 'member_no')} < 0.04D, "
        f"{draws.integer(config.months, 'refusal', 'member_no')}, null)",
    }


# Stream and keys of the draw behind each provider's NPI: few of a kind, so that members share them.
PROVIDERS = {
    "clinician_npi": ("npi clinician", "area", "pmod(member_no, 40L)"),
    "practice_npi": ("npi practice", "area", "pmod(member_no, 8L)"),
    "hospital_npi": ("npi hospital", "area", "pmod(member_no, 3L)"),
    "prescriber_npi": ("prescriber", "pmod(member_no, 900L)"),
    "pharmacy_npi": ("pharmacy", "pmod(member_no, 200L)"),
}


def _providers(draws: Draws) -> dict[str, str]:
    """Whom a member goes to; told once, not on each of their claim lines."""
    return {name: npi(draws.integer(100_000_000, *draw)) for name, draw in PROVIDERS.items()}


def _rates(config: SimulationConfig) -> dict[str, str]:
    """Mean events per month before season and crisis; the constants put the plan inside published ranges."""
    s = config.confounding
    poor = "(2D * deprivation - 1D)"
    zero = f"if(member_no = {RARE_MEMBER}, 0D, 1D)"
    heavy = f"if(member_no = {HEAVY_MEMBER}, 1D, 0D)"
    young = "if(age < 18D, -0.1D, 0D)"
    return {
        "barrier": f"0.9D * {poor} - 0.8D * primary_care + if(is_dual, 0.4D, 0D) + if(language <> 'en', 0.5D, 0D)",
        "ed_rate": f"{zero} * if(is_medicare, 0.0094D, 0.0077D) * if(is_disabled, 1.7D, 1D) * exp({log_sum('ed_log')} + 0.5D * frailty "
        f"+ 0.008D * greatest(age - 65D, 0D) + 0.35D * {poor} - 0.2D * primary_care + {num(0.5 * s)} * hidden + {young})",
        "adm_rate": f"{zero} * if(is_medicare, 0.0020D, 0.0017D) * if(is_disabled, 1.4D, 1D) * exp({log_sum('admission_log')} + 0.9D * frailty "
        f"+ 0.02D * greatest(age - 60D, 0D) + {num(0.4 * s)} * hidden + {young})",
        "office_rate": f"{zero} * if(is_medicare, 0.27D, 0.20D) * if(age < 18D, 0.9D, 1D) * exp({log_sum('visit_log')} + 0.15D * frailty "
        f"+ 0.6D * primary_care - 0.45D * {poor})",
        "outpatient_rate": f"{zero} * if(is_medicare, 0.15D, 0.08D) * exp({log_sum('visit_log')} * 1.2D + 0.3D * frailty) + {heavy} * 40D",
        "reach_prob": f"greatest(0.5D, 0.85D - 0.08D * {poor} - if(language <> 'en', 0.06D, 0D))",
    }
