"""Column types of contracts: Arrow types, because each maps to one Spark type and to one pandas type."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from pandera.engines import pandas_engine as engine

Str = engine.ArrowString
Int = engine.ArrowInt32
Long = engine.ArrowInt64
Double = engine.ArrowFloat64
Bool = engine.ArrowBool
Date = engine.ArrowDate32
Timestamp = Annotated[engine.ArrowTimestamp, "us", "UTC"]
# Exact sums do not depend on the order of the rows, so the same inputs give the same rows.
Money = Annotated[engine.ArrowDecimal128, 12, 2, "ROUND_HALF_UP"]
Strings = Annotated[engine.ArrowList, pa.string(), -1]

_SPARK: tuple[tuple[pa.DataType, str], ...] = (
    (pa.string(), "string"),
    (pa.int32(), "int"),
    (pa.int64(), "bigint"),
    (pa.float64(), "double"),
    (pa.bool_(), "boolean"),
    (pa.date32(), "date"),
    (pa.timestamp("us", tz="UTC"), "timestamp"),
    (pa.decimal128(12, 2), "decimal(12,2)"),
    (pa.list_(pa.string()), "array<string>"),
)


def spark_type(dtype: Any) -> str:
    """The Spark SQL name of a contract column's type.

    Args:
        dtype: a pandera pandas-engine dtype that wraps one of the types above.

    Raises:
        KeyError: the type is not one that contracts may use.
    """
    arrow = dtype.type.pyarrow_dtype
    for known, name in _SPARK:
        if arrow == known:
            return name
    raise KeyError(f"{arrow} is not a contract type; use one of contracts.types")
