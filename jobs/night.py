"""A night after its features are there: score every program, allocate, audit, publish."""

from __future__ import annotations

import uuid
from datetime import date
from functools import reduce

from contracts.catalog import contract
from contracts.features import version as feature_version
from contracts.programs import programs
from jobs.audit_result import AuditResult
from jobs.code_version import release
from jobs.delta import ensure_tables, table_exists
from jobs.enforce import write_audited
from jobs.ledger import step
from jobs.publish import allocate_night, create_views, decided, predicate, ranked, summarised
from jobs.score import Serving, score_program, serving
from jobs.session import spark_session


def served_programs(data_source: str) -> dict[str, Serving]:
    """What serves each program tonight."""
    return {key: serving(data_source, program) for key, program in programs().programs.items()}


def night_id(data_source: str, run_date: date, served: dict[str, Serving]) -> str:
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
    models = ",".join(f"{key}={serve.model_version}:{serve.verdict}" for key, serve in sorted(served.items()))
    version = contract("outreach.priority").version
    name = "|".join((data_source, run_date.isoformat(), files, models, feature_version(), version, release()))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"outreach:{name}"))


def score_night(data_source: str, run_date: date, *, run_id: str) -> AuditResult:
    """Write `causal.member_score` of a night: every member and program, before allocation."""
    spark = spark_session()
    ensure_tables(spark, [contract("outreach.priority"), contract("outreach.program_summary")])
    served = served_programs(data_source)
    with step("score", data_source=data_source, run_date=run_date) as record:
        frames = [score_program(spark, p, served[key], data_source, run_date) for key, p in programs().programs.items()]
        rows = reduce(lambda a, b: a.unionByName(b), frames)
        table = contract("causal.member_score")
        audit = write_audited(
            rows.select(*table.column_names),
            table,
            run_id=run_id,
            where=predicate(data_source, run_date),
            data_source=data_source,
            run_date=run_date,
        )
        record.rows_out = audit.rows_checked
    return audit


def publish_night(data_source: str, run_date: date, *, run_id: str) -> list[AuditResult]:
    """Allocate tonight's capacity and publish: audit first, then one atomic replacement of the night's partition.

    A night whose rows are already published writes nothing.
    """
    from pyspark.storagelevel import StorageLevel

    spark = spark_session()
    configured = programs()
    where = predicate(data_source, run_date)
    served = served_programs(data_source)
    shares = {key: p.holdout_share for key, p in configured.programs.items()}
    with step("publish", data_source=data_source, run_date=run_date) as record:
        scores = spark.sql(f"select * from causal.member_score where {where}")
        rows = ranked(scores, configured.holdout_salt, shares).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            salt = f"{configured.holdout_salt}|explore|{run_date}"
            allocation = allocate_night(rows, configured.programs, salt)
            identity = night_id(data_source, run_date, served)
            priority = decided(rows, allocation, configured.programs, identity)
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
                served,
                identity,
            )
            audits = [
                published,
                write_audited(summary, contract("outreach.program_summary"), run_id=run_id, where=where),
            ]
        finally:
            rows.unpersist()
        create_views(spark)
    return audits
