"""The challenger beside the champion: the same night scored again, compared, and never part of the list.

It runs after the night is published. Whatever goes wrong here is put on record and goes no further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.errors import PythonException

from contracts.catalog import contract
from contracts.programs import Program, programs
from jobs.alerts import record_alert
from jobs.audit_result import AuditResult
from jobs.delta import ensure_tables, rows_of_contract
from jobs.enforce import write_audited
from jobs.fitness import unfit
from jobs.ledger import safe_message, step
from jobs.lineage import record as lineage
from jobs.lineage.design import shadow_jobs
from jobs.options import benefit_sql, best_value_sql, may_harm_sql, ranked_benefit_sql
from jobs.publish import predicate
from jobs.registry import RegisteredModel, challenger
from jobs.score import effects, scoring_error
from jobs.session import spark_session
from jobs.shadow_comparison import compared

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

TABLES = ("causal.shadow_score", "causal.shadow_comparison")


@dataclass(frozen=True)
class Shadow:
    """One program's challenger tonight.

    Attributes:
        status: `scored`, `failed` (it raised an error) or `unfit` (it may not score here).
        message: why it was not scored.
    """

    program: Program
    model: RegisteredModel
    status: str = "scored"
    message: str | None = None


def shadow_night(data_source: str, run_date: date, *, run_id: str) -> list[AuditResult]:
    """Score a published night with every program's challenger and compare; never raises.

    Returns:
        what the contracts found in TABLES; empty where it failed as a whole, which is then in `ops.alert`.
    """
    try:
        with step("shadow", data_source=data_source, run_date=run_date) as record:
            shadows = _shadows(data_source)
            if not shadows:
                record.message = "no challenger"
                lineage.stands(lambda: shadow_jobs(data_source))
            scores, shadows = _scored(shadows, data_source, run_date, run_id)
            record.rows_out = scores.rows_checked
            comparison = _compare(shadows, data_source, run_date, run_id)
        _alert([s for s in shadows if s.status == "failed"], data_source, run_date, run_id)
        return [scores, comparison]
    except Exception as error:  # the list is out; nothing of a challenger may fail the night
        _alert_failed(error, data_source, run_date, run_id)
        return []


def _shadows(data_source: str) -> list[Shadow]:
    found = []
    for key, program in programs().programs.items():
        model = challenger(data_source, key)
        if model is None:
            continue
        if model.verdict == "blocked":
            why: str | None = "its gates blocked it"
        elif model.tags.get("learner") == "none":
            why = "it has no effect model: the data were too few to fit one"
        else:
            why = unfit(model)
        shadow = Shadow(program, model)
        found.append(shadow if why is None else replace(shadow, status="unfit", message=f"{model.label}: {why}."))
    return found


def _scored(shadows: list[Shadow], data_source: str, run_date: date, run_id: str) -> tuple[AuditResult, list[Shadow]]:
    """Write the scores of all challengers at once; where one raises, of those that do not."""
    try:
        return _write_scores(shadows, data_source, run_date, run_id), shadows
    except PythonException:
        tried = [_tried(shadow, data_source, run_date) for shadow in shadows]
        return _write_scores(tried, data_source, run_date, run_id), tried


def _tried(shadow: Shadow, data_source: str, run_date: date) -> Shadow:
    if shadow.status != "scored":
        return shadow
    why = scoring_error(_score_rows(spark_session(), shadow, data_source, run_date))
    return shadow if why is None else replace(shadow, status="failed", message=f"{shadow.model.label}: {why}.")


def _write_scores(shadows: list[Shadow], data_source: str, run_date: date, run_id: str) -> AuditResult:
    spark, table = spark_session(), contract("causal.shadow_score")
    frames = [_score_rows(spark, s, data_source, run_date) for s in shadows if s.status == "scored"]
    rows = reduce(lambda a, b: a.unionByName(b), frames) if frames else rows_of_contract(spark, table, [])
    where = predicate(data_source, run_date)
    return write_audited(rows, table, run_id=run_id, where=where, data_source=data_source)


def _score_rows(spark: SparkSession, shadow: Shadow, data_source: str, run_date: date) -> DataFrame:
    """Rows of `causal.shadow_score` for the members that were eligible when the night was scored."""
    program, key, where = shadow.program, shadow.program.key, predicate(data_source, run_date)
    served = spark.sql(f"""
        select member_id, allowed_channels from causal.member_score
        where {where} and program = '{key}' and is_eligible""")
    features = spark.sql(f"""
        select * from features.member_feature where data_source = '{data_source}' and as_of_date = date'{run_date}'""")
    scored = effects(spark, shadow.model, features.join(served, "member_id", "left_semi"))
    return scored.join(served, "member_id").selectExpr(
        f"'{data_source}' as data_source",
        f"date'{run_date}' as run_date",
        f"'{key}' as program",
        f"'{shadow.model.label}' as challenger_version",
        "member_id",
        "is_in_support",
        "cate",
        "cate_lower",
        "cate_upper",
        "baseline_risk",
        f"{best_value_sql(program, benefit_sql(program))} as net_value_usd",
        f"case when is_in_support and not {may_harm_sql(program)}"
        f" then {best_value_sql(program, ranked_benefit_sql(program))} end as rank_value",
    )


def _compare(shadows: list[Shadow], data_source: str, run_date: date, run_id: str) -> AuditResult:
    spark, table = spark_session(), contract("causal.shadow_comparison")
    ensure_tables(spark, [table])
    where = predicate(data_source, run_date)
    found: Mapping[str, dict[str, Any]] = compared(spark, [s.program for s in shadows], data_source, run_date)
    rows = [
        {
            "data_source": data_source, "run_date": run_date, "program": s.program.key,
            "challenger_version": s.model.label, "status": s.status, "message": s.message, **found[s.program.key],
        }
        for s in shadows
    ]  # fmt: skip
    # A challenger that was not scored has only what served.
    frame = rows_of_contract(spark, table, [dict.fromkeys(table.column_names) | row for row in rows])
    return write_audited(frame, table, run_id=run_id, where=where, data_source=data_source)


def _alert(failed: list[Shadow], data_source: str, run_date: date, run_id: str) -> None:
    for shadow in failed:
        record_alert(
            kind="model", subject=shadow.model.label, run_id=run_id, severity="warn",
            message=f"The challenger was not compared: {shadow.message}", data_source=data_source, run_date=run_date,
        )  # fmt: skip


def _alert_failed(error: Exception, data_source: str, run_date: date, run_id: str) -> None:
    """Say that the whole comparison failed; where even that cannot be written, the run ledger still says so."""
    message = f"No challenger was compared with what served: {safe_message(error)}"
    try:
        record_alert(
            kind="model", subject="causal.shadow_comparison", run_id=run_id, severity="warn", message=message,
            data_source=data_source, run_date=run_date,
        )  # fmt: skip
    except Exception as second:
        with step("shadow alert", data_source=data_source, run_date=run_date) as record:
            record.skip(f"{message} The alert was not written either: {safe_message(second)}")
