"""One layer of transformations: dbt builds its tables, then their contracts are enforced."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

from contracts.catalog import layer
from contracts.model import TableContract
from contracts.settings import settings
from jobs.audit_result import AuditResult
from jobs.dbt import project_digest, run_dbt
from jobs.delta import create_layers, existing_tables, table_version
from jobs.enforce import audit_layer
from jobs.ledger import step
from jobs.lineage import record as lineage
from jobs.lineage.dbt_models import layer_jobs, seed_jobs, tell
from jobs.lineage.design import overlay_jobs
from jobs.session import spark_session
from jobs.terminal import counted

_READS = {"staging": "raw", "core": "staging"}


def build_layer(
    name: str, data_source: str, run_date: date, *, run_id: str, as_of_dates: list[date] | None = None
) -> list[AuditResult]:
    """Build and audit a layer for one night.

    Staging and core hold all that was ever delivered and do not depend on the night: while neither what they read nor
    what they hold nor their SQL has changed, they are left as they are.

    Args:
        name: `staging`, `core` or `features`.
        data_source: whose features are computed; staging and core hold all sources.
        run_date: the night.
        run_id: of the run.
        as_of_dates: dates to compute features for; default the night only.
    """
    create_layers(spark_session())
    days = as_of_dates or [run_date]
    with step(f"dbt {name}", data_source=data_source, run_date=run_date) as record:
        if name in _READS and _built_stamp(name) == _stamp(name):
            record.skip("nothing new to build from")
            lineage.stands(lambda: [*layer_jobs(name), *(seed_jobs() if name == "core" else ())])
        else:
            variables = {"data_source": data_source, "as_of_dates": [day.isoformat() for day in days]}
            result = run_dbt(f"path:models/{name}", variables, run_id=run_id)
            record.message = counted(len(result.nodes), "model")
            tell(result)
            lineage.stands(lambda: seed_jobs() if name == "core" else [])
    where = None
    if name == "features":
        listed = ", ".join(f"date'{day}'" for day in days)
        where = f"data_source = '{data_source}' and as_of_date in ({listed})"
    with step(f"contracts {name}", data_source=data_source, run_date=run_date) as record:
        tables = [table.name for table in _written_by_dbt(name)]
        audits = audit_layer(
            spark_session(), name, run_id, tables, where=where, data_source=data_source, run_date=run_date
        )
        record.rows_in = sum(audit.rows_checked for audit in audits)
        record.rows_quarantined = sum(audit.rows_quarantined for audit in audits)
    if name in _READS and not any(audit.blocked for audit in audits):
        _stamp_file(name).write_text(_stamp(name))
    return audits


def overlay_source(data_source: str, *, run_id: str) -> list[AuditResult]:
    """Overlay simulated outreach on a source that brings none of its own, and audit the overlay tables."""
    from jobs.simulate.overlay import OVERLAID_SOURCES, ensure_overlay, overlay

    spark = spark_session()
    ensure_overlay(spark)
    if data_source in OVERLAID_SOURCES:
        with step("overlay", data_source=data_source) as record:
            record.rows_out = overlay(spark, data_source, settings().seed)
    else:
        lineage.stands(overlay_jobs)
    names = [table.name for table in layer("staging") if table.writer != "dbt"]
    with step("contracts overlay", data_source=data_source):
        return audit_layer(spark, "staging", run_id, names, data_source=data_source)


def _written_by_dbt(name: str) -> list[TableContract]:
    return [table for table in layer(name) if table.writer == "dbt"]


def _stamp_file(name: str) -> Path:
    return settings().home / "dbt" / f"{name}.built"


def _built_stamp(name: str) -> str | None:
    return _stamp_file(name).read_text() if _stamp_file(name).exists() else None


def _stamp(name: str) -> str:
    """Hash of the Delta versions of what a layer reads and holds, and of the dbt project."""
    spark = spark_session()
    tables = [table.name for table in (*layer(_READS[name]), *_written_by_dbt(name))]
    there = existing_tables(spark, tables)
    versions = {table: table_version(spark, table) if table in there else None for table in tables}
    state = json.dumps([settings().warehouse_url, versions, project_digest()], sort_keys=True)
    return hashlib.sha256(state.encode()).hexdigest()
