"""One statement from text to rows: which engine, what the role may see, what is put on the access record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from contracts.errors import UserError
from contracts.roles import Role
from contracts.settings import Settings
from jobs.access_audit import Reader, local_reader, record_access
from jobs.query import duck
from jobs.query.access import Readable, described, readable, shown_schemas, shown_tables
from jobs.query.statement import Describe, Query, ShowSchemas, ShowTables, parse

if TYPE_CHECKING:
    import pyarrow as pa

Engine = Literal["auto", "duckdb", "spark"]


@dataclass(frozen=True)
class Answer:
    """Rows, which engine gave them, and a note for the person who asked."""

    rows: pa.Table
    engine: str
    note: str | None = None


def answer(
    text: str, engine: Engine, config: Settings, reader: Reader | None = None, schema: str | None = None
) -> Answer:
    """Run one read-only statement.

    Args:
        text: SQL of the engine: DuckDB's for `duckdb` and `auto`, Spark's for `spark`.
        engine: `auto` asks DuckDB where the warehouse is a folder of this machine, else Spark.
        config: settings.
        reader: who asks, and in which role; by default the person at this machine.
        schema: of tables that are named without one; by default none may be.

    Raises:
        UserError: the statement is refused.
        EngineError: Spark is needed and there is none.
    """
    reader = reader or local_reader("sql", config)
    asked = parse(text, "spark" if engine == "spark" else "duckdb", schema)
    if isinstance(asked, Describe):
        return Answer(_columns_of(asked.table, reader.role), "dictionary")
    if isinstance(asked, ShowTables):
        return Answer(_tables_of(asked, reader.role), "dictionary")
    if isinstance(asked, ShowSchemas):
        return Answer(_schemas(asked, reader.role), "dictionary")
    names = readable(asked.tables, reader.role)
    why = duck.elsewhere(config)
    if why is None:
        duck.require(names, config)  # before an engine is started to say so
    elif engine == "duckdb":
        raise UserError(f"DuckDB cannot read this: {why}.", todo="use `--engine spark`.")
    chosen = "spark" if engine == "spark" or why is not None else "duckdb"
    if names.identified:
        record_access(
            reader, engine=chosen, tables=names.identified, is_identified=True, statement=asked.without_literals()
        )
    note = f"answered by Spark: {why}" if why and engine == "auto" else None
    return Answer(_rows(asked, names, chosen, config), chosen, note)


def _rows(query: Query, names: Readable, engine: str, config: Settings) -> pa.Table:
    if engine == "duckdb":
        return duck.run(query, names, config)
    from jobs.query import spark

    return spark.run(query, names)


def _columns_of(name: str, role: Role) -> pa.Table:
    import pyarrow as pa

    _, columns = described(name, role)
    return pa.table({
        "column": [c.name for c in columns], "type": [c.type for c in columns], "meaning": [c.description for c in columns],
    })  # fmt: skip


def _tables_of(asked: ShowTables, role: Role) -> pa.Table:
    import pyarrow as pa

    entries = shown_tables(asked.schema, role, asked.like)
    return pa.table({
        "table": [e.name for e in entries],
        "rows are": [_shown_as(e.schema, role) for e in entries],
        "meaning": [e.description for e in entries],
    })  # fmt: skip


def _schemas(asked: ShowSchemas, role: Role) -> pa.Table:
    import pyarrow as pa

    layers = pa.array(shown_schemas(role, asked.like), "string")
    return pa.table({"schema": layers, "rows are": [_shown_as(str(layer), role) for layer in layers]})


def _shown_as(schema: str, role: Role) -> str:
    return "as they are" if schema in role.identified_layers else "de-identified"
