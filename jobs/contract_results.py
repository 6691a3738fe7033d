"""Results of audits in `ops`: appended once per layer, read back to skip what has not changed and to see what has.

`ops.contract_result` has a row per rule, `ops.table_profile` one per statistic of a profiled table.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql.connect.session import SparkSession

from contracts.catalog import contract as contract_of
from contracts.compile.literals import sql_string
from contracts.compile.rules import rules_of
from contracts.model import Severity, TableContract, Tier
from jobs.audit_result import AuditResult, RuleResult, Statistic, Verdict
from jobs.delta import append, rows_of_contract
from jobs.trailing import NIGHTS

RESULTS, PROFILES = "ops.contract_result", "ops.table_profile"


@dataclass(frozen=True)
class Fingerprint:
    """What an audit's outcome depends on, as two hashes.

    Attributes:
        rules: of the contract's rules and limits and of the filter.
        all: of these and of the Delta versions of all tables read; equal to an earlier one exactly when nothing changed.
    """

    rules: str
    all: str


def fingerprint(
    contract: TableContract, row_filter: str | None, versions: Mapping[str, int | None], data_source: str | None
) -> Fingerprint:
    """The fingerprint of an audit.

    The source counts where a rule is about all rows of one source together. The night does not: how fresh the newest
    facts are is reckoned anew when an audit is reused.
    """
    rules = [(rule.name, rule.severity, rule.sql, rule.reference, rule.measure) for rule in rules_of(contract)]
    limits = (contract.version, contract.key, contract.broken_key, contract.surveys, contract.profile)
    source = data_source if contract.is_judged_per_source else None
    asked = _digest((contract.name, limits, rules, row_filter, source))
    return Fingerprint(asked, _digest((asked, sorted(versions.items()))))


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


def record_results(spark: SparkSession, results: Iterable[AuditResult], run_id: str) -> None:
    """Append the results of one run, all at once (an append costs about a second however few its rows)."""
    now = dt.datetime.now(dt.UTC)
    kept = list(results)
    _append_rows(spark, RESULTS, [_row(result, rule, run_id, now) for result in kept for rule in result.rules], run_id)
    fresh = [result for result in kept if not result.is_reused]
    _append_rows(spark, PROFILES, [_profile_row(r, s, run_id, now) for r in fresh for s in r.statistics], run_id)


def _append_rows(spark: SparkSession, table: str, rows: Sequence[Mapping[str, Any]], run_id: str) -> None:
    if not rows:
        return
    append(rows_of_contract(spark, contract_of(table), rows), table, run_id)


def _row(result: AuditResult, rule: RuleResult, run_id: str, now: dt.datetime) -> dict[str, Any]:
    return {
        "audit_id": result.audit_id,
        "run_id": run_id,
        "table_name": result.table,
        "data_source": result.data_source,
        "run_date": result.run_date,
        "row_filter": result.row_filter,
        "since_version": result.since_version,
        "rule": rule.name,
        "kind": rule.kind,
        "scope": str(rule.scope),
        "severity": str(rule.severity),
        "tier": str(rule.tier),
        "rows_checked": rule.rows_checked,
        "rows_broken": rule.rows_broken,
        "observed": rule.observed,
        "expected": rule.expected,
        "verdict": str(rule.verdict),
        "message": rule.message,
        "contract_version": result.contract_version,
        "table_version": result.table_version,
        "fingerprint": result.fingerprint,
        "rules_fingerprint": result.rules_fingerprint,
        "is_reused": result.is_reused,
        "audited_at": now,
    }


def _profile_row(result: AuditResult, statistic: Statistic, run_id: str, now: dt.datetime) -> dict[str, Any]:
    return {
        "audit_id": result.audit_id,
        "run_id": run_id,
        "table_name": result.table,
        "data_source": result.data_source,
        "run_date": result.run_date,
        "column_name": statistic.column,
        "statistic": statistic.name,
        "category": statistic.category or "",
        "value": statistic.value,
        "profiled_at": now,
    }


def trailing_statistics(
    spark: SparkSession, tables: Iterable[str], data_source: str | None, run_date: dt.date | None
) -> dict[str, list[list[Statistic]]]:
    """Per table the statistics of the last nights before `run_date` of the same source, the newest night first."""
    names = ", ".join(sql_string(name) for name in sorted(tables))
    if not names or run_date is None:
        return {}
    night = f"table_name IN ({names}) AND data_source <=> {_literal(data_source)} AND run_date < date'{run_date}'"
    rows = spark.table(PROFILES).where(night).orderBy("run_date", "profiled_at").collect()
    last: dict[tuple[str, dt.date], list[Any]] = {}
    for row in rows:
        kept = last.setdefault((row["table_name"], row["run_date"]), [])
        if kept and kept[0]["audit_id"] != row["audit_id"]:
            kept.clear()  # the night was audited again: only its last audit counts
        kept.append(row)
    found: dict[str, list[list[Statistic]]] = {}
    for (table, _), night_rows in sorted(last.items(), key=lambda item: item[0][1], reverse=True):
        nights = found.setdefault(table, [])
        if len(nights) < NIGHTS:
            nights.append(
                [Statistic(r["column_name"], r["statistic"], r["value"], r["category"] or None) for r in night_rows]
            )
    return found


def _literal(text: str | None) -> str:
    return "NULL" if text is None else sql_string(text)


def results_by_fingerprint(spark: SparkSession, wanted: Mapping[str, TableContract]) -> dict[str, AuditResult]:
    """Earlier audits with one of these fingerprints, that is of tables that have not changed since.

    A filter on one column and no join: this runs once a layer, every night, on a table that grows.
    """
    if not wanted:
        return {}
    stamps = ", ".join(sql_string(stamp) for stamp in wanted)
    rows = spark.table(RESULTS).where(f"fingerprint IN ({stamps}) AND NOT is_reused").collect()
    latest = {row["fingerprint"]: row["audit_id"] for row in sorted(rows, key=lambda row: row["audited_at"])}
    return {
        stamp: _result(wanted[stamp], [row for row in rows if row["audit_id"] == audit_id])
        for stamp, audit_id in latest.items()
    }


def audited_versions(spark: SparkSession, rules_fingerprints: Iterable[str]) -> dict[str, int]:
    """Per table the Delta version that its last audit by these very rules left behind, if that audit did not block it."""
    stamps = ", ".join(sql_string(stamp) for stamp in rules_fingerprints)
    if not stamps:
        return {}
    rows = spark.sql(f"""
        select table_name, max_by(table_version, audited_at) as version, max_by(is_blocked, audited_at) as is_blocked
        from (
          select table_name, audit_id, max(table_version) as table_version, max(audited_at) as audited_at,
            bool_or(verdict = 'failed') as is_blocked
          from {RESULTS} where rules_fingerprint in ({stamps}) group by table_name, audit_id
        ) group by table_name""").collect()
    return {row["table_name"]: row["version"] for row in rows if row["version"] is not None and not row["is_blocked"]}


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
            observed=found[rule.name]["observed"],
            expected=rule.expected,
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
        rules_fingerprint=first["rules_fingerprint"] or "",
        since_version=first["since_version"],
        data_source=first["data_source"],
        row_filter=first["row_filter"],
        table_version=first["table_version"],
        run_date=first["run_date"],
    )
