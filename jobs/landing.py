"""Land every inbox and enforce the raw contracts: the first step of a night."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from contracts.sources import SOURCES
from jobs.audit_result import AuditResult
from jobs.enforce import audit_layer
from jobs.ingest.land import ensure_raw, land
from jobs.ingest.report import LandingReport
from jobs.ledger import step
from jobs.lineage import record as lineage
from jobs.lineage.landed import landed, landing_job
from jobs.session import spark_session
from jobs.terminal import counted


@dataclass(frozen=True)
class Landed:
    """What landing did, by source, and what the raw contracts found."""

    reports: tuple[LandingReport, ...]
    audits: tuple[AuditResult, ...]


def land_inboxes(inboxes: Mapping[str, Path], *, run_id: str) -> Landed:
    """Land the files of every inbox that exists; files landed before are left alone.

    Args:
        inboxes: folder per source.
        run_id: of the run.
    """
    spark = spark_session()
    ensure_raw(spark)
    reports = []
    for source, folder in inboxes.items():
        if not folder.is_dir():
            lineage.stands(partial(map, landing_job, [SOURCES[source]]))
            continue
        with step(f"land {source}", data_source=source) as record:
            report = land(spark, source, [folder], run_id)
            record.rows_out = report.rows
            record.message = f"{counted(len(report.files), 'file')}, {report.not_landed}"
            lineage.worked(partial(landed, report))
            reports.append(report)
    with step("contracts raw") as record:
        audits = audit_layer(spark, "raw", run_id)
        record.rows_in = sum(audit.rows_checked for audit in audits)
    return Landed(tuple(reports), tuple(audits))
