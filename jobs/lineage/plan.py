"""Column lineage of a Spark Connect frame: its plan, which the client holds whole, is written as SQL and read as such.

So a job's lineage is that of the plan that runs. Three kinds of nodes tell nothing of what is in them: rows sent from
the driver, functions of Python, and files read by path. `computed` says of which columns such rows were made; rows
from the driver of which nobody says so were made of what the driver asked for in the same step.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlglot.errors import SqlglotError

from contracts.compile.literals import sql_string
from jobs.lineage.columns import MAPPED, ColumnLineage, How, Source, merged, of_query, tables_in
from jobs.lineage.naming import columns as columns_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_COMMAND = re.compile(r"\s*(describe|desc|show|explain|set)\b", re.IGNORECASE)
_OPAQUE = "opaque"  # schema of the stand-ins for nodes that tell nothing
_MOST_REMEMBERED = 1000
MadeOf = Mapping[str, Iterable[str]]
_made_of: OrderedDict[int, MadeOf] = OrderedDict()


class UnknownPlanError(Exception):
    """A plan holds a node that cannot be written as SQL; only its tables are known."""


def computed(frame: DataFrame, made_of: MadeOf) -> DataFrame:
    """Say what rows from the driver, or from a function of Python, were made of; returns the frame.

    Args:
        frame: made by `createDataFrame`, `mapInArrow`, `read`, or plain selections from such.
        made_of: per column the columns it was computed from, as `schema.table.column`; `*` stands for every column that
            is not named, and `schema.table.*` for the column of the same name.
    """
    for relation in _opaque_relations(proto_of(frame), {}):
        _made_of[relation.common.plan_id] = made_of
    while len(_made_of) > _MOST_REMEMBERED:
        _made_of.popitem(last=False)
    return frame


@dataclass(frozen=True)
class Asked:
    """A plan whose rows the driver asked for, with the temporary views that it may read, by name."""

    relation: Any
    views: Mapping[str, Any] = field(default_factory=dict)

    def lineage(self) -> ColumnLineage:
        """Its column lineage; where the plan cannot be written as SQL, its tables."""
        try:
            return lineage_of_plan(self.relation, self.views)
        except (UnknownPlanError, SqlglotError):
            return ColumnLineage(tables=self.tables())

    def tables(self) -> frozenset[str]:
        """Tables that it reads."""
        found: set[str] = set()
        for relation in _walk(self.relation):
            kind = relation.WhichOneof("rel_type")
            if kind == "read" and relation.read.WhichOneof("read_type") == "named_table":
                found.add(relation.read.named_table.unparsed_identifier.replace("`", ""))
            elif kind == "sql":
                found |= tables_in(relation.sql.query)
                for name, view in self.views.items():
                    if _mentions(relation.sql.query, name):
                        found |= Asked(view).tables()
        return frozenset(found)


def lineage_of(
    frame: DataFrame, asked: Sequence[Asked] = (), named: Iterable[str] = (), columns: Sequence[str] = ()
) -> ColumnLineage:
    """Column lineage of a frame that has not been run; asks the server nothing.

    Args:
        frame: of Spark Connect.
        asked: what the driver asked for before it made rows of its own.
        named: columns that name a row and are not computed: of rows from the driver, only what is called so is their source.
        columns: that the frame has, for rows that the driver sent ahead: their plan is a hash and has no names.

    Raises:
        UnknownPlanError: a node cannot be written as SQL.
        sqlglot.errors.SqlglotError: nor be parsed.
    """
    return lineage_of_plan(proto_of(frame), views_of(frame), asked, named, columns)


def lineage_of_plan(
    plan: Any,
    views: Mapping[str, Any] = MappingProxyType({}),
    asked: Sequence[Asked] = (),
    named: Iterable[str] = (),
    columns: Sequence[str] = (),
) -> ColumnLineage:
    """Column lineage of a `spark.connect.Relation`; otherwise as `lineage_of`."""
    made: dict[str, MadeOf] = {}
    extra: dict[str, dict[str, str]] = {}
    renamed = dict(_renamed_local(plan, views))
    for relation in _opaque_relations(plan, views):
        name = _opaque_name(relation)
        known = _made_of.get(relation.common.plan_id)
        if known is None and relation.WhichOneof("rel_type") in _LOCAL and asked:
            known = _from_driver(merged(one.lineage() for one in asked), named)
        made[name] = known or {}
        own = columns if relation is plan and relation.WhichOneof("rel_type") in _LOCAL else ()
        if names := renamed.get(name) or _local_columns(relation) or own:
            extra[name] = dict.fromkeys(names, "string")
    return _explained(of_query(_Sql(views).of(plan), extra), made)


def _from_driver(asked: ColumnLineage, named: Iterable[str]) -> MadeOf:
    """Each column from what was asked for under its name, any other from all that was asked for."""
    columns = {name: _texts(sources) for name, sources in asked.columns.items()}
    everything = _texts(source for sources in asked.columns.values() for source in sources)
    return {**dict.fromkeys(named, ()), **columns, "*": everything}


def _texts(sources: Iterable[Source]) -> tuple[str, ...]:
    return tuple(sorted({f"{source.dataset}.{source.column}" for source in sources}))


def views_of(frame: DataFrame) -> Mapping[str, Any]:
    """Temporary views of the frame's session, as far as they were watched."""
    session: Any = frame.sparkSession
    return getattr(session.client, "lineage_views", {})


def proto_of(frame: DataFrame) -> Any:
    """The frame's plan as the client would send it."""
    of: Any = frame  # there is no public way to a plan; the pin of pyspark guards it
    return of._plan.plan(of.sparkSession.client)


def _explained(found: ColumnLineage, made: Mapping[str, MadeOf]) -> ColumnLineage:
    """The same with the stand-ins replaced by what their rows were said to be made of."""

    def resolve(sources: Iterable[Source]) -> frozenset[Source]:
        kept: set[Source] = set()
        for source in sources:
            if source.dataset.startswith(f"{_OPAQUE}."):
                kept.update(_said(source, made.get(source.dataset, {})))
            else:
                kept.add(source)
        return frozenset(kept)

    columns = {name: resolve(sources) for name, sources in found.columns.items()}
    rows = resolve(found.rows)
    tables = {name for name in found.tables if not name.startswith(f"{_OPAQUE}.")}
    tables |= {text.rpartition(".")[0] for said in made.values() for texts in said.values() for text in texts}
    return ColumnLineage(columns, rows, frozenset(tables))


def _said(source: Source, said: MadeOf) -> Iterator[Source]:
    for text in said.get(source.column, said.get("*", ())):
        dataset, _, column = text.rpartition(".")
        if column != "*":
            yield Source(dataset, column, How.TRANSFORMATION).through(source.how, source.masking)
        elif source.column in columns_of(dataset):
            yield Source(dataset, source.column, source.how, source.masking)


def _walk(relation: Any) -> Iterator[Any]:
    yield relation
    for child in _children(relation):
        yield from _walk(child)


def _children(relation: Any) -> Iterator[Any]:
    kind = relation.WhichOneof("rel_type")
    if kind is None:
        return
    for part, value in getattr(relation, kind).ListFields():
        if part.message_type is not None and part.message_type.full_name == "spark.connect.Relation":
            yield from value if part.is_repeated else (value,)


_LOCAL = ("local_relation", "cached_local_relation", "chunked_cached_local_relation")


def _opaque_relations(plan: Any, views: Mapping[str, Any]) -> Iterator[Any]:
    for relation in (r for root in (plan, *views.values()) for r in _walk(root)):
        kind = relation.WhichOneof("rel_type")
        is_path = kind == "read" and relation.read.WhichOneof("read_type") == "data_source"
        if kind in _LOCAL or kind == "map_partitions" or is_path:
            yield relation


def _opaque_name(relation: Any) -> str:
    return f"{_OPAQUE}.p{relation.common.plan_id}"


def _local_columns(relation: Any) -> tuple[str, ...]:
    """Column names of rows sent from the driver; empty where the plan only holds their hash."""
    if relation.WhichOneof("rel_type") != "local_relation":
        return ()
    if relation.local_relation.data:
        import pyarrow as pa

        return tuple(pa.ipc.open_stream(relation.local_relation.data).schema.names)
    return tuple(field["name"] for field in json.loads(relation.local_relation.schema)["fields"])


def _renamed_local(plan: Any, views: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names that rows sent from the driver get by the node above them; without it they are numbered, or only a hash."""
    for relation in (r for root in (plan, *views.values()) for r in _walk(root)):
        if relation.WhichOneof("rel_type") == "to_df" and relation.to_df.input.WhichOneof("rel_type") in _LOCAL:
            yield _opaque_name(relation.to_df.input), tuple(relation.to_df.column_names)


class _Sql:
    """One plan as one query: each node a common table, so that a frame used twice is written once."""

    def __init__(self, views: Mapping[str, Any]) -> None:
        self._views = views
        self._parts: dict[str, str] = {}
        self._inside: dict[str, set[int]] = {}

    def of(self, relation: Any) -> str:
        root = self._name(relation)
        parts = ", ".join(f"{head} AS ({body})" for head, body in self._parts.items())
        return f"WITH {parts} SELECT * FROM {root.partition('(')[0]}"

    def _name(self, relation: Any) -> str:
        """The common table of a node, written before it is named."""
        kind = relation.WhichOneof("rel_type")
        name = f"p{relation.common.plan_id}" if relation.HasField("common") else f"q{id(relation)}"
        if name not in self._inside:
            body, head = self._body(kind, relation, name), name
            if kind == "to_df":
                head = f"{name}({_listed(_quoted(c) for c in relation.to_df.column_names)})"
            self._parts[head] = body
            self._inside[name] = {one.common.plan_id for one in _walk(relation)}
        return name

    def _body(self, kind: str | None, relation: Any, name: str) -> str:
        write: Callable[[Any, str], str] | None = getattr(self, f"_of_{kind}", None)
        if kind in _LOCAL:
            return f"SELECT * FROM {_opaque_name(relation)}"
        if kind in _SAME_COLUMNS:
            return f"SELECT * FROM {self._name(getattr(relation, kind).input)}"
        if write is None:
            raise UnknownPlanError(f"plan node {kind}")
        return write(getattr(relation, str(kind)), _opaque_name(relation))

    def _of_sql(self, node: Any, opaque: str) -> str:
        if _COMMAND.match(node.query):
            return f"SELECT * FROM {opaque}"
        for name, view in self._views.items():
            if name not in self._parts and _mentions(node.query, name):
                self._parts[name] = f"SELECT * FROM {self._name(view)}"
        return f"SELECT * FROM ({node.query.strip().rstrip(';')}) AS s"

    def _of_with_relations(self, node: Any, _: str) -> str:
        """SQL over frames that were given to it by name."""
        for given in (reference.subquery_alias for reference in node.references):
            self._parts.setdefault(given.alias, f"SELECT * FROM {self._name(given.input)}")
        return f"SELECT * FROM {self._name(node.root)}"

    def _of_read(self, node: Any, opaque: str) -> str:
        if node.WhichOneof("read_type") == "named_table":
            return f"SELECT * FROM {node.named_table.unparsed_identifier}"
        return f"SELECT * FROM {opaque}"

    def _of_project(self, node: Any, _: str) -> str:
        if not node.HasField("input"):
            return f"SELECT {_listed(self._expression(e, {}) for e in node.expressions)}"
        child = self._name(node.input)
        return f"SELECT {_listed(self._expression(e, {}) for e in node.expressions)} FROM {child}"

    def _of_filter(self, node: Any, _: str) -> str:
        return f"SELECT * FROM {self._name(node.input)} WHERE {self._expression(node.condition, {})}"

    def _of_with_columns(self, node: Any, _: str) -> str:
        child = self._name(node.input)
        names = [alias.name[0] for alias in node.aliases]
        made = _listed(f"{self._expression(alias.expr, {})} AS {_quoted(alias.name[0])}" for alias in node.aliases)
        return f"SELECT * EXCEPT ({_listed(map(_quoted, names))}), {made} FROM {child}"

    def _of_with_columns_renamed(self, node: Any, _: str) -> str:
        child = self._name(node.input)
        renames = {r.col_name: r.new_col_name for r in node.renames} or dict(node.rename_columns_map)
        made = _listed(f"{_quoted(old)} AS {_quoted(new)}" for old, new in renames.items())
        return f"SELECT * EXCEPT ({_listed(map(_quoted, renames))}), {made} FROM {child}"

    def _of_drop(self, node: Any, _: str) -> str:
        names = [*node.column_names, *(c.unresolved_attribute.unparsed_identifier for c in node.columns)]
        return f"SELECT * EXCEPT ({_listed(map(_quoted, names))}) FROM {self._name(node.input)}"

    def _of_to_df(self, node: Any, _: str) -> str:
        return f"SELECT * FROM {self._name(node.input)}"

    def _of_subquery_alias(self, node: Any, _: str) -> str:
        return f"SELECT * FROM {self._name(node.input)} AS {_quoted(node.alias)}"

    def _of_aggregate(self, node: Any, _: str) -> str:
        if node.HasField("pivot"):
            raise UnknownPlanError("pivot")
        child = self._name(node.input)
        groups = [self._expression(e, {}) for e in node.grouping_expressions]
        made = [_named(self._expression(e, {}), e) for e in node.aggregate_expressions]
        grouped = f" GROUP BY {_listed(groups)}" if groups else ""
        return f"SELECT {_listed([*groups, *made])} FROM {child}{grouped}"

    def _of_join(self, node: Any, _: str) -> str:
        left, right = self._name(node.left), self._name(node.right)
        kind = type(node).JoinType.Name(node.join_type).removeprefix("JOIN_TYPE_").replace("_", " ")
        kind = kind if kind != "UNSPECIFIED" else "INNER"
        if node.using_columns:
            on = f" USING ({_listed(map(_quoted, node.using_columns))})"
        elif node.HasField("join_condition"):
            on = f" ON {self._expression(node.join_condition, {left: 'l', right: 'r'})}"
        else:
            on = ""
        kept = "l.*" if kind in ("LEFT ANTI", "LEFT SEMI") else "*"
        return f"SELECT {kept} FROM {left} AS l {kind} JOIN {right} AS r{on}"

    def _of_set_op(self, node: Any, _: str) -> str:
        word = type(node).SetOpType.Name(node.set_op_type).removeprefix("SET_OP_TYPE_")
        by_name = " BY NAME" if node.by_name else ""
        left, right = self._name(node.left_input), self._name(node.right_input)
        return f"SELECT * FROM {left} {word}{' ALL' if node.is_all else ''}{by_name} SELECT * FROM {right}"

    def _of_map_partitions(self, node: Any, opaque: str) -> str:
        child = self._name(node.input)
        names = [field.name for field in node.func.python_udf.output_type.struct.fields]
        if not names:
            names = [part.split()[0] for part in node.func.python_udf.output_type.unparsed.data_type_string.split(",")]
        made = sql_string(",".join(names))
        mapped = (f"{MAPPED}({sql_string(opaque)}, {sql_string(n)}, {made}) AS {_quoted(n)}" for n in names)
        return f"SELECT {_listed(mapped)} FROM {child}"

    def _expression(self, node: Any, sides: dict[str, str]) -> str:
        """SQL of an expression; `sides` are the aliases of a join's inputs, for columns that say which they mean."""
        kind = node.WhichOneof("expr_type")
        part = getattr(node, str(kind))
        inner = [self._expression(e, sides) for e in _operands(kind, part)]
        match kind:
            case "expression_string":
                return str(part.expression)
            case "unresolved_attribute":
                return self._column(part, sides)
            case "unresolved_star":
                return "*"
            case "literal":
                return _literal(part)
            case "alias":
                return f"{inner[0]} AS {_quoted(part.name[0])}"
            case "cast":
                return f"CAST({inner[0]} AS {part.type_str or 'string'})"
            case "unresolved_function":
                return _call(part.function_name, inner)
            case "call_function":
                return _call(part.function_name, inner)
            case "window":
                by = [self._expression(e, sides) for e in part.partition_spec]
                order = [self._expression(e.child, sides) for e in part.order_spec]
                over = (f"PARTITION BY {_listed(by)} " if by else "") + (f"ORDER BY {_listed(order)}" if order else "")
                return f"{inner[0]} OVER ({over})"
            case "sort_order" | "unresolved_extract_value":
                return inner[0]
            case _:
                raise UnknownPlanError(f"expression {kind}")

    def _column(self, part: Any, sides: dict[str, str]) -> str:
        """A column by name; in a join, from the input that it was taken of."""
        for name, alias in sides.items():
            if part.HasField("plan_id") and part.plan_id in self._inside[name]:
                return f"{alias}.{part.unparsed_identifier}"
        return str(part.unparsed_identifier)


_SAME_COLUMNS = (
    "sort", "limit", "offset", "sample", "repartition", "repartition_by_expression", "hint", "deduplicate", "tail",
    "to_schema", "collect_metrics", "with_watermark", "fill_na", "drop_na", "replace",
)  # fmt: skip


def _operands(kind: str | None, part: Any) -> Sequence[Any]:
    match kind:
        case "alias" | "cast":
            return (part.expr,)
        case "unresolved_function" | "call_function":
            return tuple(part.arguments)
        case "window":
            return (part.window_function,)
        case "sort_order" | "unresolved_extract_value":
            return (part.child,)
        case _:
            return ()


def _call(name: str, arguments: Sequence[str]) -> str:
    """A function or operator; of an operator only what it reads counts."""
    if name == "when":
        pairs = [arguments[n : n + 2] for n in range(0, len(arguments) - 1, 2)]
        default = f" ELSE {arguments[-1]}" if len(arguments) % 2 else ""
        return f"CASE {' '.join(f'WHEN {when} THEN {then}' for when, then in pairs)}{default} END"
    return f"{name}({_listed(arguments)})" if name.isidentifier() else f"__operator({_listed(arguments)})"


def _named(sql: str, node: Any) -> str:
    """An aggregate under the name that Spark gives it where it has none."""
    return sql if node.WhichOneof("expr_type") in ("alias", "expression_string") else f"{sql} AS {_quoted(sql)}"


def _literal(part: Any) -> str:
    """A literal's place: its value makes no lineage, and need not be known."""
    return "NULL" if part.WhichOneof("literal_type") == "null" else "'?'"


def _mentions(sql: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", sql) is not None


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def _quoted(name: str) -> str:
    return f"`{name}`"
