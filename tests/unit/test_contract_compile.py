"""What the compiler refuses, and how rules are named."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts.compile.regex import java_regex
from contracts.compile.rules import CompiledRule, rules_of
from contracts.errors import ConfigError
from contracts.model import BrokenKey, Contract, Reference, Rule, column, resolve, table
from contracts.types import Bool, Date, Double, Int, Str, Strings, Timestamp


def _rules(annotation: Any, terms: dict[str, Any] | None = None, **checks: Any) -> dict[str, CompiledRule]:
    body = {"__doc__": "x", "__annotations__": {"c": annotation}, "__module__": __name__, "c": column("x", **checks)}
    declared: Any = type("One", (Contract,), body)
    model: Any = table("core.one", **{"key": ("c",), **(terms or {})})(declared)
    return {rule.name: rule for rule in rules_of(resolve(model))}


def test_names() -> None:
    terms = {
        "min_rows": 5,
        "rules": (Rule("c_is_short", "length(c) < 9", "x"),),
        "references": (Reference(("c",), "core.other", ("c",)),),
    }
    assert list(_rules(Str, terms, isin=["a"], str_matches="^a$")) == [
        "c__not_null", "c__in_set", "c__matches", "c_is_short", "key__not_null", "key__unique", "c__in_core_other",
        "row_count__at_least", "quarantine_share__at_most",
    ]  # fmt: skip


def test_columns_of_a_cross_column_rule_are_known() -> None:
    assert _rules(Str, {"rules": (Rule("r", "upper(c) = c", "x"),)})["r"].columns == ("c",)


@pytest.mark.parametrize(
    ("annotation", "checks"),
    [
        (Str, {"str_contains": "a"}),
        (Str, {"unique_values_eq": ["a"]}),
        (Strings, {"isin": ["a"]}),
        (Bool, {"ge": True}),
        (Int, {"ge": "1"}),
        (Int, {"isin": [1, None]}),
        (Double, {"le": float("nan")}),
        (Double, {"isin": [0.0]}),
        (Date, {"ge": dt.datetime(2020, 1, 1)}),
        (Timestamp, {"ge": dt.datetime(2020, 1, 1)}),
        (Int, {"str_length": {"min_value": 1}}),
    ],
)
def test_check_that_cannot_be_enforced_is_refused_at_declaration(annotation: Any, checks: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        _rules(annotation, **checks)


@pytest.mark.parametrize(
    "sql", ["c >", "missing > 1", "count(c) > 1", "c = rand()", "c IN (SELECT 1)", "c < current_date()"]
)
def test_rule_of_more_than_its_row_is_refused(sql: str) -> None:
    with pytest.raises(ConfigError):
        _rules(Str, {"rules": (Rule("r", sql, "x"),)})


@pytest.mark.parametrize(
    "pattern", [r"^a|b", r"a(?=b)", r"(a)\1", r"(?i)a", r"a*?", r"a$b", r"a^b", r"\bword", r"[\D1]", r"(a", r"a{1001}"]
)
def test_pattern_that_dialects_read_differently_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError):
        java_regex(pattern)


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="c__not_null"):
        _rules(Str, {"rules": (Rule("c__not_null", "c <> ''", "x"),)})


def test_broken_key_blocks_what_is_derived_and_quarantines_what_is_delivered() -> None:
    body = {"__doc__": "x", "__annotations__": {"c": Str}, "__module__": __name__}
    found = {}
    for layer in ("raw", "staging", "core", "outreach"):
        model: Any = type("One", (Contract,), {**body, "c": column("x")})
        found[layer] = resolve(table(f"{layer}.one", key=("c",))(model)).broken_key
    quarantine, block = BrokenKey.QUARANTINE, BrokenKey.BLOCK
    assert found == {"raw": quarantine, "staging": quarantine, "core": block, "outreach": block}
