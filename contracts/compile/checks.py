"""One Pandera check on one column, as the Spark SQL condition that is TRUE for a value that breaks it.

Follows Pandera's pandas backend on Arrow types: NULL passes every check (`nullable` is its own rule), NaN is a
value that fails every ordering and equality, strings are measured in code points. A check that is not
listed here is refused when the contract is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
import pandera.pandas as pa
import pyarrow

from contracts.compile.literals import sql_literal, sql_string
from contracts.compile.regex import java_regex
from contracts.errors import ConfigError
from contracts.model import Check, Column


def compile_check(column: Column, check: Check) -> tuple[str, str, str]:
    """`(kind, sql, words)`: the rule's suffix, the broken condition (NULL for NULL) and what it asks, in words.

    Raises:
        ConfigError: the kind is not supported on this type, or an argument does not fit.
    """
    compiler = _CHECKS.get(check.kind)
    if compiler is None or column.spark_type.startswith("array"):
        raise ConfigError(
            f"The check {check.kind} on {column.name} ({column.spark_type}) cannot be enforced in Spark.",
            expected=f"one of {', '.join(sorted(_CHECKS))}, on a column that is not an array",
            todo="Use a supported check or a cross-column Rule.",
        )
    kind, passes, words = compiler(column, dict(check.arguments))
    return kind, f"(NOT ({passes}))", words


def settled_by_set(column: Column) -> str:
    """Spark SQL boolean: TRUE for the values of a text column's set that pass its other checks too; "" where nothing is saved.

    Whether a value passes, Pandera itself says, when the contract is compiled.
    """
    sets = [dict(check.arguments)["allowed_values"] for check in column.checks if check.kind == "isin"]
    if column.spark_type != "string" or not sets or len(column.checks) == 1:
        return ""
    values = _texts({value for allowed in sets for value in allowed})
    for check in column.checks:
        values = values[_passing(check, values)]
    return f"`{column.name}` IN ({', '.join(map(sql_string, values))})" if len(values) else ""


def all_pass(check: Check, values: Iterable[str]) -> bool:
    """Whether a check of a text column holds for each of these texts, as Pandera itself says."""
    return bool(_passing(check, _texts(values)).all())


def _texts(values: Iterable[str]) -> pd.Series[str]:
    return pd.Series(sorted(values), dtype=pd.ArrowDtype(pyarrow.string()))


def _passing(check: Check, values: pd.Series[str]) -> pd.Series[bool]:
    return getattr(pa.Check, check.kind)(**dict(check.arguments))(values).check_output.astype(bool)


def _ordered(kind: str, operator: str, argument: str, words: str) -> Callable[[Column, dict[str, Any]], _Compiled]:
    def compiled(column: Column, arguments: dict[str, Any]) -> _Compiled:
        value = arguments[argument]
        return kind, _compare(column, operator, value), f"{words} {value}"

    return compiled


def _compare(column: Column, operator: str, value: Any) -> str:
    """`column operator value`; Spark sorts NaN above every number, Arrow lets it satisfy no comparison."""
    _refuse_order_of(column, operator)
    sql = f"`{column.name}` {operator} {sql_literal(value, column.spark_type)}"
    if column.spark_type == "double" and operator in (">", ">="):
        return f"NOT isnan(`{column.name}`) AND {sql}"
    return sql


def _refuse_order_of(column: Column, operator: str) -> None:
    if column.spark_type == "boolean" and operator in ("<", "<=", ">", ">="):
        raise ConfigError(
            f"The column {column.name} is boolean and has no order.", todo="Use eq, ne or isin instead of a range."
        )


def _in_range(column: Column, arguments: dict[str, Any]) -> _Compiled:
    low, high = arguments["min_value"], arguments["max_value"]
    above = ">=" if arguments["include_min"] else ">"
    below = "<=" if arguments["include_max"] else "<"
    sql = f"{_compare(column, above, low)} AND {_compare(column, below, high)}"
    return "in_range", sql, f"{above} {low} and {below} {high}"


def _members(column: Column, values: Iterable[Any]) -> tuple[str, str]:
    """The `IN` list in a stable order, and the same for people."""
    if column.spark_type == "double":  # Arrow's sets tell 0.0 from -0.0, Spark's do not
        raise ConfigError(f"The column {column.name} is a double and has no set of values.", todo="Use a range.")
    literals = sorted({sql_literal(value, column.spark_type) for value in values})
    if not literals:
        raise ConfigError(f"The set of values of {column.name} is empty.", todo="List at least one value.")
    return ", ".join(literals), ", ".join(sorted(str(value) for value in values))


def _in_set(column: Column, arguments: dict[str, Any]) -> _Compiled:
    literals, words = _members(column, arguments["allowed_values"])
    return "in_set", f"`{column.name}` IN ({literals})", f"one of {words}"


def _not_in_set(column: Column, arguments: dict[str, Any]) -> _Compiled:
    literals, words = _members(column, arguments["forbidden_values"])
    return "not_in_set", f"`{column.name}` NOT IN ({literals})", f"none of {words}"


def _matches(column: Column, arguments: dict[str, Any]) -> _Compiled:
    _only_strings(column, "str_matches")
    pattern = str(getattr(arguments["pattern"], "pattern", arguments["pattern"]))
    return "matches", f"`{column.name}` RLIKE {sql_string(java_regex(pattern))}", f"of the form {pattern}"


def _starts_with(column: Column, arguments: dict[str, Any]) -> _Compiled:
    _only_strings(column, "str_startswith")
    text = arguments["string"]
    return "starts_with", f"startswith(`{column.name}`, {sql_string(text)})", f"starting with {text}"


def _ends_with(column: Column, arguments: dict[str, Any]) -> _Compiled:
    _only_strings(column, "str_endswith")
    text = arguments["string"]
    return "ends_with", f"endswith(`{column.name}`, {sql_string(text)})", f"ending with {text}"


def _length(column: Column, arguments: dict[str, Any]) -> _Compiled:
    _only_strings(column, "str_length")
    exact, low, high = (arguments.get(name) for name in ("exact_value", "min_value", "max_value"))
    bounds = [("=", exact)] if exact is not None else [(">=", low), ("<=", high)]
    given = [(operator, int(value)) for operator, value in bounds if value is not None]
    sql = " AND ".join(f"length(`{column.name}`) {operator} {value}" for operator, value in given)
    return "length", sql, "of length " + " and ".join(f"{operator} {value}" for operator, value in given)


def _only_strings(column: Column, kind: str) -> None:
    if column.spark_type != "string":
        raise ConfigError(
            f"The check {kind} on {column.name} needs a string column.", actual=column.spark_type, todo="Remove it."
        )


_Compiled = tuple[str, str, str]
_CHECKS: dict[str, Callable[[Column, dict[str, Any]], _Compiled]] = {
    "equal_to": _ordered("equal_to", "=", "value", "equal to"),
    "not_equal_to": _ordered("not_equal_to", "<>", "value", "not"),
    "greater_than_or_equal_to": _ordered("at_least", ">=", "min_value", "at least"),
    "greater_than": _ordered("greater_than", ">", "min_value", "more than"),
    "less_than_or_equal_to": _ordered("at_most", "<=", "max_value", "at most"),
    "less_than": _ordered("less_than", "<", "max_value", "less than"),
    "in_range": _in_range,
    "isin": _in_set,
    "notin": _not_in_set,
    "str_matches": _matches,
    "str_startswith": _starts_with,
    "str_endswith": _ends_with,
    "str_length": _length,
}
SUPPORTED_CHECKS = frozenset(_CHECKS)
