"""One layer of transformations: dbt builds its tables, then their contracts are enforced."""

from __future__ import annotations

from datetime import date

from contracts.catalog import layer
from contracts.settings import settings
from jobs.audit_result import AuditResult
from jobs.dbt import run_dbt
from jobs.delta import create_layers
from jobs.enforce import audit_layer
from jobs.ledger import step
from jobs.session import spark_session


def build_layer(
    name: str, data_source: str, run_date: date, *, run_id: str, as_of_dates: list[date] | None = None
) -> list[AuditResult]:
    """Build and audit a layer for one night.

    Args:
        name: `staging`, `core` or `features`.
        data_source: whose features are computed; staging and core hold all sources.
        run_date: the night.
        run_id: of the run.
        as_of_dates: dates to compute features for; default the night only.
    """
    spark = spark_session()
    create_layers(spark)
    days = as_of_dates or [run_date]
    with step(f"dbt {name}", data_source=data_source, run_date=run_date) as record:
        result = run_dbt(
            f"path:models/{name}",
            {"data_source": data_source, "as_of_dates": [day.isoformat() for day in days]},
            run_id=run_id,
        )
        record.message = f"{len(result.nodes)} models"
    where = None
    if name == "features":
        listed = ", ".join(f"date'{day}'" for day in days)
        where = f"data_source = '{data_source}' and as_of_date in ({listed})"
    written_by_dbt = [table.name for table in layer(name) if table.writer == "dbt"]
    with step(f"contracts {name}", data_source=data_source, run_date=run_date) as record:
        audits = audit_layer(spark, name, run_id, written_by_dbt, where=where, data_source=data_source)
        record.rows_in = sum(audit.rows_checked for audit in audits)
        record.rows_quarantined = sum(audit.rows_quarantined for audit in audits)
    return audits


def overlay_source(data_source: str, *, run_id: str) -> list[AuditResult]:
    """Overlay simulated outreach on a source that brings none of its own, and audit the overlay tables."""
    from jobs.simulate.overlay import OVERLAID_SOURCES, ensure_overlay, overlay

    spark = spark_session()
    ensure_overlay(spark)
    if data_source in OVERLAID_SOURCES:
        with step("overlay", data_source=data_source) as record:
            record.rows_out = overlay(spark, data_source, settings().seed)
    names = ["staging.overlay__outreach_contact", "staging.overlay__prevented_claim"]
    return audit_layer(spark, "staging", run_id, names, data_source=data_source)
