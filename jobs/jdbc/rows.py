"""Rows as HiveServer2 sends them: Arrow columns in, Thrift columns out."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
from impala._thrift_gen.TCLIService import ttypes as t


def _boxed(name: str, of: Callable[..., Any]) -> Callable[[list[Any], bytes], t.TColumn]:
    return lambda values, nulls: t.TColumn(**{name: of(values=values, nulls=nulls)})


_BOOL = (_boxed("boolVal", t.TBoolColumn), False)
_BYTE = (_boxed("byteVal", t.TByteColumn), 0)
_I16 = (_boxed("i16Val", t.TI16Column), 0)
_I32 = (_boxed("i32Val", t.TI32Column), 0)
_I64 = (_boxed("i64Val", t.TI64Column), 0)
_DOUBLE = (_boxed("doubleVal", t.TDoubleColumn), 0.0)
_TEXT = (_boxed("stringVal", t.TStringColumn), "")
_BINARY = (_boxed("binaryVal", t.TBinaryColumn), b"")

_NUMBERS: Mapping[Any, tuple[Any, Any]] = {
    pa.bool_(): (t.TTypeId.BOOLEAN_TYPE, _BOOL),
    pa.int8(): (t.TTypeId.TINYINT_TYPE, _BYTE),
    pa.int16(): (t.TTypeId.SMALLINT_TYPE, _I16),
    pa.int32(): (t.TTypeId.INT_TYPE, _I32),
    pa.int64(): (t.TTypeId.BIGINT_TYPE, _I64),
    pa.float32(): (t.TTypeId.FLOAT_TYPE, _DOUBLE),
    pa.float64(): (t.TTypeId.DOUBLE_TYPE, _DOUBLE),
}


def table_schema(schema: pa.Schema) -> t.TTableSchema:
    """Names and types of a result's columns."""
    return t.TTableSchema([
        t.TColumnDesc(field.name, t.TTypeDesc([t.TTypeEntry(_entry(field.type))]), position)
        for position, field in enumerate(schema, start=1)
    ])  # fmt: skip


def row_set(rows: pa.Table, start: int) -> t.TRowSet:
    """Some rows of a result, `start` rows after its first."""
    return t.TRowSet(start, [], [_column(column) for column in rows.columns])


def _entry(kind: pa.DataType) -> t.TPrimitiveTypeEntry:
    if kind in _NUMBERS:
        return t.TPrimitiveTypeEntry(_NUMBERS[kind][0])
    if pa.types.is_date(kind):
        return t.TPrimitiveTypeEntry(t.TTypeId.DATE_TYPE)
    if pa.types.is_timestamp(kind):
        return t.TPrimitiveTypeEntry(t.TTypeId.TIMESTAMP_TYPE)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return t.TPrimitiveTypeEntry(t.TTypeId.BINARY_TYPE)
    if pa.types.is_decimal(kind):
        digits = {"precision": t.TTypeQualifierValue(kind.precision), "scale": t.TTypeQualifierValue(kind.scale)}
        return t.TPrimitiveTypeEntry(t.TTypeId.DECIMAL_TYPE, t.TTypeQualifiers(digits))
    return t.TPrimitiveTypeEntry(t.TTypeId.STRING_TYPE)


def _column(column: pa.ChunkedArray) -> t.TColumn:
    kind = column.type
    values = column.to_pylist()
    if kind in _NUMBERS:
        box, empty = _NUMBERS[kind][1]
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        box, empty = _BINARY
    else:
        box, empty = _TEXT
        values = [None if value is None else _text(value) for value in values]
    return box([empty if value is None else value for value in values], _nulls(values) if column.null_count else b"\0")


def _text(value: Any) -> str:
    """Dates, times and decimals travel as text; so do lists and structs, as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ")
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, default=_text)
    return str(value)


def _nulls(values: list[Any]) -> bytes:
    """A bit per row, the first row lowest; set where the value is NULL."""
    bits = bytearray((len(values) + 7) // 8)
    for row, value in enumerate(values):
        if value is None:
            bits[row // 8] |= 1 << row % 8
    return bytes(bits)
