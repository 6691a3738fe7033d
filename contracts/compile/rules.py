"""Every rule of a contract, compiled once for the Spark pass, the asset checks and the documentation.

Rule names are stable: `<column>__<kind>`, a cross-column rule's or measure's own name, `key__not_null`, `key__unique`,
`<columns>__in_<schema>_<table>`, `row_count__at_least`, `quarantine_share__at_most`, `known_at__is_fresh`,
`row_count__like_before` and `<column>__like_before`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import sqlglot
from sqlglot import exp

from contracts.compile.checks import compile_check, settled_by_set
from contracts.compile.survey import check_survey
from contracts.errors import ConfigError
from contracts.model import Check, Column, Measure, Reference, Rule, Severity, TableContract, Tier


class Scope(StrEnum):
    """What has to be looked at to judge a rule."""

    ROW = "row"
    KEY = "key"
    REFERENCE = "reference"
    TABLE = "table"


@dataclass(frozen=True)
class CompiledRule:
    """One rule as every target reads it.

    Attributes:
        name: unique in the table, letters, digits and underscores.
        kind: `not_null`, `in_range`, `expression`, `unique`, `reference`, ...
        sql: row rules only: Spark SQL boolean, TRUE when the row breaks the rule, else FALSE or NULL; "" for other rules.
        columns: the columns it reads, in the contract's order.
        check: of a rule on one column: the Pandera check; None for `not_null`.
        reference: of a reference rule.
        measure: of a table rule: what is measured and which values are expected.
        settled: of a rule on a column with a set of values: Spark SQL boolean, TRUE for values that break no rule of
            one column on it; "" where that saves nothing.
    """

    name: str
    kind: str
    scope: Scope
    severity: Severity
    tier: Tier
    sql: str
    description: str
    columns: tuple[str, ...]
    check: Check | None = None
    reference: Reference | None = None
    measure: Measure | None = None
    settled: str = ""

    @property
    def is_of_one_column(self) -> bool:
        """Whether it is a check of one column, or asks that it is given."""
        return self.scope is Scope.ROW and self.kind != "expression" and self.name != "key__not_null"

    @property
    def expected(self) -> str:
        """What a table that keeps the rule shows, in words."""
        return "no row breaks it" if self.measure is None else self.measure.expected


@cache
def rules_of(contract: TableContract) -> tuple[CompiledRule, ...]:
    """All rules: columns in order, then cross-column rules, key, references, rules of the table as a whole.

    Raises:
        ConfigError: a rule cannot be enforced as written, or two rules have one name.
    """
    rules = (
        *(rule for column in contract.columns for rule in _column_rules(column)),
        *(_expression(rule, contract) for rule in contract.rules),
        *_key_rules(contract),
        *(_reference(reference) for reference in contract.references),
        *_table_rules(contract),
    )
    _refuse_twins(contract, (rule.name for rule in rules))
    return rules


def row_rules(contract: TableContract) -> tuple[CompiledRule, ...]:
    """The rules that one row alone decides, in the order of their bits in the mask."""
    return tuple(rule for rule in rules_of(contract) if rule.scope is Scope.ROW)


def _refuse_twins(contract: TableContract, names: Iterable[str]) -> None:
    twins = sorted(name for name, count in Counter(names).items() if count > 1)
    if twins:
        raise ConfigError(f"{contract.name} has two rules named {', '.join(twins)}.", todo="Rename or merge them.")


def _column_rules(column: Column) -> Iterable[CompiledRule]:
    settled = settled_by_set(column)
    if not column.nullable:
        sql = f"(`{column.name}` IS NULL)"
        yield _of_column(column, "not_null", sql, f"{column.name} is given.", settled)
    for check in column.checks:
        kind, sql, words = compile_check(column, check)
        yield _of_column(column, kind, sql, f"{column.name} is {words}.", settled, check)


def _of_column(
    column: Column, kind: str, sql: str, description: str, settled: str, check: Check | None = None
) -> CompiledRule:
    return CompiledRule(
        name=f"{column.name}__{kind}",
        kind=kind,
        scope=Scope.ROW,
        severity=column.severity,
        tier=column.tier,
        sql=sql,
        description=description,
        columns=(column.name,),
        check=check,
        settled=settled,
    )


def _expression(rule: Rule, contract: TableContract) -> CompiledRule:
    sql = f"(NOT ({rule.sql}))"
    columns = _columns_read(rule, contract)
    return CompiledRule(rule.name, "expression", Scope.ROW, rule.severity, rule.tier, sql, rule.description, columns)


NUMBERS = ("int", "bigint", "double", "decimal(12,2)")

# What a row rule may not hold: more than the row decides its outcome, or it differs from run to run.
_NOT_OF_ONE_ROW = (exp.AggFunc, exp.Window, exp.Subquery, exp.Select, exp.Rand, exp.CurrentDate, exp.CurrentTimestamp)


def _columns_read(rule: Rule, contract: TableContract) -> tuple[str, ...]:
    where = f"The rule {rule.name} of {contract.name}"
    _checked_name(rule.name)
    try:
        tree = sqlglot.parse_one(rule.sql, read="spark")
    except sqlglot.errors.SqlglotError as error:
        raise ConfigError(f"{where} is not one Spark SQL condition.", actual=rule.sql) from error
    if tree.find(*_NOT_OF_ONE_ROW):
        raise ConfigError(f"{where} needs more than its own row.", actual=rule.sql, todo="Compare with columns only.")
    read = {column.name.lower() for column in tree.find_all(exp.Column)}
    if unknown := read - set(contract.column_names):
        raise ConfigError(f"{where} reads columns that the table lacks: {', '.join(sorted(unknown))}.")
    return tuple(name for name in contract.column_names if name in read)


def _key_rules(contract: TableContract) -> Iterable[CompiledRule]:
    """Pandera's `nullable=False` and `unique` over the key, together; NULLs count as equal."""
    if not contract.key:
        return
    names = ", ".join(contract.key)
    null = "(" + " OR ".join(f"`{name}` IS NULL" for name in contract.key) + ")"
    error, structural = Severity.ERROR, Tier.STRUCTURAL
    described = f"Every part of the key ({names}) is given."
    yield CompiledRule("key__not_null", "not_null", Scope.ROW, error, structural, null, described, contract.key)
    described = f"One row per {names}."
    yield CompiledRule("key__unique", "unique", Scope.KEY, error, structural, "", described, contract.key)


def _reference(reference: Reference) -> CompiledRule:
    columns = "_".join(reference.columns)
    return CompiledRule(
        name=f"{columns}__in_{reference.table.replace('.', '_')}",
        kind="reference",
        scope=Scope.REFERENCE,
        severity=reference.severity,
        tier=Tier.LOGICAL,
        sql="",
        description=f"{', '.join(reference.columns)} is known in {reference.table}.",
        columns=reference.columns,
        reference=reference,
    )


def _table_rules(contract: TableContract) -> Iterable[CompiledRule]:
    error = Severity.ERROR
    if contract.min_rows > 0:
        words = f"The table has at least {contract.min_rows} rows."
        yield _measured("row_count", Measure("row_count__at_least", words, low=contract.min_rows, severity=error))
    few = f", or fewer than {contract.quarantine_from} rows" if contract.quarantine_from > 1 else ""
    words = f"At most {contract.quarantine_limit:.2%} of the rows are quarantined{few}."
    limit = Measure(
        "quarantine_share__at_most", words, high=contract.quarantine_limit, unit="of the rows", severity=error
    )
    yield _measured("quarantine_share", limit)
    for survey in contract.surveys:
        check_survey(survey, contract)
        for measure in survey.measures:
            yield _measured("measure", measure)
    if contract.max_age_days is not None:
        words = f"The newest facts became known at most {contract.max_age_days} days before the night."
        fresh = Measure("known_at__is_fresh", words, high=contract.max_age_days, unit="days")
        yield _measured("freshness", fresh, "known_at")
    if contract.profile:
        yield from _trends(contract)


def _trends(contract: TableContract) -> Iterable[CompiledRule]:
    """Distances from the trailing nights; 1 is the edge of what they make plausible (`jobs.trailing`)."""

    def trend(name: str, what: str) -> Measure:
        return Measure(
            f"{name}__like_before", f"{what} is like in the trailing nights.", high=1, unit="of the tolerance"
        )

    yield _measured("trend", trend("row_count", "The number of rows"))
    for column in contract.columns:
        if column.name in contract.profile:
            _refuse_unprofilable(column, contract)
            yield _measured("trend", trend(column.name, f"The distribution of {column.name}"), column.name)


def _refuse_unprofilable(column: Column, contract: TableContract) -> None:
    is_set = any(check.kind == "isin" for check in column.checks)
    if not (is_set or column.nullable or column.spark_type in (*NUMBERS, "boolean")):
        raise ConfigError(
            f"The column {column.name} of {contract.name} has no distribution to watch.",
            expected="a number, a boolean, a set of values (`isin`) or a nullable column",
            actual=f"{column.spark_type}, never NULL",
            todo="Take it out of `profile`.",
        )


def _measured(kind: str, measure: Measure, *columns: str) -> CompiledRule:
    if measure.low is None and measure.high is None:
        raise ConfigError(f"The measure {measure.name} accepts any value.", todo="Give it `low`, `high` or both.")
    return CompiledRule(
        name=_checked_name(measure.name),
        kind=kind,
        scope=Scope.TABLE,
        severity=measure.severity,
        tier=measure.tier,
        sql="",
        description=measure.description,
        columns=columns,
        measure=measure,
    )


def _checked_name(name: str) -> str:
    if not name.isidentifier() or name != name.lower():
        raise ConfigError(f"The rule {name} needs a name in snake case.", todo="Rename it.")
    return name
