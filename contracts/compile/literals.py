"""Python values of a contract's checks as Spark SQL literals of the column's type."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from contracts.errors import ConfigError


def sql_string(value: str) -> str:
    """A single-quoted Spark SQL string (default parser: backslash escapes)."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def sql_literal(value: Any, spark_type: str) -> str:
    """The literal that compares with a column of `spark_type` as Pandera compares `value` with it.

    Raises:
        ConfigError: the value is not of a kind that compares with such a column in the same way everywhere
            (a naive datetime with a timestamp, NaN, None, a string with a number, ...).
    """
    rendered = None if value is None else _RENDER.get(spark_type, _none)(value)
    if rendered is None:
        raise ConfigError(
            "A check's argument does not fit its column.",
            expected=f"a value that compares with {spark_type}",
            actual=f"{value!r} ({type(value).__name__})",
            todo="Give the argument in the column's own type.",
        )
    return rendered


def _none(_: Any) -> str | None:
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value)


def _string(value: Any) -> str | None:
    return sql_string(value) if isinstance(value, str) else None


def _boolean(value: Any) -> str | None:
    return str(value).upper() if isinstance(value, bool) else None


def _integer(value: Any) -> str | None:
    if not _is_number(value):
        return None
    return str(value) if isinstance(value, int) else f"CAST('{float(value)!r}' AS DOUBLE)"


def _double(value: Any) -> str | None:
    return f"CAST('{float(value)!r}' AS DOUBLE)" if _is_number(value) else None


def _decimal(value: Any) -> str | None:
    if not _is_number(value):
        return None
    exact = Decimal(str(value))
    # Of the column's own type where it fits: else each of its values would be made a decimal of 38 digits to compare.
    fits = abs(exact) < 10**10 and exact == round(exact, 2)
    return f"CAST('{exact:f}' AS DECIMAL({'12,2' if fits else '38,10'}))"


def _date(value: Any) -> str | None:
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        return None
    return f"DATE '{value.isoformat()}'"


def _timestamp(value: Any) -> str | None:
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        return None
    return f"TIMESTAMP '{value.astimezone(dt.UTC).isoformat(sep=' ', timespec='microseconds')}'"


_RENDER: dict[str, Callable[[Any], str | None]] = {
    "string": _string,
    "boolean": _boolean,
    "int": _integer,
    "bigint": _integer,
    "double": _double,
    "decimal(12,2)": _decimal,
    "date": _date,
    "timestamp": _timestamp,
}
