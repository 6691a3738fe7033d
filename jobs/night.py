"""A night after its features are there: score every program, allocate, audit, publish."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import reduce

from pyspark.errors import PySparkException, PythonException
from pyspark.sql.connect.session import SparkSession

from causal.policy import plan_night
from contracts.catalog import contract
from contracts.errors import RegistryError
from contracts.features import version as feature_version
from contracts.programs import programs
from jobs.access_audit import append_accesses
from jobs.alerts import record_alert
from jobs.audit_result import AuditResult
from jobs.code_version import release
from jobs.decision_table import record_decisions
from jobs.delta import ensure_tables, table_exists
from jobs.enforce import write_audited
from jobs.ledger import console, safe_message, step
from jobs.publish import allocate_night, capacity_prices, create_views, decided, predicate, ranked, summarised
from jobs.registry import model_name
from jobs.score import score_program, scoring_error
from jobs.serving import Serving, refused, serving
from jobs.session import spark_session

PUBLISHED = ("outreach.priority", "outreach.capacity_price", "outreach.program_summary")


@dataclass(frozen=True)
class Served:
    """How a program was scored on a night, as `causal.member_score` says."""

    verdict: str
    sentence: str
    model_version: str


def served_programs(data_source: str, run_date: date) -> dict[str, Served]:
    """How each program was scored on a night. Read from the scores and not from the registry, in which another model
    may have been promoted since."""
    rows = spark_session().sql(f"""
        select distinct program, verdict, verdict_sentence, model_version from causal.member_score
        where {predicate(data_source, run_date)}""")
    return {r["program"]: Served(r["verdict"], r["verdict_sentence"], r["model_version"]) for r in rows.collect()}


def night_id(data_source: str, run_date: date, served: Mapping[str, Served]) -> str:
    """The `run_id` of published rows: the same for the same night made from the same files, models and definitions.

    A night that is run again, or that was killed and run again, so gives the same rows to the last byte; what each
    attempt did, and with which commit of the code, is in `ops.run_ledger`.
    """
    spark = spark_session()
    files = ""
    if table_exists(spark, "ops.input_file"):
        files = spark.sql(f"""
            select sha2(concat_ws(',', sort_array(collect_set(file_sha256))), 256) as digest from ops.input_file
            where data_source = '{data_source}' and status = 'landed'""").collect()[0]["digest"]
    models = ",".join(f"{key}={s.model_version}:{s.verdict}:{s.sentence}" for key, s in sorted(served.items()))
    version = contract("outreach.priority").version
    name = "|".join((data_source, run_date.isoformat(), files, models, feature_version(), version, release()))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"outreach:{name}"))


def score_night(data_source: str, run_date: date, *, run_id: str) -> AuditResult:
    """Write `causal.member_score` of a night: every member and program, before allocation.

    A champion that may not score here, or that raises while it scores, is replaced by its program's fallback rule: the
    reason stands in every row and in `ops.alert`.
    """
    spark = spark_session()
    ensure_tables(spark, [contract(name) for name in PUBLISHED])
    _catch_up_on_decisions(data_source, run_date, run_id)
    served = {key: serving(data_source, key, run_date) for key in programs().programs}
    with step("score", data_source=data_source, run_date=run_date) as record:
        try:
            audit = _write_scores(served, data_source, run_date, run_id)
        except PythonException:  # a model raised in a worker; nothing was written
            served = {key: _tried(key, serve, data_source, run_date) for key, serve in served.items()}
            audit = _write_scores(served, data_source, run_date, run_id)
        record.rows_out = audit.rows_checked
        alarming = {key: serve for key, serve in served.items() if serve.is_alarming}
        record.message = f"fallback instead of the champion: {', '.join(alarming)}" if alarming else None
    for key, serve in alarming.items():
        record_alert(
            kind="model", subject=model_name(data_source, key), run_id=run_id, message=serve.sentence,
            data_source=data_source, run_date=run_date,
        )  # fmt: skip
    return audit


def _catch_up_on_decisions(data_source: str, run_date: date, run_id: str) -> None:
    """Append what was decided while the warehouse could not be reached. A record that fails costs nobody the list."""
    try:
        record_decisions(spark_session())
    except RegistryError:
        return  # `serving` meets the same error and says so in every row and in `ops.alert`
    except Exception as error:  # where it is the engine that failed, the alert cannot be written either
        record_alert(
            kind="model", subject="ops.model_decision", run_id=run_id, severity="warn", data_source=data_source,
            run_date=run_date, message=f"Decisions could not be appended; they stand in the registry: {safe_message(error)}",
        )  # fmt: skip


def _write_scores(served: Mapping[str, Serving], data_source: str, run_date: date, run_id: str) -> AuditResult:
    spark = spark_session()
    configured = programs()
    frames = [score_program(spark, configured, key, served[key], data_source, run_date) for key in configured.programs]
    rows = reduce(lambda a, b: a.unionByName(b), frames)
    table = contract("causal.member_score")
    return write_audited(
        rows.select(*table.column_names),
        table,
        run_id=run_id,
        where=predicate(data_source, run_date),
        data_source=data_source,
        run_date=run_date,
    )


def _tried(key: str, serve: Serving, data_source: str, run_date: date) -> Serving:
    """The same serving if its model scores everyone without an error, else the fallback rule."""
    if serve.model is None:
        return serve
    why = scoring_error(score_program(spark_session(), programs(), key, serve, data_source, run_date))
    return serve if why is None else refused(serve.model, why)


def publish_night(data_source: str, run_date: date, *, run_id: str) -> list[AuditResult]:
    """Allocate tonight's capacity and publish: audit first, then one atomic replacement of the night's partition.

    A night whose rows are already published writes nothing.
    """
    from pyspark.storagelevel import StorageLevel

    spark = spark_session()
    configured = programs()
    where = predicate(data_source, run_date)
    served = served_programs(data_source, run_date)
    with step("publish", data_source=data_source, run_date=run_date) as record:
        scores = spark.sql(f"select * from causal.member_score where {where}")
        verdicts = {key: served[key].verdict if key in served else "blocked" for key in configured.programs}
        plan = plan_night(configured, verdicts)
        rows = ranked(scores, configured, plan).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            salt = f"{configured.holdout_salt}|explore|{run_date}"
            allocation = allocate_night(rows, configured, plan, salt)
            if allocation.served.gap_usd >= 1:
                record.message = f"The list may be up to ${allocation.served.gap_usd:,.0f} below the best there is."
            identity = night_id(data_source, run_date, served)
            priority = decided(rows, allocation, configured, plan, salt, identity)
            published = write_audited(
                priority,
                contract("outreach.priority"),
                run_id=run_id,
                where=where,
                data_source=data_source,
                run_date=run_date,
            )
            published.require()
            record.rows_out = published.rows_checked
            summary = summarised(
                spark.sql(f"select * from outreach.priority where {where}"),
                allocation,
                configured.programs,
                plan,
                identity,
            )
            prices = capacity_prices(spark, allocation, plan, data_source, run_date, identity)
            audits = [
                published,
                write_audited(prices, contract("outreach.capacity_price"), run_id=run_id, where=where),
                write_audited(summary, contract("outreach.program_summary"), run_id=run_id, where=where),
            ]
        finally:
            rows.unpersist()
        create_views(spark)
        _append_accesses(spark)
    return audits


def _append_accesses(spark: SparkSession) -> None:
    """A record of readings that cannot be appended now stays where it is, and does not fail a night that is published."""
    try:
        append_accesses(spark)
    except PySparkException as error:
        console().print(f"access record kept locally, not appended yet: {safe_message(error)}", soft_wrap=True)
