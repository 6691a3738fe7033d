"""Delta tables through Spark Connect: create from a contract, write atomically, write nothing when nothing changed.

NOT NULL is not declared physically: a NULL where none may be is a rule of the contract like any other, so that
the row is quarantined under the rule's name instead of failing the write of the whole table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql.connect import functions as F
from pyspark.sql.connect.session import SparkSession
from pyspark.storagelevel import StorageLevel

from contracts.catalog import LAYERS
from contracts.compile.literals import sql_string
from contracts.errors import ContractError
from contracts.model import TableContract
from contracts.settings import settings
from jobs.lineage import record as lineage
from jobs.query.duck import delta_folder

# What the writer option `userMetadata` is for statements that have no options.
_COMMIT_NOTE = "spark.databricks.delta.commitInfo.userMetadata"


@dataclass(frozen=True)
class Written:
    """What a write did: the table's Delta version after it, rows of the part written, and whether anything changed."""

    version: int
    rows: int
    changed: bool


def create_layers(spark: SparkSession) -> None:
    """One database per layer, where missing."""
    present = {row[0] for row in spark.sql("SHOW DATABASES").collect()}
    for layer in LAYERS:
        if layer not in present:
            spark.sql(f"CREATE DATABASE IF NOT EXISTS {layer}")


def ensure_tables(spark: SparkSession, contracts: Iterable[TableContract], *, at_once: int = 1) -> frozenset[str]:
    """Create the contracts' tables empty where missing, their databases too; add columns that a contract gained since.

    Args:
        at_once: how many tables; each waits on the catalog.

    Returns:
        the names of the tables that were created now.

    Raises:
        ContractError: a table has a column that its contract lacks, or one of another type.
    """
    wanted = list(contracts)
    missing = {contract.name for contract in wanted} - existing_tables(spark, [contract.name for contract in wanted])
    if missing:
        create_layers(spark)

    def ensure(contract: TableContract) -> None:
        if contract.name in missing:
            spark.sql(create_statement(contract))
        else:
            _add_columns(spark, contract)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(ensure, wanted))
    return frozenset(missing)


def _add_columns(spark: SparkSession, contract: TableContract) -> None:
    present = columns_of(spark, contract.name)
    wanted = {column.name: column.spark_type for column in contract.columns}
    _refuse_other_columns(contract.name, present, wanted)
    added = [column for column in contract.columns if column.name not in present]
    if added:
        columns = ", ".join(f"`{c.name}` {c.spark_type} COMMENT {sql_string(c.description)}" for c in added)
        spark.sql(f"ALTER TABLE {contract.name} ADD COLUMNS ({columns})")


def create_statement(contract: TableContract) -> str:
    """CREATE TABLE of the contract: types, comments, partitioning; no NOT NULL (see the module's docstring)."""
    columns = ", ".join(f"`{c.name}` {c.spark_type} COMMENT {sql_string(c.description)}" for c in contract.columns)
    partition = f" PARTITIONED BY ({', '.join(f'`{name}`' for name in contract.partition_by)})"
    comment = sql_string(contract.description)
    return (
        f"CREATE TABLE IF NOT EXISTS {contract.name} ({columns}) USING delta"
        f"{partition if contract.partition_by else ''} COMMENT {comment}"
    )


def table_exists(spark: SparkSession, name: str) -> bool:
    """Whether `schema.table` is in the catalog; of several names ask `existing_tables`."""
    return bool(spark.catalog.tableExists(name))


def existing_tables(spark: SparkSession, names: Iterable[str]) -> frozenset[str]:
    """Those of the names `schema.table` that are in the catalog.

    One statement per schema: asked one by one, each name costs a thread of the engine with its own way to the metastore,
    of which 250 were an eighth of what a small plan's night asked of it.
    """
    wanted = frozenset(names)
    return wanted & {name for schema in {name.split(".")[0] for name in wanted} for name in _tables_in(spark, schema)}


def _tables_in(spark: SparkSession, schema: str) -> list[str]:
    try:
        rows = spark.sql(f"SHOW TABLES IN {schema}").collect()
    except AnalysisException as error:
        if error.getCondition() != "SCHEMA_NOT_FOUND":
            raise
        return []
    # A temporary view is listed too, in no schema.
    return [f"{row[0]}.{row[1]}" for row in rows]


def tables_of_layers(spark: SparkSession) -> list[str]:
    """Every table and view of the warehouse's layers, as `schema.table`; also those without a contract."""
    return [name for layer in LAYERS for name in _tables_in(spark, layer)]


def columns_of(spark: SparkSession, name: str) -> dict[str, str]:
    """Column names and Spark types of a table."""
    return {field.name: field.dataType.simpleString() for field in spark.table(name).schema.fields}


def table_version(spark: SparkSession, name: str) -> int:
    """The current Delta version of a table.

    On the embedded engine the newest commit's number is read from the table's log, where `DESCRIBE HISTORY` costs
    a query of 0.3 to 2 s; elsewhere, and for tables outside of the warehouse folder, it is asked of Spark.
    """
    commits = _local_commits(name)
    if commits:
        return max(commits)
    return int(spark.sql(f"DESCRIBE HISTORY {name} LIMIT 1").select("version").collect()[0][0])


def _local_commits(name: str) -> dict[int, Path]:
    """The commit files of a table of the embedded engine's warehouse by version; none for any other table."""
    if settings().spark_remote is not None:
        return {}
    log = delta_folder(name, settings()) / "_delta_log"
    return {int(path.stem): path for path in log.glob("*.json") if path.stem.isdigit()}


def _actions(commit: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in commit.read_text(encoding="utf-8").splitlines()]


# What leaves the rows of a table as they were, in the words of Delta's log.
_NO_CHANGE_OF_ROWS = ("SET TBLPROPERTIES", "ADD COLUMNS", "CHANGE COLUMN", "OPTIMIZE", "VACUUM START", "VACUUM END")


def only_appended_since(spark: SparkSession, name: str, version: int) -> bool:
    """Whether every commit after `version` only added rows: no update, deletion, replacement or restoration."""
    commits = _local_commits(name)
    if commits:
        lines = [path.read_text(encoding="utf-8") for v, path in commits.items() if v > version]
        infos = [
            json.loads(line)["commitInfo"] for text in lines for line in text.splitlines() if '"commitInfo"' in line
        ]
        modes = [(info["operation"], info.get("operationParameters", {}).get("mode")) for info in infos]
    else:
        rows = spark.sql(f"DESCRIBE HISTORY {name}").where(f"version > {version}")
        modes = [(row[0], row[1]) for row in rows.selectExpr("operation", "operationParameters['mode']").collect()]
    return all(
        operation in _NO_CHANGE_OF_ROWS or (operation == "WRITE" and mode == "Append") for operation, mode in modes
    )


def local_version(name: str) -> int | None:
    """The current Delta version where it can be told without a query: on the embedded engine; else None."""
    commits = _local_commits(name)
    return max(commits) if commits else None


@dataclass(frozen=True)
class CommitSize:
    """How much one commit added; `rows` is None where the writer kept no statistics."""

    rows: int | None
    bytes: int
    files: int


def commit_size(name: str, version: int) -> CommitSize | None:
    """What one commit of a table of the embedded engine added, from its log; None for any other table."""
    commit = _local_commits(name).get(version)
    if commit is None:
        return None
    added = [action["add"] for action in _actions(commit) if "add" in action]
    rows: list[Any] = [json.loads(add["stats"]).get("numRecords") if add.get("stats") else None for add in added]
    known = None if None in rows else sum(rows)
    return CommitSize(known, sum(add["size"] for add in added), len(added))


def data_files(name: str, version: int) -> list[Path]:
    """The Parquet files that make up a table of the embedded engine at a version, rows deleted by vectors included.

    Empty for any other table, for a version that can no longer be read, and for a table whose columns may have other names in
    its files (column mapping).
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    if not _local_commits(name):
        return []
    folder = delta_folder(name, settings())
    try:
        table = DeltaTable(folder, version=version)
    except DeltaError:
        return []
    if "delta.columnMapping.mode" in table.metadata().configuration:
        return []
    return sorted(folder / unquote(path) for path in table.get_add_actions(flatten=True)["path"].to_pylist())


def was_never_filled(name: str) -> bool:
    """Whether a table was created and nothing more, as far as its log can be read here; a look-up of no query.

    A source that a plan does not have leaves its tables so, every night.
    """
    commits = _local_commits(name)
    return set(commits) == {0} and '"add":' not in commits[0].read_text(encoding="utf-8")


def read_version(spark: SparkSession, name: str, version: int) -> DataFrame:
    """The table as of one Delta version."""
    return spark.sql(f"SELECT * FROM {name} VERSION AS OF {int(version)}")


def conform(df: DataFrame, contract: TableContract) -> DataFrame:
    """The contract's columns, in its order.

    Raises:
        ContractError: a column is missing, extra, or of another type (nothing is cast silently).
    """
    present = {field.name: field.dataType.simpleString() for field in df.schema.fields}
    wanted = {column.name: column.spark_type for column in contract.columns}
    _refuse_other_columns(contract.name, present, wanted)
    if missing := [name for name in wanted if name not in present]:
        raise ContractError(
            f"The rows for {contract.name} lack columns.",
            expected=", ".join(missing),
            actual=", ".join(present),
            todo="Select every column of the contract.",
        )
    return df.select(*wanted)


def _refuse_other_columns(name: str, present: dict[str, str], wanted: dict[str, str]) -> None:
    extra = sorted(set(present) - set(wanted))
    other = [f"{c} {present[c]} instead of {t}" for c, t in wanted.items() if c in present and present[c] != t]
    if extra or other:
        raise ContractError(
            f"{name} does not have the columns of its contract.",
            expected="the contract's columns and types",
            actual="; ".join([*(f"extra {column}" for column in extra), *other]),
            todo="Cast or rename the columns; if the contract changed, migrate the table.",
        )


def rows_of_contract(spark: SparkSession, contract: TableContract, rows: Iterable[Mapping[str, Any]]) -> DataFrame:
    """A few rows from the driver as a frame with the contract's columns and types, written as one file.

    Args:
        spark: the session.
        contract: of the table that they are for.
        rows: each with every column of the contract; what else it holds is left out.
    """
    schema = ", ".join(f"`{column.name}` {column.spark_type}" for column in contract.columns)
    frame = spark.createDataFrame([tuple(row[name] for name in contract.column_names) for row in rows], schema)
    return frame.coalesce(1)


@dataclass(frozen=True)
class Content:
    """A multiset of rows in three numbers: equal for the same rows in any order, and for others with chance 2^-128.

    Sums of row hashes count copies and need one scan and no shuffle of rows, where `EXCEPT ALL` both ways shuffles both
    sides twice.
    """

    rows: int
    hash_1: int
    hash_2: int


def content_sql(columns: Iterable[str]) -> tuple[str, str]:
    """Spark SQL BIGINT hashes of a row, whose wrapping sums make a `Content`.

    The row's NULLs are hashed apart, because `xxhash64` skips them and (NULL, 'a') would equal ('a', NULL).
    """
    names = list(columns)
    values, nulls = (", ".join(form.format(name) for name in names) for form in ("`{}`", "isnull(`{}`)"))
    return f"xxhash64(1, {values}, {nulls})", f"xxhash64(2, {values}, {nulls})"


def wrapped(value: int) -> int:
    """An integer as a signed 64-bit one, as Spark's sums wrap with ANSI mode off."""
    return (value + 2**63) % 2**64 - 2**63


def content_of(df: DataFrame) -> Content:
    """The rows' content; one query."""
    first, second = content_sql(df.columns)
    row = df.selectExpr("count(*)", f"coalesce(sum({first}), 0)", f"coalesce(sum({second}), 0)").collect()[0]
    return Content(*row)


def content_at(spark: SparkSession, contract: TableContract, predicate: str | None) -> Content:
    """The content of the table's rows that match `predicate` (all where None)."""
    table = spark.table(contract.name).select(*contract.column_names)
    return content_of(table if predicate is None else table.where(predicate))


def replace_where(df: DataFrame, contract: TableContract, predicate: str, run_id: str) -> Written:
    """Atomically replace the rows that match `predicate` by `df`, all of whose rows must match it.

    Writes nothing, and makes no new version, when the table already holds exactly these rows.

    Args:
        df: the new rows; computed once, kept on disk and in memory until written.
        contract: of the table, which must exist.
        predicate: Spark SQL, e.g. `data_source = 'tuva' AND run_date = DATE'2026-11-23'`.
        run_id: goes into the commit as `userMetadata`.

    Raises:
        ContractError: columns or types differ from the contract.
    """
    spark, name = cast(SparkSession, df.sparkSession), contract.name
    staged = conform(df, contract).persist(StorageLevel.MEMORY_AND_DISK)
    try:
        with lineage.unobserved():
            content = content_of(staged)
            changed = content != content_at(spark, contract, predicate)
            if changed:
                overwrite_where(staged, name, predicate, run_id)
            written = Written(table_version(spark, name), content.rows, changed)
        lineage.wrote(df, name, written.version, written.rows)
        return written
    finally:
        staged.unpersist()


def overwrite_where(df: DataFrame, name: str, predicate: str | None, run_id: str) -> None:
    """Atomically replace the rows matching `predicate` (all rows where None), whatever is there.

    Columns are matched by name. An overwrite by `saveAsTable` would create the table anew and lose its comments.
    """
    condition = F.expr(predicate) if predicate else F.lit(True)
    df.writeTo(name).option("userMetadata", run_id).overwrite(condition)


def join_small_files(spark: SparkSession, name: str, most: int = 50) -> bool:
    """Join the files of a table that grows by a few rows at a time, once they are more than `most`; whether they were.

    Its rows stay as they are. Delta's own auto-compaction rewrites a table without partitions at every append.
    """
    is_scattered = _file_count(spark, name) > most
    if is_scattered:
        spark.sql(f"OPTIMIZE {name}")
    return is_scattered


def _file_count(spark: SparkSession, name: str) -> int:
    """Of the current version; from the table's log where that is here, as `DESCRIBE DETAIL` costs a second."""
    from deltalake import DeltaTable

    if _local_commits(name):
        return len(DeltaTable(delta_folder(name, settings())).file_uris())
    return int(spark.sql(f"DESCRIBE DETAIL {name}").select("numFiles").collect()[0][0])


@contextmanager
def commit_note(spark: SparkSession, run_id: str) -> Iterator[None]:
    """Statements without writer options, as DELETE and MERGE, carry the run id in their commits."""
    spark.conf.set(_COMMIT_NOTE, run_id)
    try:
        yield
    finally:
        spark.conf.unset(_COMMIT_NOTE)


def append(df: DataFrame, name: str, run_id: str) -> None:
    """Append rows; the run id goes into the commit."""
    df.write.format("delta").mode("append").option("userMetadata", run_id).saveAsTable(name)
    lineage.appended(df, name)


def append_idempotent(df: DataFrame, name: str, app_id: str, version: int) -> None:
    """Append once per `(app_id, version)`: Delta skips a version that is not above the last one of that `app_id`."""
    options = {"txnAppId": app_id, "txnVersion": str(version)}
    df.write.format("delta").mode("append").options(**options).saveAsTable(name)
    lineage.appended(df, name)
