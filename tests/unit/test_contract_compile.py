"""What the compiler refuses, and how rules are named."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandera.pandas as pa
import pytest

from contracts.compile.checks import SUPPORTED_CHECKS, compile_check
from contracts.compile.regex import java_regex
from contracts.compile.rules import CompiledRule, rules_of
from contracts.errors import ConfigError
from contracts.model import (
    BrokenKey,
    Check,
    Column,
    Contract,
    Measure,
    Phi,
    Reference,
    Rule,
    Severity,
    Survey,
    Tier,
    column,
    resolve,
    table,
)  # fmt: skip
from contracts.types import Bool, Date, Double, Int, Str, Strings, Timestamp

ADR = Path(__file__).resolve().parents[2] / "docs" / "adr" / "0003-contracts.md"


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


@pytest.mark.parametrize("kind", sorted(set(pa.Check.CHECK_FUNCTION_REGISTRY) - SUPPORTED_CHECKS))
def test_every_other_check_of_pandera_is_refused_and_listed(kind: str) -> None:
    column = Column("c", "string", True, "x", Phi.NONE, None, Severity.ERROR, Tier.STRUCTURAL, ())
    with pytest.raises(ConfigError, match="cannot be enforced"):
        compile_check(column, Check(kind, ()))
    assert f"`{kind}`" in ADR.read_text(encoding="utf-8"), f"docs/adr/0003 does not list {kind}"


@pytest.mark.parametrize("option", [{"unique": True}, {"coerce": True}, {"default": "a"}])
def test_option_of_pandera_that_spark_would_not_enforce_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="would not enforce"):
        _rules(Str, **option)


def test_custom_checks_of_pandera_are_refused() -> None:
    def whole_frame(cls: Any, frame: Any) -> Any:
        return frame["c"].notna()

    def one_column(cls: Any, series: Any) -> Any:
        return series.notna()

    for method in (pa.dataframe_check(whole_frame), pa.check("c")(one_column)):
        body = {"__doc__": "x", "__annotations__": {"c": Str}, "__module__": __name__, "c": column("x"), "own": method}
        declared: Any = type("Custom", (Contract,), body)
        with pytest.raises(ConfigError):
            table("core.custom", key=("c",))(declared)


@pytest.mark.parametrize(
    ("survey", "words"),
    [
        ("select count(*) as n from core.member", "not a SELECT over its rows"),
        ("select count(*) as other from {rows}", "one column per measure"),
        ("select count_if(rand() > 0) as n from {rows}", "by chance"),
        ("select count(* from {rows}", "not one Spark SQL query"),
    ],
)
def test_survey_that_cannot_be_asked_is_refused(survey: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        _rules(Str, {"surveys": (Survey(survey, (Measure("n", "x", high=0),)),)})


def test_measure_without_a_range_and_profile_without_a_distribution_are_refused() -> None:
    with pytest.raises(ConfigError, match="accepts any value"):
        _rules(Str, {"surveys": (Survey("select count(*) as n from {rows}", (Measure("n", "x"),)),)})
    with pytest.raises(ConfigError, match="no distribution"):
        _rules(Str, {"profile": ("c",)})


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
