"""What was typed: one statement that reads, and the tables that it names; anything else is refused."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError

from contracts.deidentify import shown_columns
from contracts.dictionary import dictionary
from contracts.errors import UserError
from jobs.query.functions import ROWS, is_allowed

_ASKED = "one SELECT, WITH or DESCRIBE, or SHOW TABLES, SCHEMAS or COLUMNS"
_LANGUAGES = {"duckdb": "DuckDB", "spark": "Spark"}
_NAME, _LIKE = r"`?(\w+)`?", r"(?:\s+(?:like\s+)?'([^']*)')?"
_SHOW_TABLES = re.compile(rf"show\s+tables(?:\s+(?:in|from)\s+{_NAME})?{_LIKE}")
_SHOW_SCHEMAS = re.compile(rf"show\s+(?:schemas|databases){_LIKE}")
_SHOW_COLUMNS = re.compile(rf"show\s+columns\s+(?:in|from)\s+(?:{_NAME}\.)?{_NAME}(?:\s+(?:in|from)\s+{_NAME})?")
# They write nothing, and are refused all the same, but where they are answered from the dictionary: an engine tells of
# plans, files and the texts of views.
_OTHERWISE_TELLING = ("SHOW", "EXPLAIN", "DESCRIBE")
_READS = (exp.Select, exp.SetOperation, exp.Values, exp.Subquery)
# Statements that write can hide within one that reads (`with x as (delete …) select …`).
_WRITES = (
    exp.DML, exp.DDL, exp.Command, exp.Into, exp.Copy, exp.Attach, exp.Detach, exp.Set, exp.Use, exp.Pragma, exp.Merge,
    exp.Drop, exp.Alter, exp.TruncateTable, exp.LoadData, exp.Export,
)  # fmt: skip
# Beside conditions and functions, all that a statement may be made of. A list of what is known to read, not of what is
# known to do more: the parser knows a hundred other kinds, one of which runs a program (`transform … using`).
_PARTS = (
    *_READS, exp.Alias, exp.Aliases, exp.AtTimeZone, exp.Cluster, exp.Comprehension, exp.CTE, exp.Cube, exp.DataType, exp.DataTypeParam,
    exp.Distinct, exp.Fetch, exp.Filter, exp.From, exp.FromTimeZone, exp.Group, exp.GroupingSets, exp.Having, exp.Hint, exp.Identifier,
    exp.IgnoreNulls, exp.Interval, exp.IntervalSpan, exp.Join, exp.JoinHint, exp.JSONKeyValue, exp.JSONPath, exp.JSONPathPart,
    exp.Lambda, exp.Lateral, exp.Limit, exp.LimitOptions, exp.National, exp.Offset, exp.Order, exp.Ordered, exp.Pivot,
    exp.PivotAlias, exp.PivotAny, exp.PositionalColumn, exp.Qualify, exp.RespectNulls, exp.Rollup, exp.Slice, exp.Sort,
    exp.Star, exp.Table, exp.TableAlias, exp.TableSample, exp.Tuple, exp.UnpivotColumns, exp.Var, exp.Version, exp.Where,
    exp.WindowSpec, exp.With, exp.WithinGroup,
)  # fmt: skip
# Of Spark: the file of each row, with its folder.
_HIDDEN_COLUMN = "_metadata"
# Of DuckDB's own catalogue, which is seen without naming a schema.
_CATALOGUE = ("duckdb_", "pg_", "pragma_", "sqlite_")
logging.getLogger("sqlglot").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Query:
    """A statement that reads rows. `tables` are `schema.table`, in order of first mention."""

    tree: exp.Expr
    tables: tuple[str, ...]
    text: str
    dialect: str

    def without_literals(self) -> str:
        """The statement as it may be kept, since it names nobody.

        Only words of the language and names of the dictionary and of functions stay. Any other name, which the person
        made up, is numbered, since a quoted name may be a value, typed so by mistake; all else is replaced by `?`.
        """
        made_up: dict[str, str] = {}
        parts: list[str] = []
        end = -1
        for token in sqlglot.tokenize(self.text, dialect=self.dialect):
            gap = " " if token.start > end + 1 and parts else ""
            parts.append(gap + _bare(token, self.dialect, made_up))
            end = token.end
        return "".join(parts)


@dataclass(frozen=True)
class Describe:
    """DESCRIBE of one table or view."""

    table: str


@dataclass(frozen=True)
class ShowTables:
    """SHOW TABLES, of one schema or of all; `like` is the pattern of their names."""

    schema: str | None
    like: str = "*"


@dataclass(frozen=True)
class ShowSchemas:
    """SHOW SCHEMAS, or SHOW DATABASES; `like` is the pattern of their names."""

    like: str = "*"


def parse(text: str, dialect: str, schema: str | None = None) -> Query | Describe | ShowTables | ShowSchemas:
    """Tell what a text asks for.

    Args:
        text: as typed; one statement, a closing semicolon is allowed.
        dialect: `duckdb` or `spark`.
        schema: of tables that are named without one, and what the statement is told is the current one; by default
            no table may be named so.

    Raises:
        UserError: not SQL, several statements, or anything that is not reading published tables.
    """
    if (shown := _show(text, schema)) is not None:
        return shown
    try:
        trees = [tree for tree in sqlglot.parse(text, dialect=dialect) if tree is not None]
    except SqlglotError as error:
        raise UserError(f"This is not {_LANGUAGES[dialect]} SQL{_where(error)}.", expected=_ASKED) from None
    if len(trees) != 1:
        raise UserError(f"{len(trees)} statements were given.", expected=_ASKED)
    tree = trees[0]
    if (
        isinstance(tree, exp.Describe)
        and isinstance(tree.this, exp.Table)
        and tree.text("kind").lower() in ("", "table")
    ):
        return Describe(_name(tree.this, schema))
    if not isinstance(tree, (*_READS, *_WRITES, exp.Describe)):
        raise UserError("This is no statement that this door knows.", expected=_ASKED)
    refused = tree if not isinstance(tree, _READS) else next((n for n in tree.walk() if not _reads(n)), None)
    if isinstance(refused, (*_WRITES, exp.Describe)):
        word = str(refused.this if isinstance(refused, exp.Command) else refused.key).upper()
        if word in _OTHERWISE_TELLING:
            raise UserError(
                f"This door only reads published rows and says what they mean; {word} of anything else is refused.",
                expected=_ASKED,
            )
        raise UserError(f"This door only reads; {word} is refused.", expected=_ASKED)
    if refused is not None:
        raise UserError(
            f"This door only reads; {refused.key.upper()} is refused, which is not among what is known to do no more.",
            expected=_ASKED,
        )
    tables = _tables(tree, schema)
    _refuse_unsafe(tree, dialect)
    if schema is not None:
        _tell_schema(tree, schema)
    return Query(tree, tables, text, dialect)


def _reads(node: exp.Expr) -> bool:
    if isinstance(node, exp.ColumnDef):  # a field of a struct's type
        return isinstance(node.parent, exp.DataType)
    return isinstance(node, (exp.Condition, *_PARTS)) and not isinstance(node, _WRITES)


def _show(text: str, schema: str | None) -> ShowTables | ShowSchemas | Describe | None:
    """SHOW TABLES, SCHEMAS and COLUMNS, which the dialects parse differently; the last is answered as DESCRIBE is."""
    words = text.lower().strip().rstrip("; \n\t")
    if found := _SHOW_TABLES.fullmatch(words):
        return ShowTables(found[1], found[2] or "*")
    if found := _SHOW_SCHEMAS.fullmatch(words):
        return ShowSchemas(found[1] or "*")
    if found := _SHOW_COLUMNS.fullmatch(words):
        return Describe(_name(exp.table_(found[2], db=found[3] or found[1]), schema))
    return None


def _tell_schema(tree: exp.Expr, schema: str) -> None:
    """Put the schema where a statement asks for the current one: the engine's session serves several, in none of them."""
    for asked in list(tree.find_all(exp.CurrentSchema, exp.CurrentDatabase)):
        told: exp.Expr = exp.Literal.string(schema)
        if isinstance(asked.parent, exp.Select) and asked.arg_key == "expressions":
            told = exp.alias_(told, f"{asked.sql_name().lower()}()", quoted=True)
        asked.replace(told)


def _refuse_unsafe(tree: exp.Expr, dialect: str) -> None:
    if dialect == "spark" and tree.find(exp.Parameter):
        raise UserError("Variables are refused: Spark puts settings and the environment in their place.")
    for cte in tree.find_all(exp.CTE):
        # Within itself the name is the catalogue's, unless the expression is recursive in just the right way.
        if _folded(cte.alias).startswith(_CATALOGUE):
            raise UserError(
                f"The name `{cte.alias}` is refused: it is one of the engine's own catalogue.", todo="use another."
            )
    for function in tree.find_all(exp.Anonymous):
        if not is_allowed(function.name, dialect):
            raise UserError(
                f"The function `{function.name}` is refused: it is none of those known to compute from their arguments alone."
            )
    if any(_folded(name.name) == _HIDDEN_COLUMN for name in tree.find_all(exp.Identifier)):
        raise UserError(f"The column `{_HIDDEN_COLUMN}` is refused: it tells of files, not of published rows.")


def _tables(tree: exp.Expr, schema: str | None) -> tuple[str, ...]:
    """Every table named, less the names of common table expressions; a name without a schema is given this one."""
    found: dict[str, None] = {}
    for source in tree.find_all(exp.Table, exp.Lateral):
        if source.find_ancestor(exp.Hint):  # a hint names aliases
            continue
        if isinstance(source.this, exp.Func):
            _refuse_unless_rows(source.this)
        elif isinstance(source, exp.Table) and not _is_common(source):
            found.setdefault(_name(source, schema))
    return tuple(found)


def _refuse_unless_rows(function: exp.Func) -> None:
    """A function where a table stands may only unfold its arguments: others read catalogues, files and tables by text."""
    name = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
    if name.lower() not in ROWS:
        raise _no_table(name.lower())


def _is_common(table: exp.Table) -> bool:
    """Whether a name is that of a common table expression there: one of another part of the statement hides nothing."""
    return isinstance(table.this, exp.Identifier) and not table.db and _folded(table.name) in _common_names(table)


def _common_names(node: exp.Expr) -> Iterator[str]:
    """Of the common table expressions that the node sees: those of queries around it, and earlier ones beside it."""
    below = node
    while (above := below.parent) is not None:
        if isinstance(above, exp.With):
            place = next(n for n, cte in enumerate(above.expressions) if cte is below)
            seen = above.expressions[: place + 1 if above.recursive else place]
        else:
            clause = above.args.get("with_")
            seen = [] if clause is None or clause is below else clause.expressions
        yield from (_folded(cte.alias) for cte in seen)
        below = above


def _folded(name: str) -> str:
    """As engines compare names: without case, which they know of ASCII only."""
    return name.lower() if name.isascii() else name


def _name(table: exp.Table, schema: str | None) -> str:
    if schema is not None and isinstance(table.this, exp.Identifier) and not table.db:
        table.set("db", exp.to_identifier(schema))
    if not isinstance(table.this, exp.Identifier) or not table.db or table.catalog:
        shown = table.this.name if isinstance(table.this, exp.Identifier) else "a function"
        raise _no_table(shown)
    return f"{_folded(table.db)}.{_folded(table.name)}"


def _no_table(shown: str) -> UserError:
    return UserError(
        f"`{shown}` is no table of this warehouse.",
        expected="schema.table, for example outreach.priority",
        todo='`outreach sql "show tables"` lists them.',
    )


def _bare(token: Token, dialect: str, made_up: dict[str, str]) -> str:
    """A word of a statement as it may be kept; `made_up` gathers the numbers of names."""
    if token.token_type in (TokenType.VAR, TokenType.IDENTIFIER):
        word = _folded(token.text)
        if word in _known_names() or is_allowed(word, dialect):
            return token.text
        return made_up.setdefault(word, f"n{len(made_up) + 1}")
    language = sqlglot.Dialect.get_or_raise(dialect).tokenizer_class
    word = " ".join(token.text.upper().split())
    is_of_it = token.token_type in (language.KEYWORDS.get(word), language.SINGLE_TOKENS.get(word))
    return token.text if is_of_it else "?"


@cache
def _known_names() -> frozenset[str]:
    """Schemas, tables and columns, those of de-identified views too."""
    found: set[str] = set()
    for entry in dictionary().values():
        found.update(entry.name.split("."), (c.name for c in entry.columns))
        found.update(c.name for c in shown_columns(entry, b"", "duckdb"))
    return frozenset(found)


def _where(error: SqlglotError) -> str:
    """Line and column of a parse error; its text would repeat what was typed, which may name a member."""
    details = getattr(error, "errors", None)
    if not details or details[0].get("line") is None:
        return ""
    return f" (line {details[0]['line']}, column {details[0]['col']})"
