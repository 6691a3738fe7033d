"""The facts of a card from the tables of a training, its scorer and its program; counts and summaries only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from contracts.features import registry
from contracts.programs import Program
from contracts.settings import settings
from jobs.code_version import code_version
from jobs.delta import table_exists, table_version
from jobs.model_card import sentences
from jobs.model_card.facts import CardFacts, FeatureFact, Metric, Reproduction, Subgroup
from jobs.provenance import MODEL_CONTRACTS, SCORING_LIBRARIES
from jobs.registry import RegisteredModel
from jobs.report.assemble import plan_of
from jobs.report.evidence import Z95, evidence_of
from jobs.report.night import Interval
from jobs.report.queries import Rows, overlap_rows
from jobs.report.suppression import SMALLEST, rounded
from jobs.report.words import brief_day

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

# What a training reads (see `jobs.cohort`).
_READ = (
    "core.eligibility",
    "core.member",
    "core.outcome_event",
    "core.outreach_contact",
    "features.member_feature",
    "causal.cohort",
)
_SUBGROUPS = "causal.equity"
_METRICS = ("autoc", "qini", "top_fraction_effect", "blp_slope")


@dataclass(frozen=True)
class TrainingRows:
    """Rows of a training in the tables of `causal`, all programs, and the cohort in numbers.

    Attributes:
        cohort: program, n, randomised, first_index, last_index over the person-trials trained on.
        equity: None where the table does not exist.
        tables: (name, Delta version) of what the training read.
        balance, overlap: of the arms (see `causal.balance`, `overlap_rows`).
    """

    models: Rows
    evaluation: Rows
    gates: Rows
    flow: Rows
    cohort: Rows
    equity: Rows | None
    tables: tuple[tuple[str, int], ...]
    balance: Rows = ()
    overlap: Rows = ()


def read_training(spark: SparkSession, where: str) -> TrainingRows:
    """What a training left in the warehouse.

    Args:
        spark: the session.
        where: Spark SQL condition on `data_source` and `trained_as_of`.
    """

    def rows(sql: str) -> Rows:
        return [row.asDict() for row in spark.sql(sql).collect()]

    return TrainingRows(
        models=rows(f"select * from causal.model where {where}"),
        evaluation=rows(f"select * from causal.evaluation where {where}"),
        gates=rows(f"select * from causal.gate_result where {where}"),
        flow=rows(f"select * from causal.cohort_flow where {where}"),
        cohort=rows(f"""
            select program, count(*) as n, count_if(is_randomized) as randomised, min(index_date) as first_index,
                max(index_date) as last_index
            from causal.cohort where {where} and is_trained_on group by program"""),
        equity=rows(f"select * from {_SUBGROUPS} where {where}") if table_exists(spark, _SUBGROUPS) else None,
        balance=rows(f"select * from causal.balance where {where}"),
        overlap=overlap_rows(spark, where),
        tables=tuple((name, table_version(spark, name)) for name in _READ),
    )


def card_facts(program: Program, model: RegisteredModel, scorer: Any, rows: TrainingRows) -> CardFacts:
    """The card's facts of one program's training.

    Args:
        program: as configured.
        model: as registered by this training.
        scorer: the `causal.scorer.Scorer` in it.
        rows: from `read_training`.
    """
    evidence = evidence_of(
        program,
        model.label,
        rows.models,
        rows.evaluation,
        rows.gates,
        rows.flow,
        balance=rows.balance,
        overlap=rows.overlap,
        equity=rows.equity or (),
    )
    if evidence is None:
        raise ValueError(f"causal.model has no row of {model.label}")
    trained = next(row for row in rows.models if row["model_version"] == model.label)
    cohort = next((row for row in rows.cohort if row["program"] == program.key), None)
    share = cohort["randomised"] / cohort["n"] if cohort else 0.0
    is_simulated = (settings().home / "demo.json").exists()
    kind = "none" if scorer.model is None else scorer.model.interval_kind
    return CardFacts(
        name=model.name,
        version=model.version,
        data_source=model.data_source,
        is_simulated=is_simulated,
        trained_at=trained["trained_at"],
        verdict=model.verdict,
        plan=plan_of(program),
        # Groups are in `subgroups`, where small ones are hidden more strictly.
        evidence=replace(evidence, called_by_group=()),
        estimand=sentences.estimand(program),
        trial=sentences.trial_table(
            program, randomised_share=share, index_words=_index_words(cohort), learner=model.tags["learner"]
        ),
        randomised_share=share,
        first_index=cohort["first_index"] if cohort else None,
        last_index=cohort["last_index"] if cohort else None,
        metrics=_metrics(rows.evaluation, program.key),
        explained=scorer.reasons_of if scorer.reasons is not None else None,
        explained_r2=scorer.reasons.r2 if scorer.reasons is not None else None,
        features=_features(scorer),
        subgroups=None if rows.equity is None else subgroups(r for r in rows.equity if r["program"] == program.key),
        limits=sentences.limits(
            program,
            randomised_share=share,
            is_simulated=is_simulated,
            interval_kind=kind,
            verdict=model.verdict,
        ),
        uses=sentences.uses(program, model.data_source),
        misuses=sentences.misuses(),
        reproduction=_reproduction(model, trained, rows.tables),
    )


def _index_words(cohort: dict[str, Any] | None) -> str:
    if cohort is None:
        return "none had anybody to learn from"
    return f"{brief_day(cohort['first_index'])} to {brief_day(cohort['last_index'])}"


def _metrics(evaluation: Rows, program: str) -> tuple[Metric, ...]:
    found = [
        Metric(row["ranking"], row["metric"], Interval(row["value"], row["ci_lower"], row["ci_upper"]))
        for row in evaluation
        if row["program"] == program and row["metric"] in _METRICS and row["value"] is not None
    ]
    return tuple(sorted(found, key=lambda m: (_METRICS.index(m.metric), m.ranking)))


def _features(scorer: Any) -> tuple[FeatureFact, ...]:
    """Every feature the model reads, those that explain most first, then by name."""
    shares = {} if scorer.reasons is None else scorer.reasons.importance()
    known = registry()
    found = []
    for name in scorer.features:
        feature = known.get(name)
        meaning = feature.meaning if feature else "Not described."
        unit, window = (feature.unit, feature.window) if feature else (None, None)
        found.append(FeatureFact(name, meaning, unit, window, shares.get(name) if shares else None))
    return tuple(sorted(found, key=lambda f: (-(f.share or 0.0), f.name)))


def subgroups(rows: Iterable[dict[str, Any]]) -> tuple[Subgroup, ...]:
    """Per group what the model's ranking does beside risk ranking, from rows of `causal.equity`; small groups hidden."""
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["dimension"], row["group_name"]), {})[row["ranking"]] = row
    return tuple(
        _subgroup(*key, sides.get("model", {}), sides.get("baseline_risk", {})) for key, sides in sorted(found.items())
    )


def _subgroup(dimension: str, name: str, model: dict[str, Any], risk: dict[str, Any]) -> Subgroup:
    """A side of which fewer than 11 are there or would be called shows no number, whatever the table holds."""
    mine, other = (None if _is_small(side) else side for side in (model, risk))
    return Subgroup(
        dimension=dimension,
        name=name,
        people=rounded(mine["people_count"]) if mine else None,
        called=mine["selection_rate"] if mine else None,
        called_by_risk=other["selection_rate"] if other else None,
        benefit=_with_limits(mine, "benefit_selected"),
        calibration_gap=_with_limits(mine, "calibration_gap"),
    )


def _is_small(side: dict[str, Any]) -> bool:
    counts = [side.get("people_count"), side.get("selected_count")]
    return bool(side.get("is_too_small")) or any(n is None or n < SMALLEST for n in counts)


def _with_limits(side: dict[str, Any] | None, name: str) -> Interval | None:
    if side is None or side.get(name) is None or side.get(f"{name}_se") is None:
        return None
    value, half = side[name], Z95 * side[f"{name}_se"]
    return Interval(value, value - half, value + half)


def _reproduction(model: RegisteredModel, trained: dict[str, Any], tables: tuple[tuple[str, int], ...]) -> Reproduction:
    tags = model.tags
    return Reproduction(
        run_id=trained["run_id"],
        seed=trained["seed"],
        code_version=code_version(),
        feature_version=tags["feature_version"],
        program_version=tags["program_version"],
        python=tags["python"],
        tables=tables,
        contracts=tuple((name, tags[f"contract_{name}"]) for name in MODEL_CONTRACTS),
        libraries=tuple((name, tags[f"library_{name}"]) for name in SCORING_LIBRARIES),
    )
