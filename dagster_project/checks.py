"""Every contract rule as an asset check: declared from the contract, reported from the one pass that enforced it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from contracts.compile.rules import rules_of
from contracts.model import Severity, TableContract

if TYPE_CHECKING:
    from jobs.enforce import AuditResult

# Partitions on checks are new in Dagster; the pin keeps what they mean, and 1,000 warnings would bury the others.
warnings.filterwarnings("ignore", category=dg.PreviewWarning, message=".*partitions_def on an AssetCheckSpec.*")

_SEVERITY = {Severity.ERROR: dg.AssetCheckSeverity.ERROR, Severity.WARN: dg.AssetCheckSeverity.WARN}


def check_specs(
    tables: Iterable[TableContract], partitions: dg.PartitionsDefinition | None = None
) -> list[dg.AssetCheckSpec]:
    """One check per rule of each table.

    Broken rows are quarantined by the pass itself, so a rule with broken rows does not stop the night; a table
    that is blocked raises, which does.
    """
    return [
        dg.AssetCheckSpec(
            rule.name,
            asset=dg.AssetKey(table.asset_key),
            description=rule.description,
            metadata={"tier": rule.tier.value, "severity": rule.severity.value, "contract_version": table.version},
            partitions_def=partitions,
        )
        for table in tables
        for rule in rules_of(table)
    ]


def check_results(audit: AuditResult) -> Iterator[dg.AssetCheckResult]:
    """What the pass found, one result per rule. Counts only: no value of a row is shown."""
    schema, name = audit.table.split(".")
    for rule in audit.rules:
        metadata: dict[str, float | str | dg.MetadataValue[Any]] = {
            "rows_broken": rule.rows_broken,
            "rows_checked": rule.rows_checked,
            "tier": rule.tier.value,
            "verdict": rule.verdict.value,
        }
        if rule.observed is not None:
            metadata |= {"observed": rule.observed, "expected": rule.expected}
        if rule.rows_broken:
            metadata["quarantine_query"] = _quarantine_query(audit.table, rule.name, rule.rows_broken)
        yield dg.AssetCheckResult(
            asset_key=dg.AssetKey([schema, name]),
            check_name=rule.name,
            passed=rule.passed,
            severity=_SEVERITY[rule.severity],
            description=rule.message,
            metadata=dict(metadata),
        )


def _quarantine_query(table: str, rule: str, rows: int) -> dg.MetadataValue[Any]:
    """The broken rows' count as a link, behind which Dagster shows the query for them."""
    query = f"select * from ops.quarantine where table_name = '{table}' and array_contains(rules, '{rule}')"
    return dg.MetadataValue.md(f"**{rows:,} rows** broken; those set aside are\n\n```sql\n{query}\n```")
