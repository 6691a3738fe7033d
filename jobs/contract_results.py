"""Results of audits in `ops.contract_result`: appended once per layer, read back to skip what has not changed."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyspark.sql.connect.session import SparkSession

from contracts.catalog import contract as contract_of
from contracts.compile.literals import sql_string
from contracts.compile.rules import rules_of
from contracts.model import Severity, TableContract, Tier
from jobs.audit_result import AuditResult, RuleResult, Verdict
from jobs.delta import append, rows_of_contract

_TABLE = "ops.contract_result"


def fingerprint(contract: TableContract, row_filter: str | None, versions: Mapping[str, int | None]) -> str:
    """Hash of all that an audit's outcome depends on: rules and limits, filter, Delta versions of the tables read."""
    rules = [(rule.name, rule.severity, rule.sql, rule.reference) for rule in rules_of(contract)]
    limits = (contract.version, contract.key, contract.quarantine_limit, contract.min_rows, contract.broken_key)
    text = repr((contract.name, limits, rules, row_filter, sorted(versions.items())))
    return hashlib.sha256(text.encode()).hexdigest()


def record_results(spark: SparkSession, results: Iterable[AuditResult], run_id: str) -> None:
    """Append the results of one run, all at once (an append costs about a second however few its rows)."""
    now = dt.datetime.now(dt.UTC)
    rows = [_row(result, rule, run_id, now) for result in results for rule in result.rules]
    if not rows:
        return
    append(rows_of_contract(spark, contract_of(_TABLE), rows), _TABLE, run_id)


def _row(result: AuditResult, rule: RuleResult, run_id: str, now: dt.datetime) -> dict[str, Any]:
    return {
        "audit_id": result.audit_id,
        "run_id": run_id,
        "table_name": result.table,
        "data_source": result.data_source,
        "row_filter": result.row_filter,
        "rule": rule.name,
        "kind": rule.kind,
        "scope": str(rule.scope),
        "severity": str(rule.severity),
        "tier": str(rule.tier),
        "rows_checked": rule.rows_checked,
        "rows_broken": rule.rows_broken,
        "verdict": str(rule.verdict),
        "message": rule.message,
        "contract_version": result.contract_version,
        "table_version": result.table_version,
        "fingerprint": result.fingerprint,
        "is_reused": result.is_reused,
        "audited_at": now,
    }


def results_by_fingerprint(spark: SparkSession, wanted: Mapping[str, TableContract]) -> dict[str, AuditResult]:
    """Earlier audits with one of these fingerprints, that is of tables that have not changed since.

    A filter on one column and no join: this runs once a layer, every night, on a table that grows.
    """
    if not wanted:
        return {}
    stamps = ", ".join(sql_string(stamp) for stamp in wanted)
    rows = spark.table(_TABLE).where(f"fingerprint IN ({stamps}) AND NOT is_reused").collect()
    latest = {row["fingerprint"]: row["audit_id"] for row in sorted(rows, key=lambda row: row["audited_at"])}
    return {
        stamp: _result(wanted[stamp], [row for row in rows if row["audit_id"] == audit_id])
        for stamp, audit_id in latest.items()
    }


def _result(contract: TableContract, rows: Sequence[Any]) -> AuditResult:
    found = {row["rule"]: row for row in rows}
    first = rows[0]
    rules = tuple(
        RuleResult(
            name=rule.name,
            kind=rule.kind,
            scope=rule.scope,
            severity=Severity(found[rule.name]["severity"]),
            tier=Tier(found[rule.name]["tier"]),
            rows_broken=found[rule.name]["rows_broken"],
            rows_checked=found[rule.name]["rows_checked"],
            verdict=Verdict(found[rule.name]["verdict"]),
            description=rule.description,
            message=found[rule.name]["message"],
        )
        for rule in rules_of(contract)
        if rule.name in found
    )
    share = found.get("quarantine_share__at_most")
    return AuditResult(
        audit_id=first["audit_id"],
        table=contract.name,
        contract_version=first["contract_version"],
        rows_checked=first["rows_checked"],
        rows_quarantined=share["rows_broken"] if share and share["verdict"] == Verdict.PASSED else 0,
        rules=rules,
        fingerprint=first["fingerprint"],
        data_source=first["data_source"],
        row_filter=first["row_filter"],
        table_version=first["table_version"],
    )
