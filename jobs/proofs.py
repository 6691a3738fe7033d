"""What the footers of a table's Parquet files prove of its row rules, so that rows need not be read or judged for them.

Most files of most nights hold no negative amount and no missing date, and their minima, maxima and counts of NULL say so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from contracts.compile.rules import CompiledRule, row_rules
from contracts.model import TableContract
from jobs.delta import data_files

# Each footer takes milliseconds to read.
_MOST_FILES = 100

# What is compared exactly in Python as in Spark: whole numbers, decimals, and a double with the double next to the limit.
_LIMITS: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "bigint": (int,),
    "double": (int, float),
    "decimal(12,2)": (int, Decimal),
}


@dataclass(frozen=True)
class Bounds:
    """No value of a column is below `low` or above `high`; both None where that is not known, or it has no value."""

    low: Any
    high: Any
    has_no_null: bool


def left_to_ask(contract: TableContract, version: int) -> dict[str, str]:
    """What is left of row rules at a version of the contract's table, given what its files tell.

    Spark SQL booleans by rule, "" where no row breaks it; a rule that is not named is left as it is. Of checks of one column,
    those that compare a number with limits are looked at, and that a value, or each part of the key, is given.
    """
    files = data_files(contract.name, version)
    if not files or len(files) > _MOST_FILES or not all(file.is_file() for file in files):
        return {}
    bounds = column_bounds(files)
    types = {column.name: column.spark_type for column in contract.columns}
    left = {rule.name: left_of(rule, types, bounds) for rule in row_rules(contract)}
    return {name: sql for name, sql in left.items() if sql is not None}


def column_bounds(files: Iterable[Path]) -> dict[str, Bounds]:
    """Bounds of the columns of Parquet files, by the statistics of their row groups; of nested columns nothing.

    Of doubles they are bounds of the values that are not NaN: the format leaves NaN out of minima and maxima.
    """
    groups: dict[str, list[Any]] = {}
    count = 0
    for file in files:
        footer = pq.read_metadata(file)
        for i in range(footer.num_row_groups):
            group = footer.row_group(i)
            count += 1
            for j in range(group.num_columns):
                groups.setdefault(group.column(j).path_in_schema, []).append(
                    (group.num_rows, group.column(j).statistics)
                )
    return {name: _bounds(found) for name, found in groups.items() if len(found) == count}


def _bounds(groups: Iterable[tuple[int, Any]]) -> Bounds:
    low: Any = math.inf
    high: Any = -math.inf
    has_no_null = True
    for rows, statistics in groups:
        nulls = statistics.null_count if statistics is not None and statistics.has_null_count else None
        has_no_null = has_no_null and nulls == 0
        if nulls == rows:
            continue  # no value, and no bounds
        if statistics is None or not statistics.has_min_max or not isinstance(statistics.min, int | float | Decimal):
            low, high = -math.inf, math.inf
        else:
            low, high = min(low, statistics.min), max(high, statistics.max)
    is_known = math.isfinite(low) and math.isfinite(high)
    return Bounds(low if is_known else None, high if is_known else None, has_no_null)


def left_of(rule: CompiledRule, types: Mapping[str, str], bounds: Mapping[str, Bounds]) -> str | None:
    """Spark SQL boolean: which rows can still break the rule; "": none. None: the bounds do not say.

    Args:
        rule: a row rule.
        types: Spark type by column.
        bounds: by column.
    """
    if any(name not in bounds for name in rule.columns):
        return None
    if rule.kind == "not_null":
        return "" if all(bounds[name].has_no_null for name in rule.columns) else None
    holds = _HOLDS.get(rule.kind)
    if holds is None or rule.check is None:
        return None
    name, arguments = rule.columns[0], dict(rule.check.arguments)
    limits = [value for value in arguments.values() if not isinstance(value, bool)]
    known = bounds[name].low is not None and all(isinstance(limit, _LIMITS.get(types[name], ())) for limit in limits)
    if not known or not holds(bounds[name].low, bounds[name].high, arguments):
        return None
    return f"isnan(`{name}`)" if types[name] == "double" and rule.kind != "not_equal_to" else ""


def _is_in_range(low: Any, high: Any, given: Mapping[str, Any]) -> bool:
    above = low >= given["min_value"] if given["include_min"] else low > given["min_value"]
    below = high <= given["max_value"] if given["include_max"] else high < given["max_value"]
    return bool(above and below)


_HOLDS: Mapping[str, Callable[[Any, Any, Mapping[str, Any]], bool]] = {
    "at_least": lambda low, high, given: low >= given["min_value"],
    "greater_than": lambda low, high, given: low > given["min_value"],
    "at_most": lambda low, high, given: high <= given["max_value"],
    "less_than": lambda low, high, given: high < given["max_value"],
    "in_range": _is_in_range,
    "equal_to": lambda low, high, given: low == high == given["value"],
    "not_equal_to": lambda low, high, given: not low <= given["value"] <= high,
}
