"""Enforces contracts: one pass over a table judges every rule, bad rows go to `ops.quarantine`, good rows go on.

`audit_table` looks at a table that is already written (by dbt); `write_audited` stands before a write by Spark.
Neither ever removes a row from a table that it blocks.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from typing import cast

from pyspark.sql import DataFrame
from pyspark.sql.connect.session import SparkSession
from pyspark.storagelevel import StorageLevel

from contracts.catalog import contract as contract_of
from contracts.catalog import layer
from contracts.compile.rules import row_rules
from contracts.errors import ContractError
from contracts.model import Severity, TableContract
from jobs.audit_result import AuditResult, Findings, RuleResult, Statistic, Verdict, aged, judge
from jobs.audit_target import (
    AuditTarget,
    Night,
    is_audited_by_file,
    narrowed,
    rows_of,
    selection,
    unwritten_target,
    written_target,
)
from jobs.contract_results import (
    PROFILES,
    RESULTS,
    audited_versions,
    fingerprint,
    record_results,
    results_by_fingerprint,
    trailing_statistics,
)
from jobs.delta import (
    Content,
    append,
    commit_note,
    conform,
    content_at,
    content_of,
    ensure_tables,
    existing_tables,
    join_small_files,
    overwrite_where,
    table_version,
    was_never_filled,
)
from jobs.inspection import Inspection, inspect
from jobs.lineage import record as lineage
from jobs.proofs import left_to_ask
from jobs.quarantine import QUARANTINE, quarantine_rows
from jobs.row_flags import flagged

__all__ = [
    "AuditResult", "RuleResult", "Verdict", "audit_layer", "audit_table", "prepare", "record_results", "write_audited",
]  # fmt: skip

# Two tables at a time: on two cores a small audit is mostly planning and waiting, which overlap.
_THREADS = 2
_PREPARED: set[str] = set()


@dataclass(frozen=True)
class _History:
    """What earlier audits left.

    Attributes:
        results: of unchanged tables, by fingerprint.
        nights: statistics of the trailing nights, by table.
        versions: Delta version up to which a table's files were judged by the same rules, by table.
    """

    results: Mapping[str, AuditResult]
    nights: Mapping[str, Sequence[Sequence[Statistic]]]
    versions: Mapping[str, int]


def prepare(spark: SparkSession) -> None:
    """Create the `ops` tables that enforcement writes and that reports read, where missing; looks once per session.

    Those that every step adds a few rows to are kept in few files: after a week, each of a night's dozen looks at earlier
    audits opened 400.
    """
    if spark.session_id not in _PREPARED:
        grown = (RESULTS, PROFILES, "ops.run_ledger")
        ensure_tables(spark, [contract_of(name) for name in (QUARANTINE, *grown)])
        for name in grown:
            join_small_files(spark, name)
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
    run_date: date | None = None,
) -> list[AuditResult]:
    """Audit the layer's tables that exist, and record all results in one append.

    Args:
        spark: the session.
        schema: layer, e.g. `staging`.
        run_id: of the night.
        tables: only these, as `schema.table`; default all of the layer that exist.
        where: Spark SQL condition that selects the night's rows in every table.
        data_source: of the night: whose rows the rules about a table as a whole look at; None: all.
        run_date: of the night.

    Raises:
        ContractError: one of `tables` does not exist.
    """
    prepare(spark)
    night = Night(data_source, run_date)
    wanted = layer(schema) if tables is None else [contract_of(name) for name in tables]
    with ThreadPoolExecutor(_THREADS) as pool, commit_note(spark, run_id):
        there = existing_tables(spark, [contract.name for contract in wanted])
        absent = sorted(contract.name for contract in wanted if contract.name not in there)
        if tables is not None and absent:
            raise ContractError(f"Tables to audit do not exist: {', '.join(absent)}.", todo="Build them first.")
        present = [contract for contract in wanted if contract.name in there]
        targets = list(pool.map(lambda contract: written_target(spark, contract, where, night), present))
        history = _history(spark, targets)
        results = list(pool.map(lambda target: _audit(spark, target, run_id, history), targets))
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
    run_date: date | None = None,
    record: bool = True,
) -> AuditResult:
    """Audit one written table; quarantine and remove its bad rows, or block it and leave it as it is.

    A table whose Delta version, contract and the tables that its rules read are those of its last audit is not read
    again. A table without bad rows gets no new Delta version.

    Args:
        spark: the session.
        contract: of the table.
        run_id: of the night.
        where: Spark SQL condition that selects the rows to audit; the others are not touched.
        data_source: as in `audit_layer`.
        run_date: of the night.
        record: False when the caller records several results in one append.
    """
    prepare(spark)
    target = written_target(spark, contract, where, Night(data_source, run_date))
    with commit_note(spark, run_id):
        result = _audit(spark, target, run_id, _history(spark, [target]))
    if record:
        record_results(spark, [result], run_id)
    lineage.checked(result)
    return result


def _history(spark: SparkSession, targets: Iterable[AuditTarget]) -> _History:
    filled = [target for target in targets if not _is_unfilled(target)]
    results = results_by_fingerprint(spark, {target.fingerprint.all: target.contract for target in filled})
    changed = [target for target in filled if target.fingerprint.all not in results]
    by_file = [target.fingerprint.rules for target in changed if is_audited_by_file(target.contract)]
    return _History(results, _nights_before(spark, changed), audited_versions(spark, by_file))


def _nights_before(spark: SparkSession, targets: Iterable[AuditTarget]) -> Mapping[str, Sequence[Sequence[Statistic]]]:
    """Statistics of the trailing nights, by table."""
    profiled = [target for target in targets if target.contract.profile]
    if not profiled:
        return {}
    night, names = profiled[0].night, [target.contract.name for target in profiled]
    return trailing_statistics(spark, names, night.data_source, night.run_date)


def _is_unfilled(target: AuditTarget) -> bool:
    return target.version is not None and was_never_filled(target.contract.name)


def _audit(spark: SparkSession, target: AuditTarget, run_id: str, history: _History) -> AuditResult:
    started = time.monotonic()
    if target.fingerprint.all in history.results:
        return _reused(spark, history.results[target.fingerprint.all], target)
    if _is_unfilled(target):
        nothing = Inspection(spark.table(target.contract.name), Findings(rows=0, broken={}))
        return replace(_result(target, nothing), seconds=time.monotonic() - started)
    target = narrowed(spark, target, history.versions.get(target.contract.name))
    assert target.version is not None
    rows = flagged(rows_of(spark, target), target.contract, left_to_ask(target.contract, target.version))
    seen = inspect(spark, target, rows, history.nights.get(target.contract.name, ()))
    try:
        result = _result(target, seen)
        if result.rows_quarantined:
            quarantine_rows(seen.rows, target.contract, run_id, target.version)
            result = _without_bad_rows(spark, target, seen, result, run_id)
    finally:
        seen.rows.unpersist()
    return replace(_with_total(spark, result), seconds=time.monotonic() - started)


def _without_bad_rows(
    spark: SparkSession, target: AuditTarget, seen: Inspection, result: AuditResult, run_id: str
) -> AuditResult:
    """Take the bad rows out of the written table: by a condition where their own values make them bad, else by rewriting."""
    contract, looked_at = target.contract, selection(target)
    if seen.is_by_row:
        broken = " OR ".join(rule.sql for rule in row_rules(contract) if rule.severity is Severity.ERROR)
        spark.sql(f"DELETE FROM {contract.name} WHERE ({broken}) AND {looked_at or 'true'}")
    else:
        overwrite_where(seen.rows.where("NOT __bad").select(*contract.column_names), contract.name, looked_at, run_id)
    after = {**target.versions, contract.name: table_version(spark, contract.name)}
    stamp = fingerprint(contract, target.row_filter, after, target.night.data_source)
    return replace(result, table_version=after[contract.name], fingerprint=stamp.all)


def _with_total(spark: SparkSession, result: AuditResult) -> AuditResult:
    """An audit of new files does not tell how many rows there are in all; Delta's log does."""
    return result if result.since_version is None else replace(result, rows_total=spark.table(result.table).count())


def _reused(spark: SparkSession, last: AuditResult, target: AuditTarget) -> AuditResult:
    """An earlier audit's result, for a table that has not changed since; only its newest fact is older by now."""
    night = target.night
    days = 0 if last.run_date is None or night.run_date is None else (night.run_date - last.run_date).days
    return replace(
        _with_total(spark, last),
        audit_id=_new_id(),
        data_source=night.data_source,
        run_date=night.run_date,
        rules=aged(target.contract, last.rules, days),
        is_reused=True,
    )


@lineage.unobserved()
def write_audited(
    df: DataFrame,
    contract: TableContract,
    *,
    run_id: str,
    where: str | None = None,
    mode: str = "replace",
    data_source: str | None = None,
    run_date: date | None = None,
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
        data_source: as in `audit_layer`.
        run_date: of the night.
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
        target = unwritten_target(spark, contract, where, Night(data_source, run_date))
        # What earlier audits found does not matter here: these rows have not been seen.
        before = _nights_before(spark, [target]).get(contract.name, ())
        seen = inspect(spark, target, staged, before, with_content=mode == "replace")
        result = _result(target, seen)
        if not result.blocked:
            if result.rows_quarantined:
                with commit_note(spark, run_id):
                    quarantine_rows(seen.rows, contract, run_id, None)
            good = (seen.rows.where("NOT __bad") if result.rows_quarantined else staged).select(*contract.column_names)
            if mode == "append":
                append(good, contract.name, run_id)
            elif not _holds(spark, contract, where, seen.content or content_of(good)):
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


def _holds(spark: SparkSession, contract: TableContract, where: str | None, content: Content) -> bool:
    """Whether the rows that would be replaced are these very rows."""
    return not was_never_filled(contract.name) and content_at(spark, contract, where) == content


def _result(target: AuditTarget, seen: Inspection) -> AuditResult:
    result = AuditResult(
        audit_id=_new_id(),
        table=target.contract.name,
        contract_version=target.contract.version,
        rows_checked=seen.found.rows,
        rows_quarantined=0,
        rules=judge(target.contract, seen.found),
        fingerprint=target.fingerprint.all,
        rules_fingerprint=target.fingerprint.rules,
        since_version=target.since_version,
        data_source=target.night.data_source,
        row_filter=target.row_filter,
        table_version=target.version,
        run_date=target.night.run_date,
        statistics=seen.found.statistics,
    )
    return result if result.blocked else replace(result, rows_quarantined=seen.found.bad)


def _new_id() -> str:
    return uuid.uuid4().hex
