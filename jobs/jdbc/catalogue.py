"""Answers to a driver's questions about schemas, tables, columns and types, in the shapes that JDBC prescribes.

Shapes: `java.sql.DatabaseMetaData`, getSchemas, getTables, getColumns, getTypeInfo.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from contracts.dictionary import TableEntry
from contracts.roles import Role
from jobs.query.access import described, shown_tables

# Numbers of java.sql.Types by Spark's names.
_SQL_TYPES = {
    "boolean": 16, "tinyint": -6, "smallint": 5, "int": 4, "bigint": -5, "float": 6, "double": 8, "string": 12,
    "binary": -2, "date": 91, "timestamp": 93, "timestamp_ntz": 93, "decimal": 3, "array": 2003, "map": 2000, "struct": 2002,
}  # fmt: skip
_DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19, "float": 7, "double": 15, "date": 10, "timestamp": 29}
_NULLABLE, _SEARCHABLE = 1, 3
_Test = Callable[[str], object]
_TEXT, _INT, _SHORT, _BOOL = pa.string(), pa.int32(), pa.int16(), pa.bool_()


def _shape(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in fields])


CATALOGS = _shape(("TABLE_CAT", _TEXT))
SCHEMAS = _shape(("TABLE_SCHEM", _TEXT), ("TABLE_CATALOG", _TEXT))
TABLE_TYPES = _shape(("TABLE_TYPE", _TEXT))
TABLES = _shape(
    ("TABLE_CAT", _TEXT), ("TABLE_SCHEM", _TEXT), ("TABLE_NAME", _TEXT), ("TABLE_TYPE", _TEXT), ("REMARKS", _TEXT),
    ("TYPE_CAT", _TEXT), ("TYPE_SCHEM", _TEXT), ("TYPE_NAME", _TEXT), ("SELF_REFERENCING_COL_NAME", _TEXT),
    ("REF_GENERATION", _TEXT),
)  # fmt: skip
COLUMNS = _shape(
    ("TABLE_CAT", _TEXT), ("TABLE_SCHEM", _TEXT), ("TABLE_NAME", _TEXT), ("COLUMN_NAME", _TEXT), ("DATA_TYPE", _INT),
    ("TYPE_NAME", _TEXT), ("COLUMN_SIZE", _INT), ("BUFFER_LENGTH", _INT), ("DECIMAL_DIGITS", _INT),
    ("NUM_PREC_RADIX", _INT), ("NULLABLE", _INT), ("REMARKS", _TEXT), ("COLUMN_DEF", _TEXT), ("SQL_DATA_TYPE", _INT),
    ("SQL_DATETIME_SUB", _INT), ("CHAR_OCTET_LENGTH", _INT), ("ORDINAL_POSITION", _INT), ("IS_NULLABLE", _TEXT),
    ("SCOPE_CATALOG", _TEXT), ("SCOPE_SCHEMA", _TEXT), ("SCOPE_TABLE", _TEXT), ("SOURCE_DATA_TYPE", _SHORT),
    ("IS_AUTO_INCREMENT", _TEXT),
)  # fmt: skip
TYPE_INFO = _shape(
    ("TYPE_NAME", _TEXT), ("DATA_TYPE", _INT), ("PRECISION", _INT), ("LITERAL_PREFIX", _TEXT),
    ("LITERAL_SUFFIX", _TEXT), ("CREATE_PARAMS", _TEXT), ("NULLABLE", _SHORT), ("CASE_SENSITIVE", _BOOL),
    ("SEARCHABLE", _SHORT), ("UNSIGNED_ATTRIBUTE", _BOOL), ("FIXED_PREC_SCALE", _BOOL), ("AUTO_INCREMENT", _BOOL),
    ("LOCAL_TYPE_NAME", _TEXT), ("MINIMUM_SCALE", _SHORT), ("MAXIMUM_SCALE", _SHORT), ("SQL_DATA_TYPE", _INT),
    ("SQL_DATETIME_SUB", _INT), ("NUM_PREC_RADIX", _INT),
)  # fmt: skip
FUNCTIONS = _shape(
    ("FUNCTION_CAT", _TEXT), ("FUNCTION_SCHEM", _TEXT), ("FUNCTION_NAME", _TEXT), ("REMARKS", _TEXT),
    ("FUNCTION_TYPE", _INT), ("SPECIFIC_NAME", _TEXT),
)  # fmt: skip


def rows(shape: pa.Schema, found: Iterable[dict[str, object]] = ()) -> pa.Table:
    """A table of this shape; what a row does not name is NULL."""
    return pa.Table.from_pylist(list(found), schema=shape)


def schemas(role: Role, pattern: str | None) -> pa.Table:
    """Layers that the role reads."""
    matches = _like(pattern)
    return rows(SCHEMAS, ({"TABLE_SCHEM": layer} for layer in role.layers if matches(layer)))


def tables(role: Role, schema: str | None, table: str | None, kinds: Iterable[str] | None) -> pa.Table:
    """Tables and views that the role reads, by pattern and kind (`TABLE`, `VIEW`)."""
    wanted = {kind.upper() for kind in kinds or ()} or {"TABLE", "VIEW"}
    return rows(
        TABLES,
        (
            {"TABLE_SCHEM": e.schema, "TABLE_NAME": _bare(e), "TABLE_TYPE": _kind(e), "REMARKS": e.description}
            for e in _matching(role, schema, table)
            if _kind(e) in wanted
        ),
    )


def table_types() -> pa.Table:
    """What `tables` tells apart."""
    return rows(TABLE_TYPES, ({"TABLE_TYPE": kind} for kind in ("TABLE", "VIEW")))


def columns(role: Role, schema: str | None, table: str | None, column: str | None) -> pa.Table:
    """Columns as the role sees them, with their meaning as remarks."""
    return rows(COLUMNS, _columns(role, schema, table, _like(column)))


def type_info() -> pa.Table:
    """The types of Spark SQL."""
    return rows(
        TYPE_INFO,
        (
            {
                "TYPE_NAME": name.upper(), "DATA_TYPE": number, "PRECISION": _DIGITS.get(name), "NULLABLE": _NULLABLE,
                "CASE_SENSITIVE": name == "string", "SEARCHABLE": _SEARCHABLE, "UNSIGNED_ATTRIBUTE": False,
                "FIXED_PREC_SCALE": False, "AUTO_INCREMENT": False, "MINIMUM_SCALE": 0, "MAXIMUM_SCALE": 0,
                "NUM_PREC_RADIX": 10,
            }
            for name, number in _SQL_TYPES.items()
        ),
    )  # fmt: skip


def _columns(role: Role, schema: str | None, table: str | None, matches: _Test) -> Iterator[dict[str, object]]:
    for entry in _matching(role, schema, table):
        for position, shown in enumerate(described(entry.name, role)[1], start=1):
            if not matches(shown.name):
                continue
            name = re.split(r"[(<]", shown.type)[0]
            digits = re.findall(r"\d+", shown.type) if name == "decimal" else []
            yield {
                "TABLE_SCHEM": entry.schema, "TABLE_NAME": _bare(entry), "COLUMN_NAME": shown.name,
                "DATA_TYPE": _SQL_TYPES[name], "TYPE_NAME": shown.type.upper(),
                "COLUMN_SIZE": int(digits[0]) if digits else _DIGITS.get(name),
                "DECIMAL_DIGITS": int(digits[1]) if digits else None, "NUM_PREC_RADIX": 10, "NULLABLE": _NULLABLE,
                "REMARKS": shown.description, "ORDINAL_POSITION": position, "IS_NULLABLE": "YES",
                "IS_AUTO_INCREMENT": "NO",
            }  # fmt: skip


def _matching(role: Role, schema: str | None, table: str | None) -> list[TableEntry]:
    in_schema, is_table = _like(schema), _like(table)
    return [e for e in shown_tables(None, role) if in_schema(e.schema) and is_table(_bare(e))]


def _bare(entry: TableEntry) -> str:
    return entry.name.split(".")[1]


def _kind(entry: TableEntry) -> str:
    return "TABLE" if entry.sql is None else "VIEW"


def _like(pattern: str | None) -> _Test:
    """A JDBC search pattern: `%` any text, `_` any letter, a backslash before either for itself; empty: everything."""
    if pattern in (None, "", "*", ".*", "%"):  # stars are Hive's own way
        return lambda _: True
    parts = re.findall(r"\\.|.", str(pattern))
    regex = "".join({"%": ".*", "_": ".", "*": ".*"}.get(p, re.escape(p[-1])) for p in parts)
    return re.compile(regex, re.IGNORECASE).fullmatch
