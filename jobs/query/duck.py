"""Answers from the Delta files through DuckDB: no JVM, only the tables that a statement needs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.errors import UserError
from contracts.settings import Settings
from jobs.query.access import columns_hint, not_there

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from contracts.dictionary import TableEntry
    from jobs.query.access import Readable
    from jobs.query.statement import Query


_NO_COLUMN = re.compile(r"column .*(not found|does not have)|does not have a column", re.IGNORECASE)


def delta_folder(name: str, config: Settings) -> Path:
    """Where the embedded engine keeps a table."""
    schema, table = name.split(".")
    return Path(config.warehouse_url) / f"{schema}.db" / table


def elsewhere(config: Settings) -> str | None:
    """Why DuckDB cannot answer; None when it can: a foreign engine's warehouse, too, is read where it is named and is here."""
    is_here = config.spark_remote is None or (config.warehouse is not None and Path(config.warehouse).is_dir())
    if "://" in config.warehouse_url or not is_here:
        return "the warehouse is not a folder of this machine"
    return None


def is_there(name: str, config: Settings) -> bool:
    """Whether a table of a warehouse that is a folder here has been made."""
    return (delta_folder(name, config) / "_delta_log").is_dir()


def require(names: Readable, config: Settings) -> None:
    """Refuse what needs tables that no night has made yet; only where the warehouse is a folder here.

    Raises:
        UserError: at least one is missing.
    """
    if missing := [e.name for e in names.entries if e.sql is None and not is_there(e.name, config)]:
        raise not_there(missing, has_night=is_there("outreach.priority", config))


def run(query: Query, names: Readable, config: Settings) -> pa.Table:
    """The rows that a statement gives.

    Raises:
        UserError: DuckDB refuses the statement.
    """
    connection = connect(names, config)
    return fetch(connection, query.tree.sql(dialect="duckdb"), tables=query.tables)


def connect(names: Readable, config: Settings) -> duckdb.DuckDBPyConnection:
    """A database in memory that holds the readable tables and views, and reaches nothing else.

    Raises:
        UserError: a table is damaged, or has other columns than this release expects.
    """
    import duckdb

    connection = duckdb.connect(config={"enable_external_access": "false", "autoinstall_known_extensions": "false"})
    connection.execute("set timezone = 'UTC'; set python_enable_replacements = false")
    for schema in {entry.schema for entry in names.entries}:
        connection.execute(f"create schema {schema}")
    for entry in names.entries:
        sql = entry.sql
        if sql is None:
            # The name cannot be guessed, so that no statement names the rows behind a de-identified view.
            hidden = f"t_{secrets.token_hex(16)}"
            rows = _dataset(entry.name, config)
            connection.register(hidden, rows)
            columns = names.select_list(entry, "duckdb", partial(_put, connection)) or "*"
            sql = f"select {columns} from {_whole(entry, rows, hidden)}"
        try:
            connection.execute(f"create view {entry.name} as {sql}")
        except duckdb.Error as error:  # its text quotes the view
            raise UserError(
                f"{entry.name} has other columns than this release expects ({type(error).__name__}).",
                todo="run a night, which brings tables up to date; `outreach doctor` says whether one is damaged.",
            ) from None
    connection.execute("set lock_configuration = true")
    return connection


def _put(connection: duckdb.DuckDBPyConnection, half: str) -> str:
    """SQL of a half of a key that the catalogue does not show: a variable, whose name must stand in a statement as a text."""
    name = f"k_{secrets.token_hex(16)}"
    connection.execute(f"set variable {name} = '{half}'")
    return f"getvariable('{name}')"


def fetch(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: list[Any] | dict[str, Any] | None = None,
    tables: Sequence[str] = (),
) -> pa.Table:
    """Rows as Arrow; `tables` are those whose columns are hinted at where one is not known.

    Raises:
        UserError: the statement cannot be answered.
    """
    import duckdb

    try:
        return connection.sql(sql, params=parameters or None).to_arrow_table()
    except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
        line = _first_line(error)
        todo = columns_hint(tables) if _NO_COLUMN.search(line) else None
        raise UserError(f"DuckDB refuses the statement: {line}", todo=todo) from None
    except duckdb.Error as error:  # others may quote a value, which may be a member's
        raise UserError(
            f"DuckDB cannot answer the statement ({type(error).__name__}).",
            todo="look at casts and functions that fail on some rows; `try_cast` gives NULL instead.",
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].split(": ", 1)[-1]


def _whole(entry: TableEntry, rows: Any, hidden: str) -> str:
    """The rows with every column of the contract: one that the table has not gained yet (the next night adds it) is NULL."""
    there = set(rows.schema.names)
    types = {"timestamp": "timestamptz", "array<string>": "varchar[]"}
    missing = [f"cast(null as {types.get(c.type, c.type)}) as {c.name}" for c in entry.columns if c.name not in there]
    return f"(select *, {', '.join(missing)} from {hidden})" if missing else hidden


def _dataset(name: str, config: Settings) -> Any:
    """An Arrow dataset of the table's current version; files are read as they are needed.

    Raises:
        UserError: the table is damaged, or has a feature that this reader has not.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable(delta_folder(name, config)).to_pyarrow_dataset()
    except DeltaError as error:
        raise UserError(
            f"{name} cannot be read without Spark ({type(error).__name__}).",
            todo="use `--engine spark`; `outreach doctor` says whether the table is damaged.",
        ) from None
