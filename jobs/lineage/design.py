"""The whole graph as the code alone tells it: no night, no endpoint, no data.

Landing comes from the layouts, dbt from its compiled SQL, Spark jobs from the plans of the very functions that run at
night, built in an offline session. Tests hold it against what nights emit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.catalog import catalog, contract, layer
from contracts.programs import programs
from contracts.sources import SOURCES
from jobs.lineage import dbt_models, naming
from jobs.lineage.columns import ColumnLineage, merged, of_query, view_of
from jobs.lineage.landed import landing_job
from jobs.lineage.models import COUNTED, decided_on, learnt_from, measured
from jobs.lineage.offline import offline_session
from jobs.lineage.plan import computed, lineage_of
from jobs.lineage.record import AUDIT_OUTPUTS, LEDGER, names_of, on_report
from jobs.lineage.work import JobLineage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from causal.policy import NightPlan

_DAY = date(2026, 1, 1)
AUDITED_LAYERS = ("raw", "staging", "core", "features")


def designed(data_source: str = "tuva", folder: Path | None = None) -> list[JobLineage]:
    """Every job of a source's night and training.

    Args:
        data_source: of the night.
        folder: where dbt compiled its SQL to; default: compile it now, without an endpoint.

    Raises:
        DbtError: the dbt project does not compile.
    """
    folder = folder or dbt_models.compile_offline()
    jobs = [landing_job(source) for source in SOURCES.values()]
    jobs += [*simulation_jobs(), *overlay_jobs(), *dbt_models.seed_jobs()]
    jobs += [job for name in dbt_models.LAYERS for job in dbt_models.layer_jobs(name, folder)]
    jobs += [*training_jobs(data_source), *night_jobs(data_source), *later_jobs(data_source)]
    written = {table for job in jobs for table in job.outputs}
    return [*jobs, *audit_jobs(written), LEDGER]


def simulation_jobs() -> Iterator[JobLineage]:
    """The simulator makes the files of `tuva`, and the truth beside them, from nothing."""
    from jobs.simulate.run import DATA_SOURCE, ENTITIES

    made = [naming.landing(DATA_SOURCE, entity) for entity in ENTITIES]
    truth = [table.name for table in layer("truth")]
    outputs = {name: ColumnLineage() for name in (*made, *truth)}
    yield JobLineage("simulate", frozenset(), outputs, "Makes a health plan with known truth.")


def overlay_jobs() -> list[JobLineage]:
    """Simulated outreach laid over the real members of each source that has none."""
    from jobs.simulate.overlay import OVERLAID_SOURCES, TABLES, overlay_frames

    spark = offline_session()
    frames: dict[str, list[DataFrame]] = {}
    for source, period in OVERLAID_SOURCES.items():
        members, claims = (spark.table(f"staging.stg_{source}__{entity}") for entity in ("member", "medical_claim"))
        for table, frame in zip(TABLES, overlay_frames(members, claims, source, period, 1), strict=True):
            frames.setdefault(table, []).append(frame)
    outputs = {table: _union(parts) for table, parts in frames.items()}
    return [_job("overlay", outputs, "Lays simulated outreach over real members.")]


def training_jobs(data_source: str) -> Iterator[JobLineage]:
    """From cohorts to registered models and the evidence for or against them."""
    from jobs.cohort import kept
    from jobs.cohort import trials as trials_of
    from jobs.model_card.collect import read_training
    from jobs.registry import model_name
    from jobs.train import Scope, _marked

    spark, scope, chosen = offline_session(), Scope(data_source, _DAY, "design", 1), programs().programs.values()
    trials = [_marked(kept(trials_of(spark, one, data_source, _DAY)), one, scope) for one in chosen]
    cohorts = {"causal.cohort": _union(trials), "causal.cohort_flow": _from_driver(spark, "causal.cohort_flow", COUNTED)}  # fmt: skip
    yield _job("write.cohorts", cohorts, "Builds every program's target trials.")
    for one in chosen:
        model = {naming.model(data_source, one.key): learnt_from()}
        yield _job(f"train.{one.key}", model, f"Trains, judges and registers a model for {one.title}.")
    tables = (
        "causal.oof_prediction",
        "causal.evaluation",
        "causal.gate_result",
        "causal.equity",
        "causal.balance",
        "causal.model",
    )
    evidence = {table: _from_driver(spark, table, measured(table, data_source)) for table in tables}
    yield _job("write.evidence", evidence, "Writes what the trainings found.")
    decisions = [
        _from_driver(spark, "ops.model_decision", decided_on(model_name(data_source, one.key))) for one in chosen
    ]
    yield _job("record.decisions", {"ops.model_decision": merged(decisions)}, "Keeps who decided what on models.")
    session = offline_session()
    read_training(session, scope.where)
    cards = {naming.card(model_name(data_source, one.key)): _page(session) for one in chosen}
    yield _job("write.model.cards", cards, "Draws a page on each model.")


def night_jobs(data_source: str) -> Iterator[JobLineage]:
    """From features to the published list, its views and its report."""
    from causal.policy import plan_night
    from jobs.publish import capacity_prices, create_views, decided, ranked, summarised
    from jobs.report.queries import read_night

    spark, configured = offline_session(), programs()
    yield _job("score", {"causal.member_score": _scores(spark, data_source)}, "Scores every member and program.")
    plan = plan_night(configured, dict.fromkeys(configured.programs, "publish"))
    scores = ranked(spark.sql("select * from causal.member_score"), configured, plan)
    allocation, priority = _allocation(plan), spark.sql("select * from outreach.priority")
    frames = {
        "outreach.priority": decided(scores, allocation, configured, plan, "salt", "design"),
        "outreach.program_summary": summarised(priority, allocation, configured.programs, plan, "design"),
        "outreach.capacity_price": capacity_prices(spark, allocation, plan, data_source, _DAY, "design"),
    }
    published = {**{name: lineage_of(frame) for name, frame in frames.items()}, **_views(spark, create_views)}
    yield _job("publish", published, "Allocates capacity and publishes the list.")
    session = offline_session()
    read_night(session, data_source, _DAY)
    yield _job("report", {naming.NIGHT_REPORT: _page(session)}, "Draws the night's report.")


def later_jobs(data_source: str) -> Iterator[JobLineage]:
    """What follows a published night: the challengers beside it, what its lists came to, whether its members moved; and
    what follows a month of them."""
    yield from (*shadow_jobs(data_source), *uplift_jobs(data_source), *drift_jobs(data_source))
    yield from month_jobs(data_source)


def shadow_jobs(data_source: str) -> list[JobLineage]:
    """Scores of the challengers, and what they would have changed."""
    from jobs.shadow import Shadow, _score_rows
    from jobs.shadow_comparison import compared

    chosen = list(programs().programs.values())
    spark, silent = offline_session(), offline_session(rows=0)
    frames = [_score_rows(spark, Shadow(one, _model(data_source, one.key)), data_source, _DAY) for one in chosen]
    compared(silent, chosen, data_source, _DAY)
    outputs = {
        "causal.shadow_score": _union(frames),
        "causal.shadow_comparison": _computed("causal.shadow_comparison", silent),
    }
    return [_job("shadow", outputs, "Scores the night with the challengers and compares.")]


def uplift_jobs(data_source: str) -> list[JobLineage]:
    """Outcomes of offered members against holdouts."""
    from jobs.uplift import Window, window_rows

    spark = offline_session()
    for one in programs().programs.values():
        window_rows(spark, one, data_source, Window(_DAY, 1, _DAY, ""), "design")
    outputs = {"outreach.realized_uplift": _computed("outreach.realized_uplift", spark)}
    return [_job("realized.uplift", outputs, "What the lists of past months came to, against their holdouts.")]


def drift_jobs(data_source: str) -> list[JobLineage]:
    """Tonight's features and scores against those of the training."""
    from jobs.drift import _compare_sql, features, scores

    spark = offline_session()
    for comparison in (features(spark, data_source, _DAY), scores(spark, data_source, _DAY)):
        if comparison is not None:
            spark.sql(_compare_sql(comparison.sql)).collect()
    outputs = {"ops.drift": _computed("ops.drift", spark)}
    return [_job("drift", outputs, "Whether members are still those of the training.")]


def month_jobs(data_source: str) -> list[JobLineage]:
    """What a month's models did."""
    from jobs.report.month import read_month

    spark = offline_session()
    read_month(spark, data_source, _DAY)
    return [_job("month.report", {naming.MODEL_REPORT: _page(spark)}, "Draws the month's page on models.")]


def _computed(table: str, spark: Any) -> ColumnLineage:
    """Rows that the driver makes of what it asked a session for."""
    schema = ", ".join(f"{column.name} {column.spark_type}" for column in contract(table).columns)
    return lineage_of(offline_session().createDataFrame([], schema), spark.client.asked, names_of(table))


def _page(spark: Any) -> ColumnLineage:
    """A page that shows what was asked of a session."""
    return merged(on_report(asked.lineage()) for asked in spark.client.asked)


def audit_jobs(written: set[str]) -> Iterator[JobLineage]:
    """Contracts are enforced a layer at a time on what dbt and landing write, and table by table on the rest."""
    outputs = {table: ColumnLineage() for table in AUDIT_OUTPUTS}
    by_layer = {name: frozenset(t.name for t in layer(name)) & written for name in AUDITED_LAYERS}
    for name, tables in by_layer.items():
        yield JobLineage(f"contracts.{name}", tables, outputs, f"Holds {name} against its contracts.")
    others = {table for table in written if table in catalog() and catalog()[table].schema in ("causal", "outreach")}
    for table in sorted(others):
        yield JobLineage(f"contracts.{table}", frozenset({table}), outputs, f"Holds {table} against its contract.")


def _job(name: str, outputs: Mapping[str, ColumnLineage], description: str) -> JobLineage:
    kept = {table: lineage.without(table) for table, lineage in outputs.items()}
    inputs = frozenset(table for lineage in kept.values() for table in lineage.tables) - kept.keys()
    return JobLineage(name, inputs, kept, description)


def _union(frames: list[DataFrame]) -> ColumnLineage:
    return lineage_of(reduce(lambda one, other: one.unionByName(other), frames))


def _from_driver(spark: Any, table: str, made_of: Any) -> ColumnLineage:
    schema = ", ".join(f"{column.name} {column.spark_type}" for column in contract(table).columns)
    return lineage_of(computed(spark.createDataFrame([], schema), made_of))


def _model(data_source: str, program: str) -> Any:
    """A registered model whose file is of no account: any file that is there."""
    from jobs.registry import RegisteredModel, model_name

    class _Model(RegisteredModel):
        @property
        def scorer_path(self) -> Path:
            return Path(__file__)

    return _Model(model_name(data_source, program), 1, "", Path(), {"scorer_sha256": ""}, datetime.now(UTC))


def _serving(data_source: str) -> dict[str, Any]:
    from jobs.serving import Serving

    return {key: Serving("publish", "design", _model(data_source, key)) for key in programs().programs}


def _scores(spark: Any, data_source: str) -> ColumnLineage:
    from jobs.score import score_program

    served, configured = _serving(data_source), programs()
    frames = [score_program(spark, configured, key, served[key], data_source, _DAY) for key in configured.programs]
    return _union([frame.select(*contract("causal.member_score").column_names) for frame in frames])


def _allocation(plan: NightPlan) -> Any:
    """What one member who could be offered anything comes to."""
    import pandas as pd

    from causal.policy import serve
    from jobs.publish import Allocation

    key = next(iter(plan.verdict))
    options = {"program": key, "channel": plan.first(key).channel, "member_id": "1", "value": 1.0, "tie": 0.5, "is_held_out": False}  # fmt: skip
    none = pd.DataFrame(columns=["program", "member_id", "channel"])
    return Allocation(serve(plan, pd.DataFrame([options])), none, {})


def _views(spark: Any, create: Callable[[Any], None]) -> dict[str, ColumnLineage]:
    found = {view_of(sql): of_query(sql) for sql in _statements(spark, create) if view_of(sql)}
    return {name: lineage for name, lineage in found.items() if name is not None}


def _statements(spark: Any, run: Callable[[Any], Any]) -> list[str]:
    """Every SQL text that `run` sends."""
    before = len(spark.client.statements)
    run(spark)
    return list(spark.client.statements[before:])
