"""What a table looks like as a whole: the surveys of its contract, its distributions, how fresh it is.

All of it is asked in the one query that also counts broken rows: each question is a small frame `name, value`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping

from pyspark.sql import DataFrame
from pyspark.sql.connect.session import SparkSession

from contracts.compile.literals import sql_string
from contracts.compile.rules import NUMBERS
from contracts.compile.survey import fill_in, tables_read
from contracts.model import Column, Survey, TableContract
from jobs.audit_result import Statistic

_NEWEST = "newest_known_day"
_EPOCH = dt.date(1970, 1, 1)


def survey_answer(spark: SparkSession, survey: Survey, rows: DataFrame, table: Callable[[str], str]) -> DataFrame:
    """Rows `name, value`, one per measure.

    Args:
        spark: the session.
        survey: of the contract.
        rows: the audited rows of the night's source.
        table: SQL that stands for another table.
    """
    asked = spark.sql(fill_in(survey, "{rows}", table), rows=rows)
    return _stacked(asked, {measure.name: f"`{measure.name}`" for measure in survey.measures})


def profile_answer(rows: DataFrame, contract: TableContract) -> DataFrame | None:
    """Rows `name, value` with the statistics of the profiled columns and the newest fact's day; None: none asked for."""
    asked = {_name(statistic): sql for statistic, sql in _statistics(contract)}
    if contract.max_age_days is not None:
        asked[_NEWEST] = "unix_date(max(cast(known_at AS date)))"
    if not asked:
        return None
    numbered = {f"__{i}": sql for i, sql in enumerate(asked.values())}
    totals = rows.selectExpr(*(f"{sql} AS {name}" for name, sql in numbered.items()))
    return _stacked(totals, dict(zip(asked, numbered, strict=True)))


def _stacked(one_row: DataFrame, columns: Mapping[str, str]) -> DataFrame:
    pairs = ", ".join(f"{sql_string(name)}, CAST({sql} AS double)" for name, sql in columns.items())
    return one_row.selectExpr(f"stack({len(columns)}, {pairs}) AS (name, value)")


def _statistics(contract: TableContract) -> Iterable[tuple[Statistic, str]]:
    """Each statistic (without its value) and the aggregate that computes it."""
    for column in contract.columns:
        if column.name in contract.profile:
            yield from _column_statistics(column)
    if contract.profile:
        yield Statistic("row_count", "rows", 0.0), "count(*)"


def _column_statistics(column: Column) -> Iterable[tuple[Statistic, str]]:
    if column.nullable:
        yield Statistic(column.name, "null_share", 0.0), f"avg(if(`{column.name}` IS NULL, 1, 0))"
    if column.spark_type in NUMBERS:
        yield Statistic(column.name, "mean", 0.0), f"avg(CAST(`{column.name}` AS double))"
    for value in _categories(column):
        literal = value if column.spark_type == "boolean" else sql_string(value)
        yield Statistic(column.name, "share", 0.0, value), f"avg(if(`{column.name}` <=> {literal}, 1, 0))"


def _categories(column: Column) -> tuple[str, ...]:
    """The values that a contract names; others could be a member's and are never kept."""
    if column.spark_type == "boolean":
        return ("false", "true")
    named = [dict(check.arguments)["allowed_values"] for check in column.checks if check.kind == "isin"]
    return tuple(str(value) for value in named[0]) if named and column.spark_type == "string" else ()


def _name(statistic: Statistic) -> str:
    return "|".join(part for part in (statistic.column, statistic.name, statistic.category) if part)


def statistics_in(contract: TableContract, values: Mapping[str, float]) -> tuple[Statistic, ...]:
    """The statistics among the answers."""
    asked = {_name(statistic): statistic for statistic, _ in _statistics(contract)}
    return tuple(Statistic(s.column, s.name, values[name], s.category) for name, s in asked.items() if name in values)


def age_days(values: Mapping[str, float], run_date: dt.date | None) -> float | None:
    """Days from the newest fact to the night, negative where newer ones are known; None: no fact, or no night."""
    if run_date is None or _NEWEST not in values:
        return None
    return (run_date - _EPOCH).days - values[_NEWEST]


def other_tables(contract: TableContract) -> tuple[str, ...]:
    """Tables that the contract's surveys read beside the audited one."""
    return tuple(sorted({name for survey in contract.surveys for name in tables_read(survey)} - {contract.name}))
