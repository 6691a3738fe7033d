"""What was typed: one statement that reads, and the tables that it names; anything else is refused."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from contracts.errors import UserError

_ASKED = "one SELECT, WITH, DESCRIBE or SHOW TABLES"
_LANGUAGES = {"duckdb": "DuckDB", "spark": "Spark"}
_READS = (exp.Select, exp.SetOperation, exp.Values, exp.Subquery)
# Statements that write can hide within one that reads (`with x as (delete …) select …`).
_WRITES = (
    exp.DML, exp.DDL, exp.Command, exp.Into, exp.Copy, exp.Attach, exp.Detach, exp.Set, exp.Use, exp.Pragma, exp.Merge,
    exp.Drop, exp.Alter, exp.TruncateTable, exp.LoadData, exp.Export,
)  # fmt: skip
# Functions of Spark and DuckDB that run code, read the machine or tell of its set-up.
_UNSAFE = {
    "reflect", "java_method", "try_reflect", "getenv", "current_setting", "input_file_name", "getvariable", "query",
    "query_table", "sniff_csv", "read_text", "read_blob", "session_window_udf", "python_udf",
}  # fmt: skip
logging.getLogger("sqlglot").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Query:
    """A statement that reads rows. `tables` are `schema.table`, in order of first mention."""

    tree: exp.Expression
    tables: tuple[str, ...]

    def without_literals(self) -> str:
        """The statement with every literal replaced by `?`: it may be kept, since it names nobody."""
        bare = self.tree.transform(lambda node: exp.Placeholder() if isinstance(node, exp.Literal) else node)
        return bare.sql(comments=False)


@dataclass(frozen=True)
class Describe:
    """DESCRIBE of one table or view."""

    table: str


@dataclass(frozen=True)
class ShowTables:
    """SHOW TABLES, of one schema or of all."""

    schema: str | None


@dataclass(frozen=True)
class ShowSchemas:
    """SHOW SCHEMAS, or SHOW DATABASES."""


def parse(text: str, dialect: str, schema: str | None = None) -> Query | Describe | ShowTables | ShowSchemas:
    """Tell what a text asks for.

    Args:
        text: as typed; one statement, a closing semicolon is allowed.
        dialect: `duckdb` or `spark`.
        schema: of tables that are named without one; by default none may be.

    Raises:
        UserError: not SQL, several statements, or anything that is not reading published tables.
    """
    if (shown := _show(text)) is not None:
        return shown
    try:
        trees = [tree for tree in sqlglot.parse(text, dialect=dialect) if tree is not None]
    except SqlglotError as error:
        raise UserError(f"This is not {_LANGUAGES[dialect]} SQL{_where(error)}.", expected=_ASKED) from None
    if len(trees) != 1:
        raise UserError(f"{len(trees)} statements were given.", expected=_ASKED)
    tree = trees[0]
    if isinstance(tree, exp.Describe) and isinstance(tree.this, exp.Table):
        return Describe(_name(tree.this, schema))
    if not isinstance(tree, _READS + _WRITES):
        raise UserError("This is no statement.", expected=_ASKED)
    if not isinstance(tree, _READS) or tree.find(*_WRITES) is not None:
        raise UserError(f"This door only reads; {tree.key.upper()} is refused.", expected=_ASKED)
    _refuse_unsafe(tree)
    return Query(tree, _tables(tree, schema))


def _show(text: str) -> ShowTables | ShowSchemas | None:
    """SHOW TABLES [IN|FROM schema] | SHOW SCHEMAS, which the dialects parse differently."""
    words = text.lower().replace("`", "").rstrip("; \n\t").split()
    if words[:2] == ["show", "tables"]:
        rest = words[2:]
        if not rest or (len(rest) == 2 and rest[0] in ("in", "from")):
            return ShowTables(rest[1] if rest else None)
    if words in (["show", "schemas"], ["show", "databases"]):
        return ShowSchemas()
    return None


def _refuse_unsafe(tree: exp.Expression) -> None:
    for function in tree.find_all(exp.Func):
        name = (function.name if isinstance(function, exp.Anonymous) else function.sql_name()).lower()
        if name in _UNSAFE:
            raise UserError(f"The function `{name}` is refused: it reaches beyond the published tables.")


def _tables(tree: exp.Expression, schema: str | None) -> tuple[str, ...]:
    """Every table named, less the names of common table expressions; a name without a schema is given this one."""
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    found: dict[str, None] = {}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.GenerateSeries) or table.find_ancestor(exp.Hint):  # a hint names aliases
            continue
        if isinstance(table.this, exp.Identifier) and not table.db and table.name.lower() in ctes:
            continue
        found.setdefault(_name(table, schema))
    return tuple(found)


def _name(table: exp.Table, schema: str | None) -> str:
    if schema is not None and isinstance(table.this, exp.Identifier) and not table.db:
        table.set("db", exp.to_identifier(schema))
    if not isinstance(table.this, exp.Identifier) or not table.db or table.catalog:
        shown = table.this.name if isinstance(table.this, exp.Identifier) else "a function"
        raise UserError(
            f"`{shown}` is no table of this warehouse.",
            expected="schema.table, for example outreach.priority",
            todo='`outreach sql "show tables"` lists them.',
        )
    return f"{table.db}.{table.name}".lower()


def _where(error: SqlglotError) -> str:
    """Line and column of a parse error; its text would repeat what was typed, which may name a member."""
    details = getattr(error, "errors", None)
    if not details or details[0].get("line") is None:
        return ""
    return f" (line {details[0]['line']}, column {details[0]['col']})"
