"""The data dictionary: one Markdown page with every table, its columns, its rules and who owns it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contracts.catalog import LAYERS, layer
from contracts.compile.rules import CompiledRule, rules_of
from contracts.model import Column, Phi, TableContract

PATH = "docs/dictionary.md"
_HEADER = """<!-- Rendered from contracts/ by `python -m contracts.compile docs`; edit the contract, not this file. -->
# Data dictionary

Every table as its contract describes it. A rule of severity `error` quarantines the row that breaks it (or blocks the
table, where the rule is about the whole table); `warn` is counted and let through. Rules that are marked by their column
(`required`, a range, a set) stand there; the others below the columns. `outreach contracts show TABLE` prints one table.
"""


def dictionary_files() -> Mapping[str, str]:
    """Rendered text by path below the repository."""
    return {PATH: render()}


def render() -> str:
    """The page."""
    lines = [_HEADER, "| table | rows are | columns | rules |", "|---|---|---|---|"]
    tables = [table for schema in LAYERS for table in layer(schema)]
    lines += [
        f"| [`{table.name}`](#{_anchor(table)}) | {_cell(table.description)} | {len(table.columns)} | {len(rules_of(table))} |"
        for table in tables
    ]
    return "\n".join([*lines, "", *(line for table in tables for line in _table(table))])


def _anchor(table: TableContract) -> str:
    """GitHub's anchor of a heading: lower case, dots left out."""
    return table.name.replace(".", "")


def _table(table: TableContract) -> Iterable[str]:
    rules = rules_of(table)
    yield f"## {table.name}\n"
    yield f"{table.description}\n"
    key = ", ".join(f"`{name}`" for name in table.key) or "none"
    yield f"Key: {key}. Owner: {table.owner}. Contract {table.version}, written by {table.writer}.\n"
    yield "| column | type | meaning | asked of it |"
    yield "|---|---|---|---|"
    yield from (_column(column, rules) for column in table.columns)
    others = [rule for rule in rules if not rule.is_of_one_column]
    yield "\n| rule | tier | severity | asks |"
    yield "|---|---|---|---|"
    yield from (
        f"| `{r.name}` | {r.tier} | {r.severity} | {_cell(r.description)}{_cell(expected_of(r))} |" for r in others
    )
    yield ""


def _column(column: Column, rules: Iterable[CompiledRule]) -> str:
    notes = [] if column.phi is Phi.NONE else [f"PHI: {column.phi.value.replace('_', ' ')}"]
    meaning = _cell(" ".join([column.description, *(f"*{note}.*" for note in notes)]))
    unit = f" ({column.unit})" if column.unit else ""
    asked = [asked_of(rule, column) for rule in rules if rule.is_of_one_column and rule.columns == (column.name,)]
    return f"| `{column.name}` | {column.spark_type}{unit} | {meaning} | {_cell('; '.join(asked))} |"


def asked_of(rule: CompiledRule, column: Column) -> str:
    """What a rule of one column asks, in a few words beside the column's name."""
    if rule.kind == "not_null":
        return "required" if rule.severity == "error" else "expected"
    words = rule.description.removeprefix(f"{column.name} is ").removesuffix(".")
    return words if rule.severity == "error" else f"{words} (warn)"


def expected_of(rule: CompiledRule) -> str:
    """The reference range of a measure as a sentence; empty for other rules."""
    if rule.measure is None or rule.kind != "measure" or rule.measure.unit == "rows":
        return ""
    source = f"; {rule.measure.reference}" if rule.measure.reference else ""
    return f" Expected: {rule.measure.expected}{source}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
