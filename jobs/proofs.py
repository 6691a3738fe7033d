"""What a table's Parquet files prove of its row rules without their rows being read: by footers, and dictionaries of texts.

Most files of most nights hold no negative amount and no missing date, and their minima, maxima and counts of NULL say so. A
column of codes is stored as numbers into a dictionary: where each of its few values keeps a rule, every row does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.compile.checks import all_pass
from contracts.compile.rules import CompiledRule, row_rules
from contracts.model import TableContract
from jobs.delta import data_files

# Each footer takes milliseconds to read.
_MOST_FILES = 100

# A dictionary takes two milliseconds to read and to judge, in which Spark judges this many texts; a large one tells of columns
# that are no codes, and its values have no place on the driver.
_LEAST_ROWS = 50_000
_MOST_BYTES = 64 * 1024

# Of the format's first version, in which Spark writes: there the name PLAIN says that some values are not in the dictionary.
_DICTIONARY_ONLY = {"PLAIN_DICTIONARY", "RLE", "BIT_PACKED"}

# Java's writer, Spark's own, takes NaN for the largest value, so that a maximum that is a number proves that there is none;
# Arrow's leaves NaN out of minima and maxima, as the format asks.
_TAKES_NAN_FOR_THE_LARGEST = "parquet-mr version 1."

# What is compared exactly in Python as in Spark: whole numbers, decimals, and a double with the double next to the limit.
_LIMITS: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "bigint": (int,),
    "double": (int, float),
    "decimal(12,2)": (int, Decimal),
}


@dataclass(frozen=True)
class RowGroup:
    """One row group of a Parquet file: `footer` is its part of the file's footer (`pyarrow.parquet.RowGroupMetaData`)."""

    file: Path
    position: int
    footer: Any
    writer: str


@dataclass(frozen=True)
class Bounds:
    """No number of a column is below `low` or above `high`; both None where that is not known, or it has no number."""

    low: Any
    high: Any
    has_no_null: bool
    has_no_nan: bool


def left_to_ask(contract: TableContract, version: int) -> dict[str, str]:
    """What is left of row rules at a version of the contract's table, given what its files tell.

    Spark SQL booleans by rule, "" where no row breaks it; a rule that is not named is left as it is. Of checks of one column,
    those are looked at that compare a number with limits, or are of a text; and that a value, or each part of the key, is given.
    """
    files = data_files(contract.name, version)
    if not files or len(files) > _MOST_FILES or not all(file.is_file() for file in files):
        return {}
    return left_given(contract, row_groups(files))


def left_given(contract: TableContract, groups: Sequence[RowGroup]) -> dict[str, str]:
    """As `left_to_ask`, of rows that are all in these row groups."""
    types = {column.name: column.spark_type for column in contract.columns}
    bounds = column_bounds(groups)
    left = {rule.name: left_of(rule, types, bounds) for rule in row_rules(contract)}
    texts = [
        (rule.name, rule.columns[0], rule.check)
        for rule in row_rules(contract)
        if rule.check is not None and types[rule.columns[0]] == "string"
    ]
    values = distinct_texts(groups, {column for _, column, _ in texts})
    left |= {name: "" for name, column, check in texts if column in values and all_pass(check, values[column])}
    return {name: sql for name, sql in left.items() if sql is not None}


def row_groups(files: Iterable[Path]) -> list[RowGroup]:
    """The row groups of Parquet files, by their footers."""
    footers = [(file, pq.read_metadata(file)) for file in files]
    return [
        RowGroup(file, i, footer.row_group(i), footer.created_by or "")
        for file, footer in footers
        for i in range(footer.num_row_groups)
    ]


def distinct_texts(groups: Sequence[RowGroup], names: Iterable[str]) -> dict[str, frozenset[str]]:
    """The values of those columns that are all, in every row group, in a small dictionary of UTF-8 texts."""
    if not groups or sum(group.footer.num_rows for group in groups) < _LEAST_ROWS * len(groups):
        return {}
    values: dict[str, frozenset[str]] = dict.fromkeys(names, frozenset())
    for group in groups:
        chunks = {chunk.path_in_schema: chunk for chunk in _chunks(group)}
        for name in list(values):
            found = _dictionary(group, chunks.get(name))
            if found is None:
                del values[name]
            else:
                values[name] |= found
    return values


def _dictionary(group: RowGroup, chunk: Any) -> frozenset[str] | None:
    """The dictionary of a row group's column (None: it lacks it), if it is small and no value is stored outside of it."""
    if group.footer.num_rows == 0:
        return frozenset()
    if chunk is None or not chunk.has_dictionary_page or not _DICTIONARY_ONLY.issuperset(chunk.encodings):
        return None
    if chunk.data_page_offset - chunk.dictionary_page_offset > _MOST_BYTES:
        return None
    # Of the rows, the first page is read with it, and one row is decoded.
    name = chunk.path_in_schema
    with pq.ParquetFile(group.file, read_dictionary=[name], buffer_size=_MOST_BYTES) as opened:
        first = next(opened.iter_batches(batch_size=1, row_groups=[group.position], columns=[name]))
    try:
        dictionary = first.column(0).dictionary
        dictionary.validate(full=True)
    except pa.ArrowInvalid:  # not UTF-8
        return None
    return frozenset(dictionary.to_pylist())


def _chunks(group: RowGroup) -> Iterator[Any]:
    return (group.footer.column(j) for j in range(group.footer.num_columns))


def column_bounds(groups: Sequence[RowGroup]) -> dict[str, Bounds]:
    """Bounds of the columns by the statistics of the row groups; of nested columns nothing."""
    found: dict[str, list[Bounds]] = {}
    for group in groups:
        nan_is_largest = group.writer.startswith(_TAKES_NAN_FOR_THE_LARGEST)
        for chunk in _chunks(group):
            bounds = _chunk_bounds(group.footer.num_rows, chunk.statistics, nan_is_largest=nan_is_largest)
            found.setdefault(chunk.path_in_schema, []).append(bounds)
    return {name: _together(chunks) for name, chunks in found.items() if len(chunks) == len(groups)}


def _chunk_bounds(rows: int, statistics: Any, *, nan_is_largest: bool) -> Bounds:
    nulls = statistics.null_count if statistics is not None and statistics.has_null_count else None
    if nulls == rows:
        return Bounds(math.inf, -math.inf, has_no_null=rows == 0, has_no_nan=True)
    if statistics is None or not statistics.has_min_max or not isinstance(statistics.min, int | float | Decimal):
        return Bounds(-math.inf, math.inf, nulls == 0, has_no_nan=False)
    if math.isnan(statistics.min) or math.isnan(statistics.max):
        return Bounds(-math.inf, math.inf, nulls == 0, has_no_nan=False)
    return Bounds(statistics.min, statistics.max, nulls == 0, has_no_nan=nan_is_largest)


def _together(chunks: Sequence[Bounds]) -> Bounds:
    low, high = min(chunk.low for chunk in chunks), max(chunk.high for chunk in chunks)
    is_known = math.isfinite(low) and math.isfinite(high)
    return Bounds(
        low if is_known else None,
        high if is_known else None,
        all(chunk.has_no_null for chunk in chunks),
        all(chunk.has_no_nan for chunk in chunks),
    )


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
    can_be_nan = types[name] == "double" and not bounds[name].has_no_nan
    return f"isnan(`{name}`)" if can_be_nan and rule.kind != "not_equal_to" else ""


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
