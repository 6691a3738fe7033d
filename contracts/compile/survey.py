"""Surveys: what their SQL may hold, which tables it reads, and how its placeholders are filled in."""

from __future__ import annotations

import re
from collections.abc import Callable

import sqlglot
from sqlglot import exp

from contracts.errors import ConfigError
from contracts.model import Survey, TableContract

_PLACEHOLDER = re.compile(r"\{([a-z_]+(?:\.[a-z0-9_]+)?)\}")
_ROWS = "rows"
_CHANGES_BY_ITSELF = (exp.Rand, exp.CurrentDate, exp.CurrentTimestamp)


def tables_read(survey: Survey) -> tuple[str, ...]:
    """Tables other than the audited one that a survey reads, as `schema.table`."""
    return tuple(sorted({name for name in _PLACEHOLDER.findall(survey.sql) if name != _ROWS}))


def fill_in(survey: Survey, rows: str, table: Callable[[str], str]) -> str:
    """The survey's SQL with its placeholders replaced.

    Args:
        survey: what to ask.
        rows: SQL that stands for the audited rows.
        table: SQL that stands for another table, by its name.
    """
    return _PLACEHOLDER.sub(lambda found: rows if found[1] == _ROWS else table(found[1]), survey.sql)


def check_survey(survey: Survey, contract: TableContract) -> None:
    """Refuse a survey that cannot be asked.

    Raises:
        ConfigError: it is not one SELECT, does not read the table, gives other columns than its measures, or its answer
            changes with the clock or by chance.
    """
    where = f"A survey of {contract.name}"
    try:
        tree = sqlglot.parse_one(fill_in(survey, _ROWS, lambda name: name), read="spark")
    except sqlglot.errors.SqlglotError as error:
        raise ConfigError(f"{where} is not one Spark SQL query.", actual=survey.sql) from error
    if not isinstance(tree, exp.Select) or _ROWS not in _PLACEHOLDER.findall(survey.sql):
        raise ConfigError(f"{where} is not a SELECT over its rows.", expected="SELECT … FROM {rows}", actual=survey.sql)
    if tree.find(*_CHANGES_BY_ITSELF):
        raise ConfigError(f"{where} changes with the clock or by chance.", actual=survey.sql)
    names = [measure.name for measure in survey.measures]
    if list(tree.named_selects) != names:
        raise ConfigError(
            f"{where} does not give one column per measure.",
            expected=", ".join(names),
            actual=", ".join(tree.named_selects),
            todo="Name its columns like its measures, in their order.",
        )
