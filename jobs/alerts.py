"""Alerts: one row of `ops.alert` per thing that a person should know of; how they are sent on is not decided here."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

from contracts.alert_kinds import section
from contracts.catalog import contract
from contracts.compile.literals import sql_string
from jobs.delta import append, ensure_tables, rows_of_contract, table_exists
from jobs.session import spark_session


def record_alert(
    *,
    kind: str,
    subject: str,
    run_id: str,
    message: str,
    severity: str = "error",
    data_source: str | None = None,
    run_date: date | None = None,
) -> None:
    """Append one alert.

    Args:
        kind: one of `contracts.alert_kinds.ALERT_KINDS`, each of which has its section in the runbook. What `jobs.due`
            reads as a reason to train are `drift` and `realized_uplift` of severity `error` with a data source.
        subject: table, model, program or job that it is about.
        run_id: of the run that raised it.
        message: one or two sentences, without data.
        severity: `error` or `warn`.
        data_source: where it concerns one source.
        run_date: where it concerns one night.
    """
    spark = spark_session()
    table = contract("ops.alert")
    ensure_tables(spark, [table])
    row = {
        "alert_id": uuid.uuid4().hex,
        "run_id": run_id,
        "raised_at": datetime.now(UTC),
        "severity": severity,
        "kind": kind,
        "subject": subject,
        "message": message,
        "data_source": data_source,
        "run_date": run_date,
        "runbook": section(kind),
    }
    append(rows_of_contract(spark, table, [row]), table.name, run_id)


def raise_once(*, kind: str, subject: str, run_id: str, message: str, data_source: str, run_date: date) -> bool:
    """`record_alert`, unless an alert of that kind and subject stands for the same source and night; whether it was new.

    A night that is run again finds the same thing again, and a training that an alarm asks for is asked for once.
    """
    spark = spark_session()
    if table_exists(spark, "ops.alert"):
        there = spark.sql(f"""
            select 1 from ops.alert where kind = {sql_string(kind)} and subject = {sql_string(subject)}
                and data_source = {sql_string(data_source)} and run_date = date'{run_date}' limit 1""")
        if there.collect():
            return False
    record_alert(kind=kind, subject=subject, run_id=run_id, message=message, data_source=data_source, run_date=run_date)
    return True
