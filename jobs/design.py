"""How large a standing experiment must be: a program's configured shares held against what they can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from causal.power import Clusters, HoldoutDesign, Outcome
from contracts.compile.literals import sql_string
from contracts.errors import ConfigError
from contracts.programs import Program
from contracts.settings import Settings
from jobs.delta import table_exists
from jobs.query import duck
from jobs.query.access import readable

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

NIGHTS = (30, 90, 180, 365)


@dataclass(frozen=True)
class Baseline:
    """The outcome without outreach, and how many people can ever come up."""

    mean: float
    sd: float | None
    eligible: float = inf


@dataclass(frozen=True)
class Question:
    """What is asked of a design.

    Attributes:
        baseline: outcome per person.
        better: an effect in this direction is a benefit.
        unit: of the outcome, in words.
        offers_per_night: by rank, without the exploration.
        slots_per_night: of the exploration.
        holdout_share: of those who would be offered; as configured.
        effect: the benefit to be shown; None asks only what can be shown.
        nights: how long one is willing to wait.
    """

    baseline: Baseline
    better: str
    unit: str
    offers_per_night: float
    slots_per_night: float
    holdout_share: float
    effect: float | None = None
    nights: int = 365
    clusters: Clusters = field(default_factory=Clusters)
    r2: float = 0.0
    alpha: float = 0.05
    power: float = 0.8

    @property
    def design(self) -> HoldoutDesign:
        """The persistent holdout as asked about."""
        return HoldoutDesign(
            Outcome(self.baseline.mean, self.baseline.sd, self.better),
            self.offers_per_night, self.holdout_share, self.baseline.eligible, self.clusters, self.r2, self.alpha,
            self.power,
        )  # fmt: skip


def need_cohort(program: Program, data_source: str, config: Settings) -> None:
    """Refuse where no training left a cohort, before an engine is started to say so; looks only at files of this machine.

    Raises:
        ConfigError: the program was never trained on this source.
    """
    if duck.elsewhere(config) is not None:
        return
    if duck.is_there("causal.cohort", config):
        connection = duck.connect(readable(["causal.cohort"], config.role), config)
        sql = "select 1 from causal.cohort where data_source = $source and program = $program limit 1"
        if duck.fetch(connection, sql, {"source": data_source, "program": program.key}).num_rows:
            return
    raise _no_cohort(program, data_source)


def baseline_of(spark: SparkSession, program: Program, data_source: str) -> Baseline:
    """The outcome of those not offered in the newest cohort, and the people that the last published night found eligible.

    Raises:
        ConfigError: the program was never trained on this source.
    """
    where = f"data_source = {sql_string(data_source)} and program = {sql_string(program.key)}"
    found: dict[str, Any] = {"n": 0}
    if table_exists(spark, "causal.cohort"):
        newest = f"(select max(trained_as_of) from causal.cohort where {where})"
        (row,) = spark.sql(f"""
            select count(*) as n, avg(outcome) as mean, stddev_samp(outcome) as sd, count(distinct member_id) as people
            from causal.cohort where {where} and trained_as_of = {newest} and not is_offered""").collect()
        found = row.asDict()
    if found["n"] < 2 or not found["sd"]:
        raise _no_cohort(program, data_source)
    eligible = found["people"]
    if table_exists(spark, "outreach.program_summary"):
        rows = spark.sql(f"""
            select eligible_count as n from outreach.program_summary where {where} order by run_date desc limit 1""").collect()
        eligible = rows[0]["n"] if rows else eligible
    return Baseline(float(found["mean"]), float(found["sd"]), float(eligible))


def _no_cohort(program: Program, data_source: str) -> ConfigError:
    return ConfigError(
        f"No cohort of {program.key} on {data_source} says what happens without outreach.",
        todo="train first (`outreach train`), or give --mean, and --sd for a count or an amount.",
    )


def answer(question: Question, nights: Sequence[int] = NIGHTS) -> dict[str, Any]:
    """What the design can show after some nights, and what an effect needs.

    Returns:
        `inputs`; `holdout` and `exploration`: one row per number of nights (`exploration` is empty where it has no places
        or the eligible are not known); `effect`: power, nights needed and the smallest share that would do, None when no
        effect is asked about. Numbers that do not exist are None.
    """
    design = question.design
    horizons = sorted({*nights, question.nights})
    return {
        "inputs": {
            "outcome_mean": question.baseline.mean, "outcome_sd": question.baseline.sd, "better": question.better,
            "unit": question.unit, "eligible": _number(question.baseline.eligible),
            "offers_per_night": question.offers_per_night, "explored_per_night": question.slots_per_night,
            "holdout_share": question.holdout_share, "alpha": question.alpha, "power": question.power,
            "design_effect": question.clusters.design_effect, "r2": question.r2,
        },
        "holdout": [_shown(design, n) for n in horizons],
        "exploration": [
            _shown(design.exploration(question.slots_per_night, n), n)
            for n in horizons
            if 0 < question.slots_per_night * n < question.baseline.eligible < inf
        ],
        "effect": None if question.effect is None else _needed(design, question.effect, question.nights),
    }  # fmt: skip


def _shown(design: HoldoutDesign, nights: int) -> dict[str, Any]:
    offered, held_out = design.arms(nights)
    effect = _number(design.detectable_effect(nights))
    return {
        "nights": nights,
        "offered": round(offered),
        "not_offered": round(held_out),
        "detectable_effect": effect,
        "detectable_share_of_mean": None
        if effect is None or design.outcome.mean <= 0
        else effect / design.outcome.mean,
        "detectable_spread": _number(design.detectable_spread(nights)),
    }


def _needed(design: HoldoutDesign, effect: float, nights: int) -> dict[str, Any]:
    needed, share = design.nights_for(effect), design.share_for(effect, nights)
    return {
        "benefit": effect,
        "nights": nights,
        "power": design.power_of(effect, nights),
        "nights_needed": needed,
        "share_needed": share,
        "is_configured_share_enough": design.power_of(effect, nights) >= design.power,
    }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
