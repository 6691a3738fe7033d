"""Enforces contracts: one pass over a table judges every rule, bad rows go to `ops.quarantine`, good rows go on.

`audit_table` looks at a table that is already written (by dbt); `write_audited` stands before a write by Spark.
Neither ever removes a row from a table that it blocks.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import cast

from pyspark.sql import DataFrame
from pyspark.sql.connect.session import SparkSession
from pyspark.storagelevel import StorageLevel

from contracts.catalog import contract as contract_of
from contracts.catalog import layer
from contracts.compile.rules import rules_of
from contracts.errors import ContractError
from contracts.model import Severity, TableContract
from jobs.audit_result import AuditResult, Findings, RuleResult, Verdict, judge
from jobs.audit_target import AuditTarget, references_of, rows_of, unwritten_target, written_target
from jobs.contract_results import fingerprint, record_results, results_by_fingerprint
from jobs.delta import (
    append,
    conform,
    ensure_tables,
    holds_exactly,
    overwrite_where,
    table_exists,
    table_version,
    was_never_filled,
)
from jobs.lineage import record as lineage
from jobs.quarantine import quarantine_rows
from jobs.row_flags import classified, flagged, tally

__all__ = [
    "AuditResult", "RuleResult", "Verdict", "audit_layer", "audit_table", "prepare", "record_results", "write_audited",
]  # fmt: skip

# Two tables at a time: on two cores a small audit is mostly planning and waiting, which overlap.
_THREADS = 2
# Above this, repeated keys are sorted out apart from the rest of the table.
_MANY_ROWS = 2_000_000
_PREPARED: set[str] = set()


@dataclass(frozen=True)
class _Inspection:
    """One table's rows with all that its rules found in them."""

    rows: DataFrame
    found: Findings
    rules: tuple[RuleResult, ...]


def prepare(spark: SparkSession) -> None:
    """Create the `ops` tables that enforcement writes and that reports read, where missing; looks once per session."""
    if spark.session_id not in _PREPARED:
        ensure_tables(spark, [contract_of(f"ops.{name}") for name in ("quarantine", "contract_result", "run_ledger")])
        _PREPARED.add(spark.session_id)


@lineage.unobserved()
def audit_layer(
    spark: SparkSession,
    schema: str,
    run_id: str,
    tables: Iterable[str] | None = None,
    *,
    where: str | None = None,
    data_source: str | None = None,
) -> list[AuditResult]:
    """Audit the layer's tables that exist, and record all results in one append.

    Args:
        spark: the session.
        schema: layer, e.g. `staging`.
        run_id: of the night.
        tables: only these, as `schema.table`; default all of the layer that exist.
        where: Spark SQL condition that selects the night's rows in every table.
        data_source: recorded with the results.

    Raises:
        ContractError: one of `tables` does not exist.
    """
    prepare(spark)
    wanted = layer(schema) if tables is None else [contract_of(name) for name in tables]
    present = [contract for contract in wanted if table_exists(spark, contract.name)]
    if tables is not None and (absent := {c.name for c in wanted} - {c.name for c in present}):
        raise ContractError(f"Tables to audit do not exist: {', '.join(sorted(absent))}.", todo="Build them first.")
    with ThreadPoolExecutor(_THREADS) as pool:
        targets = list(pool.map(lambda contract: written_target(spark, contract, where), present))
        last = results_by_fingerprint(spark, {target.fingerprint: target.contract for target in targets})
        results = list(pool.map(lambda target: _audit(spark, target, run_id, data_source, last), targets))
    record_results(spark, results, run_id)
    lineage.audited(results)
    return results


@lineage.unobserved()
def audit_table(
    spark: SparkSession,
    contract: TableContract,
    *,
    run_id: str,
    where: str | None = None,
    data_source: str | None = None,
    record: bool = True,
) -> AuditResult:
    """Audit one written table; quarantine and remove its bad rows, or block it and leave it as it is.

    A table whose Delta version, contract and referenced tables are those of its last audit is not read again.
    A table without bad rows gets no new Delta version.

    Args:
        spark: the session.
        contract: of the table.
        run_id: of the night.
        where: Spark SQL condition that selects the rows to audit; the others are not touched.
        data_source: recorded with the result.
        record: False when the caller records several results in one append.
    """
    prepare(spark)
    target = written_target(spark, contract, where)
    last = results_by_fingerprint(spark, {target.fingerprint: contract})
    result = _audit(spark, target, run_id, data_source, last)
    if record:
        record_results(spark, [result], run_id)
    lineage.checked(result)
    return result


def _audit(
    spark: SparkSession,
    target: AuditTarget,
    run_id: str,
    data_source: str | None,
    last: Mapping[str, AuditResult],
) -> AuditResult:
    started = time.monotonic()
    if target.fingerprint in last:
        return replace(last[target.fingerprint], audit_id=_new_id(), data_source=data_source, is_reused=True)
    contract, where = target.contract, target.row_filter
    if was_never_filled(contract.name):
        none = Findings(rows=0, broken={}, conflicts=0, bad=0, unknown=frozenset())
        empty = _Inspection(spark.table(contract.name), none, judge(contract, none))
        return replace(_result(target, empty, data_source), seconds=time.monotonic() - started)
    seen = _inspect(spark, target, rows_of(spark, target))
    try:
        result = _result(target, seen, data_source)
        if result.rows_quarantined:
            quarantine_rows(seen.rows, contract, run_id, target.version)
            overwrite_where(seen.rows.where("NOT __bad").select(*contract.column_names), contract.name, where, run_id)
            after = {**target.versions, contract.name: table_version(spark, contract.name)}
            stamp = fingerprint(contract, where, after)
            result = replace(result, table_version=after[contract.name], fingerprint=stamp)
    finally:
        seen.rows.unpersist()
    return replace(result, seconds=time.monotonic() - started)


@lineage.unobserved()
def write_audited(
    df: DataFrame,
    contract: TableContract,
    *,
    run_id: str,
    where: str | None = None,
    mode: str = "replace",
    data_source: str | None = None,
    record: bool = True,
) -> AuditResult:
    """Write the good rows of `df` to the contract's table and quarantine the bad ones; write nothing if blocked.

    A replacement by the very rows that are there makes no new Delta version. The input is computed once: its rows
    with their flags are kept in memory and on disk until written.

    Args:
        df: the rows, with exactly the contract's columns.
        contract: of the table, which is created where missing.
        run_id: of the night.
        where: with `replace`, the Spark SQL condition whose rows are replaced; None replaces all.
        mode: `replace` or `append`.
        data_source: recorded with the result.
        record: False when the caller records several results in one append.

    Raises:
        ContractError: `df` lacks columns, or has other ones, or of other types.
    """
    started = time.monotonic()
    spark = cast(SparkSession, df.sparkSession)
    prepare(spark)
    ensure_tables(spark, [contract])
    staged = flagged(conform(df, contract), contract).persist(StorageLevel.MEMORY_AND_DISK)
    try:
        target = unwritten_target(spark, contract, where)
        seen = _inspect(spark, target, staged)
        result = _result(target, seen, data_source)
        if not result.blocked:
            if result.rows_quarantined:
                quarantine_rows(seen.rows, contract, run_id, None)
            good = (seen.rows.where("NOT __bad") if result.rows_quarantined else staged).select(*contract.column_names)
            if mode == "append":
                append(good, contract.name, run_id)
            elif not holds_exactly(good, contract.name, where):
                overwrite_where(good, contract.name, where, run_id)
            result = replace(result, table_version=table_version(spark, contract.name))
        seen.rows.unpersist()
    finally:
        staged.unpersist()
    if record:
        record_results(spark, [result], run_id)
    result = replace(result, seconds=time.monotonic() - started)
    lineage.wrote(df, contract.name, result.table_version, result.rows_checked - result.rows_quarantined, result)
    return result


def _inspect(spark: SparkSession, target: AuditTarget, rows: DataFrame) -> _Inspection:
    """One query counts everything; a second one only where keys repeat or `error` references are broken."""
    contract = target.contract
    tables = references_of(spark, target, rows)
    known = {name: table for name, table in tables.items() if table is not None}
    counts = tally(rows, contract, known)
    errors = {rule.name for rule in rules_of(contract) if rule.severity is Severity.ERROR}
    lost = {name: known[name] for name, orphans in counts.orphans.items() if orphans and name in errors}
    seen = classified(rows, contract, lost, twins=counts.twins > 0, narrow=counts.rows > _MANY_ROWS)
    broken = {**counts.broken, **counts.orphans}
    conflicts, bad = 0, counts.bad
    if counts.twins or lost:
        seen = seen.persist(StorageLevel.MEMORY_AND_DISK)  # counted, quarantined and written from one computation
        row = seen.selectExpr(
            "count_if(__copy > 1) AS copies", "count_if(__conflict) AS conflicts", "count_if(__bad) AS bad"
        ).collect()[0]
        broken["key__unique"], conflicts, bad = row["copies"], row["conflicts"], row["bad"]
    unknown = frozenset(name for name, table in tables.items() if table is None)
    found = Findings(rows=counts.rows, broken=broken, conflicts=conflicts, bad=bad, unknown=unknown)
    return _Inspection(seen, found, judge(contract, found))


def _result(target: AuditTarget, seen: _Inspection, data_source: str | None) -> AuditResult:
    result = AuditResult(
        audit_id=_new_id(),
        table=target.contract.name,
        contract_version=target.contract.version,
        rows_checked=seen.found.rows,
        rows_quarantined=0,
        rules=seen.rules,
        fingerprint=target.fingerprint,
        data_source=data_source,
        row_filter=target.row_filter,
        table_version=target.version,
    )
    return result if result.blocked else replace(result, rows_quarantined=seen.found.bad)


def _new_id() -> str:
    return uuid.uuid4().hex
