"""Column lineage of a SQL query: from which columns of which tables each output column is made, and how.

The SQL is parsed and qualified by sqlglot; walking its scopes and classing each step after OpenLineage is done here.
https://openlineage.io/docs/spec/facets/dataset-facets/column_lineage_facet
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope
from sqlglot.schema import MappingSchema

from contracts.catalog import catalog
from jobs.lineage.naming import seed_tables


class How(StrEnum):
    """OpenLineage's subtypes of a transformation; the first three are direct, the others indirect."""

    IDENTITY = "IDENTITY"
    TRANSFORMATION = "TRANSFORMATION"
    AGGREGATION = "AGGREGATION"
    CONDITIONAL = "CONDITIONAL"
    WINDOW = "WINDOW"
    SORT = "SORT"
    JOIN = "JOIN"
    FILTER = "FILTER"
    GROUP_BY = "GROUP_BY"

    @property
    def is_direct(self) -> bool:
        """Whether the value itself is made from the column."""
        return self in _DIRECT


_DIRECT = (How.IDENTITY, How.TRANSFORMATION, How.AGGREGATION)


@dataclass(frozen=True, order=True)
class Source:
    """A column that another one is made from.

    Attributes:
        dataset: `schema.table`.
        how: the kind of step, or of the steps together.
        masking: the value cannot be told from the result (a hash, a count).
    """

    dataset: str
    column: str
    how: How = How.IDENTITY
    masking: bool = False

    def through(self, how: How, masking: bool = False) -> Source:
        """This source as seen after one more step. Indirect stays indirect; of two direct steps the stronger counts."""
        both = (self.how, how)
        if all(step.is_direct for step in both):
            kept = max(both, key=_DIRECT.index)
        else:
            kept = self.how if how.is_direct else how
        return Source(self.dataset, self.column, kept, self.masking or masking)


@dataclass(frozen=True)
class ColumnLineage:
    """Lineage of one query or table.

    Attributes:
        columns: per output column what its value is made from.
        rows: what decides which rows there are: joins, filters, groups.
        tables: every table read.
    """

    columns: Mapping[str, frozenset[Source]] = field(default_factory=dict)
    rows: frozenset[Source] = frozenset()
    tables: frozenset[str] = frozenset()

    def without(self, table: str) -> ColumnLineage:
        """The same without what a table takes from itself (an increment, the nights before)."""
        kept = {name: frozenset(s for s in sources if s.dataset != table) for name, sources in self.columns.items()}
        rows = frozenset(source for source in self.rows if source.dataset != table)
        return ColumnLineage(kept, rows, self.tables - {table})


def merged(parts: Iterable[ColumnLineage]) -> ColumnLineage:
    """Several queries that fill one table."""
    columns: dict[str, frozenset[Source]] = {}
    rows: frozenset[Source] = frozenset()
    tables: frozenset[str] = frozenset()
    for part in parts:
        for name, sources in part.columns.items():
            columns[name] = columns.get(name, frozenset()) | sources
        rows, tables = rows | part.rows, tables | part.tables
    return ColumnLineage(columns, rows, tables)


@cache
def _tables() -> MappingSchema:
    """Columns of every table that SQL may read, for resolving `*` and bare column names.

    Their names are lower case already; normalising them again for each query was half of the time.
    """
    known: dict[str, Any] = {}
    for table in catalog().values():
        known.setdefault(table.schema, {})[table.table] = {c.name: c.spark_type for c in table.columns}
    for name, header in seed_tables().items():
        known.setdefault("core", {})[name.removeprefix("core.")] = dict.fromkeys(header, "string")
    return MappingSchema(known, dialect="spark", normalize=False)


def of_query(sql: str, extra: Mapping[str, Mapping[str, str]] = MappingProxyType({})) -> ColumnLineage:
    """Column lineage of one Spark SQL query.

    Args:
        sql: a query, or a `create view` statement.
        extra: columns and types of further tables by `schema.name`, where the catalog does not know them.

    Raises:
        sqlglot.errors.SqlglotError: it cannot be parsed or resolved.
    """
    tree: Any = sqlglot.parse_one(sql, dialect="spark")
    query = tree.expression if isinstance(tree, exp.Create) else tree
    schema = _tables().copy() if extra else _tables()
    for name, columns in extra.items():
        schema.add_table(name, dict(columns), dialect="spark")
    resolved = qualify(
        _flattened(query),
        schema=schema,
        dialect="spark",
        validate_qualify_columns=False,
        identify=False,
        quote_identifiers=False,
    )
    scope = build_scope(resolved)
    if scope is None:
        raise sqlglot.errors.OptimizeError("the statement is not a query")
    return _Walk().lineage(scope)


@lru_cache(maxsize=2_000)
def tables_in(sql: str) -> frozenset[str]:
    """Every `schema.table` that a statement reads; empty where it is no query or cannot be parsed."""
    try:
        tree = sqlglot.parse_one(sql, dialect="spark")
    except sqlglot.errors.SqlglotError:
        return frozenset()
    if not isinstance(tree, exp.Query):
        return frozenset()
    return frozenset(f"{table.db}.{table.name}" for table in tree.find_all(exp.Table) if table.db)


def _flattened(query: exp.Expr) -> exp.Expr:
    """The query with generators that give several columns written as those columns, which is all that lineage asks."""
    for select in query.find_all(exp.Select):
        if any(isinstance(p.unalias(), exp.Inline) or isinstance(p, exp.Aliases) for p in select.selects):
            select.set("expressions", [column for p in select.selects for column in _generated(p)])
    return query


def _generated(projection: exp.Expr) -> Iterator[exp.Expr]:
    """`inline(array(struct, …))` by the structs' fields, `stack(n, …) as (a, b)` by place, others whole."""
    made = projection.unalias()
    if isinstance(made, exp.Inline) and isinstance(made.this, exp.Array):
        fields: dict[str, list[exp.Expr]] = {}
        for struct in made.this.expressions:
            for element in struct.expressions:
                fields.setdefault(element.this.name, []).append(element.expression)
        for name, values in fields.items():
            yield exp.alias_(exp.Coalesce(this=values[0], expressions=values[1:]), name)
    elif isinstance(projection, exp.Aliases):
        names, generator = [name.name for name in projection.expressions], projection.this
        for place, name in enumerate(names):
            values = generator.expressions[place :: len(names)] if isinstance(generator, exp.Stack) else [generator]
            yield exp.alias_(exp.Coalesce(this=values[0].copy(), expressions=[v.copy() for v in values[1:]]), name)
    else:
        yield projection


def view_of(sql: str) -> str | None:
    """The `schema.name` that a `create view` statement makes; None for any other statement."""
    if "view" not in sql[:60].lower():
        return None
    tree = sqlglot.parse_one(sql, dialect="spark")
    if not isinstance(tree, exp.Create) or tree.kind != "VIEW":
        return None
    table = tree.find(exp.Table)
    return None if table is None or not table.db else f"{table.db}.{table.name}"


_Sources = frozenset[Source]
_NONE: _Sources = frozenset()
# Functions of our own that `jobs.lineage.plan` writes where a plan leaves SQL.
MAPPED = "__mapped"
_HASHES = (exp.MD5, exp.SHA, exp.SHA2)
_HASH_NAMES = {"xxhash64", "hash", "crc32", "sha", "sha1", "sha2", "md5"}


class _Walk:
    """One query's scopes, each looked at once."""

    def __init__(self) -> None:
        self._columns: dict[int, list[tuple[str, _Sources]]] = {}
        self._rows: dict[int, _Sources] = {}
        self._read: set[str] = set()
        self._kept: list[Scope] = []  # ids are only unique among living objects

    def lineage(self, scope: Scope) -> ColumnLineage:
        columns = self.columns(scope)
        return ColumnLineage(MappingProxyType(columns), self.rows(scope), frozenset(self._read))

    def columns(self, scope: Scope) -> dict[str, _Sources]:
        """Output columns of a scope."""
        return dict(self._outputs(scope))

    def _outputs(self, scope: Scope) -> list[tuple[str, _Sources]]:
        """Output columns in order: a union goes by place, and two columns may have one name."""
        if id(scope) not in self._columns:
            self._kept.append(scope)
            self._columns[id(scope)] = self._found_outputs(scope)
        return self._columns[id(scope)]

    def _found_outputs(self, scope: Scope) -> list[tuple[str, _Sources]]:
        if scope.set_operation_scopes:
            left, right = (self._outputs(part) for part in scope.set_operation_scopes)
            if scope.expression.args.get("by_name"):
                other = dict(right)
                return [(name, sources | other.get(name, _NONE)) for name, sources in left]
            return [(name, sources | other) for (name, sources), (_, other) in zip(left, right, strict=False)]
        if not isinstance(scope.expression, exp.Select):
            return []
        found: list[tuple[str, _Sources]] = []
        for projection in scope.expression.selects:
            if projection.is_star:
                found += self._starred(scope)
            else:
                found.append((projection.alias_or_name, self._made_from(projection.unalias(), scope, How.IDENTITY)))
        return found

    def _starred(self, scope: Scope) -> Iterator[tuple[str, _Sources]]:
        """What `*` stands for where it could not be resolved: the columns that are known."""
        for source in scope.sources.values():
            if isinstance(source, Scope):
                yield from self._outputs(source)

    def column(self, scope: Scope, name: str) -> _Sources:
        """Sources of one output column of a scope, also through an unresolved `*`."""
        known = self.columns(scope)
        if name in known or not isinstance(scope.expression, exp.Select):
            return known.get(name, _NONE)
        if any(projection.is_star for projection in scope.expression.selects) and len(scope.sources) == 1:
            return self._leaf(next(iter(scope.sources.values())), name)
        return _NONE

    def _leaf(self, source: exp.Expr | Scope | None, name: str) -> _Sources:
        if isinstance(source, Scope) and isinstance(source.expression, exp.Lateral):
            return self._lateral(source, name)
        if isinstance(source, Scope):
            return self.column(source, name)
        if isinstance(source, exp.Table) and source.db:
            table = f"{source.db}.{source.name}"
            self._read.add(table)
            return frozenset({Source(table, name)})
        return _NONE

    def _lateral(self, view: Scope, name: str) -> _Sources:
        """A column of a `lateral view`: of `stack` by its place, of other generators from all that they are given."""
        lateral = view.expression
        alias, generator = lateral.args.get("alias"), lateral.this
        names = [column.name for column in alias.columns] if alias is not None else []
        if view.parent is None or name not in names:
            return _NONE
        is_stack = isinstance(generator, exp.Stack)
        values = generator.expressions[names.index(name) :: len(names)] if is_stack else [generator]
        return frozenset().union(*(self._made_from(v, view.parent, How.TRANSFORMATION) for v in values))

    def rows(self, scope: Scope) -> _Sources:
        """What decides which rows a scope has, its own sources' rows included."""
        if id(scope) not in self._rows:
            self._kept.append(scope)
            self._rows[id(scope)] = _NONE  # a recursive query meets itself
            self._rows[id(scope)] = frozenset().union(*self._found_rows(scope))
        return self._rows[id(scope)]

    def _found_rows(self, scope: Scope) -> Iterator[_Sources]:
        for part in (*scope.set_operation_scopes, *scope.subquery_scopes):
            yield self.rows(part)
        for source in scope.sources.values():
            if isinstance(source, Scope):
                yield self.rows(source)
            elif isinstance(source, exp.Table) and source.db:
                self._read.add(f"{source.db}.{source.name}")
        if isinstance(scope.expression, exp.Select):
            for clause, how in _row_clauses(scope.expression):
                yield _through(self._made_from(clause, scope, how), how)

    def _made_from(self, node: exp.Expr, scope: Scope, how: How, masking: bool = False) -> _Sources:
        """Leaves below an expression, each with how it takes part."""
        if isinstance(node, exp.Column):
            return _through(self._leaf(_origin(node, scope), node.name), how, masking)
        if isinstance(node, exp.Dot) and (inner := self._field(node, scope)) is not None:
            return _through(inner, how, masking)
        if isinstance(node, exp.Query | exp.Subquery):
            return self._subquery(node, scope, how)
        if isinstance(node, exp.Anonymous) and node.name == MAPPED:
            return self._mapped(node, scope)
        masks = masking or _masks(node)
        parts = [self._made_from(child, scope, step, masks) for child, step in _parts(node, how)]
        return frozenset().union(*parts)

    def _subquery(self, node: exp.Expr, scope: Scope, how: How) -> _Sources:
        inner = node.unnest() if isinstance(node, exp.Subquery) else node
        step = How.TRANSFORMATION if how is How.IDENTITY else how
        found = [self.columns(one).values() for one in scope.subquery_scopes if one.expression is inner]
        return frozenset().union(*(_through(sources, step) for columns in found for sources in columns))

    def _field(self, node: exp.Dot, scope: Scope) -> _Sources | None:
        """Sources of `column.field` where the column is a struct built in a scope below; None where it is not."""
        column, name = node.this, node.expression.name
        if not isinstance(column, exp.Column):
            return None
        source = scope.sources.get(column.table)
        if not isinstance(source, Scope) or not isinstance(source.expression, exp.Select):
            return None
        made = next((p.unalias() for p in source.expression.selects if p.alias_or_name == column.name), None)
        found = None if made is None else _struct_field(made, name)
        return None if found is None else self._made_from(found[0], source, found[1])

    def _mapped(self, node: exp.Anonymous, scope: Scope) -> _Sources:
        """A column made by Python from a whole input: itself where the input has it, else from all the others."""
        tag, name, made = (argument.name for argument in node.expressions)
        given = next((s for s in scope.sources.values() if isinstance(s, Scope)), None)
        inputs = self.columns(given) if given is not None else {}
        if name in inputs:
            return inputs[name]
        others = [sources for other, sources in inputs.items() if other not in made.split(",")]
        said = frozenset({Source(tag, name, How.TRANSFORMATION)})
        return said.union(*(_through(sources, How.TRANSFORMATION) for sources in others))


def _origin(column: exp.Column, scope: Scope) -> exp.Expr | Scope | None:
    """Where a column comes from; one that names no table, as the table's columns are unknown, from the only one."""
    if not column.table and len(scope.sources) == 1:
        return next(iter(scope.sources.values()))
    return scope.sources.get(column.table)


@lru_cache(maxsize=20_000)
def _through(sources: _Sources, how: How, masking: bool = False) -> _Sources:
    return frozenset(source.through(how, masking) for source in sources)


def _row_clauses(select: exp.Select) -> Iterator[tuple[exp.Expr, How]]:
    """The clauses of a query that decide which rows it gives."""
    for key, how in (("where", How.FILTER), ("having", How.FILTER), ("qualify", How.FILTER), ("group", How.GROUP_BY)):
        if (clause := select.args.get(key)) is not None:
            yield clause, how
    for join in select.args.get("joins") or ():
        if (condition := join.args.get("on")) is not None:
            yield condition, How.JOIN
    if select.args.get("limit") is not None and (order := select.args.get("order")) is not None:
        yield order, How.SORT


def _parts(node: exp.Expr, how: How) -> Iterator[tuple[exp.Expr, How]]:
    """The operands of an expression, each with how it takes part when the whole does so by `how`."""
    value = How.TRANSFORMATION if how is How.IDENTITY else how
    if isinstance(node, exp.Case):
        if node.this is not None:
            yield node.this, How.CONDITIONAL
        for branch in node.args["ifs"]:
            yield branch.this, How.CONDITIONAL
            yield branch.args["true"], value
        if (default := node.args.get("default")) is not None:
            yield default, value
        return
    if isinstance(node, exp.If):
        yield node.this, How.CONDITIONAL
        for key in ("true", "false"):
            if (branch := node.args.get(key)) is not None:
                yield branch, value
        return
    if isinstance(node, exp.Filter):
        yield node.this, value
        yield node.expression, How.CONDITIONAL
        return
    if isinstance(node, exp.Window):
        yield node.this, value
        for part in node.args.get("partition_by") or ():
            yield part, How.WINDOW
        if (order := node.args.get("order")) is not None:
            yield order, How.WINDOW
        return
    if isinstance(node, exp.ArgMin | exp.ArgMax):
        yield node.this, _stronger(how)
        yield node.expression, How.SORT
        return
    step = _stronger(how) if isinstance(node, exp.AggFunc) else value
    passes = isinstance(node, exp.Paren | exp.Alias)
    for child in node.iter_expressions():
        yield child, how if passes else step


def _stronger(how: How) -> How:
    return How.AGGREGATION if how.is_direct else how


def _masks(node: exp.Expr) -> bool:
    """Whether a value cannot be told from the result: OpenLineage counts hashes and counts as masking."""
    if isinstance(node, (exp.Count, exp.CountIf, *_HASHES)):
        return True
    return isinstance(node, exp.Anonymous) and node.name.lower() in _HASH_NAMES


def _struct_field(node: exp.Expr, name: str) -> tuple[exp.Expr, How] | None:
    """The element `name` of a struct that is built, or picked by an aggregate, in `node`."""
    if isinstance(node, exp.Struct):
        for element in node.expressions:
            if element.alias_or_name == name or (isinstance(element, exp.PropertyEQ) and element.this.name == name):
                inner = element.expression if isinstance(element, exp.PropertyEQ) else element.unalias()
                return inner, How.IDENTITY
        return None
    if isinstance(node, exp.ArgMin | exp.ArgMax | exp.First | exp.AnyValue | exp.Max | exp.Min):
        found = _struct_field(node.this, name)
        return None if found is None else (found[0], How.AGGREGATION)
    return None
