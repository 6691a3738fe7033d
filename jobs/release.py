"""Re-admits quarantined rows that keep their contract by now: after the contract, or what it refers to, was mended.

A row that is to be mended itself is delivered again; its old entry stays as what was once refused.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql.connect import functions as F
from pyspark.sql.connect.session import SparkSession
from pyspark.storagelevel import StorageLevel

from contracts.compile.literals import sql_string
from contracts.compile.rules import Scope, rules_of
from contracts.errors import ContractError, UserError
from contracts.model import Severity, TableContract
from jobs.delta import append, commit_note, ensure_tables, table_exists
from jobs.enforce import prepare
from jobs.held import quarantined
from jobs.quarantine import QUARANTINE
from jobs.row_flags import classified, row_json_sql

_READ = "map('timestampFormat', \"yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX\")"
_ENTRY = "__entry"
_ID = re.compile(r"^[0-9a-f]{1,64}\Z")
_SEE_SHOW = "see `outreach quarantine show {} --json` for whole ids."


@dataclass(frozen=True)
class Released:
    """What a release did.

    Attributes:
        asked: held rows that were looked at.
        added: rows that keep the contract now, and are back in their table.
        there: rows that keep it and stood in the table already: an earlier release was cut off after its write.
        held: rows that still break a rule, contradict a row of their key, or do not fit the columns any more.
    """

    asked: int
    added: int
    there: int
    held: int


def release(
    spark: SparkSession,
    contract: TableContract,
    *,
    run_id: str,
    rule: str | None = None,
    ids: Collection[str] = (),
) -> Released:
    """Judge held rows by the contract as it is now; append the good ones to their table and mark them as released.

    Done again it does nothing: what was released is not held any more. Cut off between its two writes, the next release
    finds the rows in the table and only marks them.

    Args:
        spark: the session.
        contract: of the table.
        run_id: of the release; stands in both commits.
        rule: only rows that were held for it.
        ids: only these entries, each by its `quarantine_id` or a beginning of it that no other entry of the table has.

    Raises:
        UserError: an id is of no entry, or of several.
        ContractError: the table, or one that an `error` reference needs, does not exist.
    """
    prepare(spark)
    if not table_exists(spark, contract.name):
        raise ContractError(f"{contract.name} does not exist.", todo="build it before rows are released into it.")
    ensure_tables(spark, [contract])
    held = quarantined(spark, contract.name, rule).where("status = 'held'")
    if ids:
        held = held.where(F.col("quarantine_id").isin(_entries(spark, contract.name, ids)))
    judged = _judged(spark, held, contract).persist(StorageLevel.MEMORY_AND_DISK)
    try:
        fates = {row["__fate"]: row["count"] for row in judged.groupBy("__fate").count().collect()}
        added, there = fates.get("added", 0), fates.get("there", 0)
        if added:
            append(judged.where("__fate = 'added'").select(*contract.column_names), contract.name, run_id)
        if added or there:
            with commit_note(spark, run_id):
                _mark(spark, judged.where("__fate <> 'held'").select(_ENTRY), run_id)
        return Released(sum(fates.values()), added, there, fates.get("held", 0))
    finally:
        judged.unpersist()


def _entries(spark: SparkSession, table: str, ids: Collection[str]) -> list[str]:
    """The whole `quarantine_id` of each of `ids`, which may be beginnings; released ones too, of which nothing is left to do."""
    given = sorted(set(ids))
    if odd := [name for name in given if not _ID.match(name)]:
        raise UserError(
            f"{odd[0]} is not the id of an entry.", expected="up to 64 of 0-9 and a-f", todo=_SEE_SHOW.format(table)
        )
    begun = ", ".join(f"IF(startswith(quarantine_id, {sql_string(name)}), {sql_string(name)}, NULL)" for name in given)
    entries = quarantined(spark, table).selectExpr("quarantine_id", f"explode(array_compact(array({begun}))) AS given")
    counts = entries.groupBy("given").agg(F.count("*").alias("n"), F.min("quarantine_id").alias("id")).collect()
    found = {row["given"]: row for row in counts}
    for name in given:
        if name not in found or found[name]["n"] > 1:
            many = f"{found[name]['n']} entries" if name in found else "no entry"
            raise UserError(
                f"The id {name} is of {many} of {table}.",
                expected="an id, or a beginning of it, of one entry",
                todo=_SEE_SHOW.format(table),
            )
    return [row["id"] for row in found.values()]


def _judged(spark: SparkSession, held: DataFrame, contract: TableContract) -> DataFrame:
    """The held rows as rows of the table, with `__entry` and `__fate`: `added`, `there` or `held`."""
    rows = _rows(held, contract)
    seen = classified(rows, contract, _references(spark, contract), twins=bool(contract.key), narrow=False)
    if not contract.key:
        return seen.withColumn("__fate", F.expr("IF(__bad OR NOT __fits, 'held', 'added')"))
    key = f"struct({', '.join(f'`{name}`' for name in contract.key)})"
    seen = seen.withColumn("__mine", F.expr(key))
    beside = seen.join(_standing(spark, contract, key, seen.select("__mine")), F.expr("__mine <=> __key"), "left")
    is_copy = "array_contains(__held_for, 'key__unique')"
    fate = f"""CASE WHEN __bad OR NOT __fits THEN 'held' WHEN __key IS NULL THEN 'added'
                    WHEN __twin = {row_json_sql(contract)} AND NOT {is_copy} THEN 'there' ELSE 'held' END"""
    return beside.withColumn("__fate", F.expr(fate)).drop("__mine", "__key", "__twin")


def _standing(spark: SparkSession, contract: TableContract, key: str, wanted: DataFrame) -> DataFrame:
    """The rows of the table with one of the keys wanted, as `__key` and their JSON `__twin`; the few keys are broadcast."""
    rows = spark.table(contract.name).selectExpr(f"{key} AS __key", f"{row_json_sql(contract)} AS __twin")
    found = rows.join(F.broadcast(wanted), F.expr("__key <=> __mine"), "left_semi")
    return found.groupBy("__key").agg(F.max("__twin").alias("__twin"))


def _rows(held: DataFrame, contract: TableContract) -> DataFrame:
    """Rows of the contract's columns from their JSON. `__fits`: nothing of the row was lost on the way, so a column
    that the contract has gained is NULL, while one that it has lost, or that is of another type, keeps the row held."""
    schema = ", ".join(f"`{column.name}` {column.spark_type}" for column in contract.columns)
    read = held.selectExpr(
        f"quarantine_id AS {_ENTRY}", "rules AS __held_for", "row_json AS __json",
        f"from_json(row_json, {sql_string(schema)}, {_READ}) AS __row",
    )  # fmt: skip
    rows = read.select(_ENTRY, "__held_for", "__json", "__row.*")
    return rows.withColumn("__fits", F.expr(f"{_given('__json')} <=> {_given(row_json_sql(contract))}")).drop("__json")


def _given(json: str) -> str:
    """Spark SQL: the names and values that a JSON object gives, in one order."""
    pairs = f"map_entries(map_filter(from_json({json}, 'map<string, string>'), (k, v) -> v IS NOT NULL))"
    return f"array_sort({pairs})"


def _references(spark: SparkSession, contract: TableContract) -> dict[str, DataFrame]:
    """The tables of the `error` references, as they are now."""
    found: dict[str, DataFrame] = {}
    for rule in rules_of(contract):
        if rule.scope is Scope.REFERENCE and rule.severity is Severity.ERROR and rule.reference is not None:
            if not table_exists(spark, rule.reference.table):
                raise ContractError(f"{rule.reference.table} does not exist.", todo="build it first.")
            found[rule.name] = spark.table(rule.reference.table)
    return found


def _mark(spark: SparkSession, entries: DataFrame, run_id: str) -> None:
    now = dt.datetime.now(dt.UTC).isoformat(sep=" ", timespec="microseconds")
    spark.sql(
        f"""MERGE INTO {QUARANTINE} AS held USING {{entries}} AS good ON held.quarantine_id = good.{_ENTRY}
            WHEN MATCHED THEN UPDATE SET held.status = 'released', held.released_at = TIMESTAMP '{now}',
              held.released_run_id = {sql_string(run_id)}""",
        entries=entries,
    )
