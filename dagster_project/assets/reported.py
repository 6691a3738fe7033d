"""From an audit to what Dagster shows: a materialization with its checks; a blocked table fails the step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from contracts.errors import ContractError
from dagster_project.checks import check_results
from dagster_project.column_lineage import column_lineage, in_words
from dagster_project.policies import no_retry

if TYPE_CHECKING:
    from jobs.audit_result import AuditResult


def materialized(
    audits: Iterable[AuditResult], metadata: Mapping[str, Any] | None = None, *, must_pass: bool = True
) -> Iterator[dg.MaterializeResult[None]]:
    """One materialization per audited table with one result per rule.

    Args:
        audits: of the tables that the step wrote.
        metadata: shown with each materialization.
        must_pass: False where a blocked table must not fail the run.

    Raises:
        dg.Failure: a table is blocked; raised after all tables have been reported.
    """
    kept = list(audits)
    for audit in kept:
        yield dg.MaterializeResult(
            asset_key=dg.AssetKey(audit.table.split(".")),
            metadata={
                "dagster/row_count": _rows_in(audit),
                "quarantined": audit.rows_quarantined,
                "delta_version": audit.table_version,
                "audit_seconds": round(audit.seconds, 2),
                **lineage_metadata(audit.table),
                **(metadata or {}),
            },
            check_results=list(check_results(audit)),
        )
    for audit in kept if must_pass else ():
        try:
            audit.require()
        except ContractError as error:
            raise no_retry(error) from error


def _rows_in(audit: AuditResult) -> int:
    return audit.rows_checked - audit.rows_quarantined if audit.rows_total is None else audit.rows_total


def lineage_metadata(table: str) -> dict[str, Any]:
    """Column lineage as data, under Dagster's own key, and in words; empty where it is not known."""
    found = column_lineage(table)
    if found is None:
        return {}
    return {"dagster/column_lineage": found, "made_from": dg.MetadataValue.md(in_words(found))}
