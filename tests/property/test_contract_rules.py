"""The Spark pass and Pandera's pandas backend give the same verdict for every rule and row, on generated contracts and frames.

The reference is `contracts.frames`: Pandera's own checks on a column, DuckDB on the transpiled rules across columns. A Spark job per example would
be slow, so an example is a whole frame.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contracts import types
from contracts.catalog import catalog
from contracts.compile.checks import SUPPORTED_CHECKS
from contracts.compile.regex import java_regex
from contracts.compile.rules import Scope, row_rules, rules_of
from contracts.frames import broken_rows
from contracts.model import Contract, Rule, TableContract, column, resolve, table
from jobs.row_flags import classified, tally

pytestmark = pytest.mark.timeout(600)

# No shrinking: it would start hundreds of Spark jobs, and the failing rule and its SQL say enough.
QUICK: dict[str, Any] = {
    "deadline": None, "derandomize": True, "database": None, "phases": [Phase.generate],
    "suppress_health_check": list(HealthCheck),
}  # fmt: skip

NAN = float("nan")
UTC = dt.UTC
ARROW = {
    "text": pa.string(), "code": pa.string(), "whole": pa.int32(), "long": pa.int64(), "share": pa.float64(),
    "paid": pa.decimal128(12, 2), "day": pa.date32(), "moment": pa.timestamp("us", tz="UTC"), "flag": pa.bool_(),
}  # fmt: skip
PYTHON_TYPE = {
    "text": types.Str, "code": types.Str, "whole": types.Int, "long": types.Long, "share": types.Double,
    "paid": types.Money, "day": types.Date, "moment": types.Timestamp, "flag": types.Bool,
}  # fmt: skip
POOL: dict[str, list[Any]] = {
    "text": ["", "a", "A", "é", "😀😀", "a\n", "abc", "it's", "back\\slash", "zz top", "%", "null", " a"],
    "code": ["A12", "A12.3", "a12", "A1", "A12\n", "A1٣", "AB1", "", "E11.65", "A12.", "\u2028A12", "250.00"],
    "whole": [-(2**31), -1, 0, 1, 7, 2**31 - 1],
    "long": [-(2**63), -1, 0, 1, 2**53 + 1, 2**63 - 1],
    "share": [NAN, float("inf"), float("-inf"), -0.0, 0.0, 0.1, 0.5, 1.0, 1e300],
    "paid": [Decimal(x) for x in ("-0.01", "0.00", "0.10", "1.00", "9999999999.99", "-9999999999.99")],
    "day": [dt.date(1900, 1, 1), dt.date(1999, 12, 31), dt.date(2000, 1, 1), dt.date(2026, 11, 23), dt.date(9999, 12, 31)],
    "moment": [
        dt.datetime(1999, 12, 31, 23, 59, 59, 999999, UTC), dt.datetime(2000, 1, 1, tzinfo=UTC),
        dt.datetime(2026, 11, 23, 1, 2, 3, 4, UTC),
    ],
    "flag": [True, False],
}  # fmt: skip
PATTERNS = [
    r"^[A-Z]\d{2}$", r"[A-Z][0-9]{2}(\.[0-9]+)?$", r"\w+", r"^(a|A)", r"a|A12", r".*2$", r"^[^a]*$", r"\D", r"^$", r"A.?",
    r"[A-Z\d.]+$", r"(?:E|A)1{1,2}", r"\S+\s",
]  # fmt: skip
CROSS = (
    Rule("whole_at_most_long", "whole <= long", "x"),
    Rule("paid_where_flagged", "NOT flag OR paid >= 0", "x"),
    Rule("day_of_moment", "day <= cast(moment as date) OR text IS NULL", "x"),
    Rule("text_or_code", "text IS NOT NULL OR code IS NOT NULL", "x"),
    Rule("share_of_one", "share BETWEEN 0 AND 1 OR isnan(share)", "x"),
)


def _values(kind: str) -> st.SearchStrategy[Any]:
    finite = [value for value in POOL[kind] if value == value and value not in (float("inf"), float("-inf"))]
    return st.sampled_from(finite)


def _names(kind: str) -> list[str]:
    """The checks that suit a column of this kind; a pattern four times, as there are many of them."""
    names = ["eq", "ne"] + ([] if kind == "share" else ["isin", "notin"])
    names += [] if kind == "flag" else ["ge", "gt", "le", "lt", "in_range"]
    names += ["str_length", "str_startswith", "str_endswith"] if kind == "text" else []
    return names + (["str_matches"] * 4 if kind == "code" else [])


@st.composite
def _checks(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """One or two checks on a column of this kind."""
    names = draw(st.sets(st.sampled_from(_names(kind)), min_size=1, max_size=2))
    return {name: draw(_argument(name, kind)) for name in names}


def _argument(name: str, kind: str) -> st.SearchStrategy[Any]:
    if name in ("isin", "notin"):
        return st.lists(_values(kind), min_size=1, max_size=3, unique=True)
    if name == "in_range":
        bounds = st.tuples(_values(kind), _values(kind)).map(sorted)
        flags = st.tuples(st.booleans(), st.booleans())
        return st.tuples(bounds, flags).filter(lambda x: x[0][0] < x[0][1]).map(
            lambda x: {"min_value": x[0][0], "max_value": x[0][1], "include_min": x[1][0], "include_max": x[1][1]}
        )  # fmt: skip
    if name == "str_length":
        return st.sampled_from(
            [{"min_value": 1}, {"max_value": 2}, {"min_value": 1, "max_value": 2}, {"exact_value": 2}]
        )
    if name == "str_matches":
        return st.sampled_from(PATTERNS)
    return st.sampled_from(["a", "it's", "\\slash", "é"]) if name.startswith("str_") else _values(kind)


@st.composite
def _contracts(draw: st.DrawFn) -> TableContract:
    return _contract({kind: column("x", nullable=draw(st.booleans()), **draw(_checks(kind))) for kind in POOL}, CROSS)


def _contract(fields: dict[str, Any], rules: tuple[Rule, ...] = ()) -> TableContract:
    body = {"__doc__": "x", "__annotations__": {kind: PYTHON_TYPE[kind] for kind in fields}, "__module__": __name__}
    key = tuple(kind for kind in ("text", "whole") if kind in fields) or tuple(fields)
    model: Any = type("Generated", (Contract,), body | fields)
    return resolve(table("staging.generated", key=key, rules=rules, quarantine_limit=1.0)(model))


_ROWS = st.fixed_dictionaries({kind: st.none() | st.sampled_from(values) for kind, values in POOL.items()})


@settings(max_examples=8, **QUICK)
@given(contract=_contracts(), rows=st.lists(_ROWS, min_size=40, max_size=120))
def test_same_verdict_per_rule_and_row(spark: Any, contract: TableContract, rows: list[dict[str, Any]]) -> None:
    arrow = pa.table({kind: pa.array([row[kind] for row in rows], type=ARROW[kind]) for kind in ARROW})
    arrow = arrow.append_column("row_id", pa.array(range(len(rows)), pa.int64()))
    frame = arrow.to_pandas(types_mapper=pd.ArrowDtype)
    source = spark.createDataFrame(arrow)
    ours = (
        source.selectExpr("row_id", *(f"coalesce({rule.sql}, false) AS `{rule.name}`" for rule in row_rules(contract)))
        .toPandas().sort_values("row_id")
    )  # fmt: skip
    judged = broken_rows(contract, frame.drop(columns="row_id"))
    oracle = {name: mask.tolist() for name, mask in judged.items() if name != "key__unique"}
    assert set(oracle) == {rule.name for rule in row_rules(contract)}
    for rule in row_rules(contract):
        assert ours[rule.name].tolist() == oracle[rule.name], f"{rule.name}: {rule.sql}"
    _assert_counts(contract, source.drop("row_id"), frame, oracle)


def _assert_counts(contract: TableContract, source: Any, frame: pd.DataFrame, oracle: dict[str, list[bool]]) -> None:
    """The single pass counts what the rows say, and finds as many copies of keys as Pandera's `unique` does."""
    counts = tally(source, contract)
    assert counts.rows == len(frame)
    assert dict(counts.broken) == {name: sum(broken) for name, broken in oracle.items()}
    copies = int(broken_rows(contract, frame.drop(columns="row_id"))["key__unique"].sum())
    assert counts.twins == copies
    seen = classified(source, contract, {}, twins=True, narrow=False)
    row = seen.selectExpr("count_if(__copy > 1)", "count_if(array_contains(__rules, 'key__unique'))").collect()[0]
    assert tuple(row) == (copies, copies)


@settings(max_examples=1, **QUICK)
@given(extra=st.lists(st.text(alphabet="aA1.\n\r\t é٣\u2028_-0", max_size=6), min_size=400, max_size=400))
def test_patterns_find_the_same_strings(spark: Any, extra: list[str]) -> None:
    strings = pd.Series([*POOL["code"], *extra], dtype=pd.ArrowDtype(pa.string()))
    source = spark.createDataFrame(pa.table({"i": range(len(strings)), "s": pa.array(strings)}))
    ours = source.selectExpr("i", *(f"s RLIKE r'{java_regex(p)}' AS p{n}" for n, p in enumerate(PATTERNS)))
    found = ours.toPandas().sort_values("i")
    for n, pattern in enumerate(PATTERNS):
        assert found[f"p{n}"].tolist() == strings.str.match(pattern, na=False).tolist(), pattern


@settings(max_examples=1, **QUICK)
@given(data=st.data())
def test_every_supported_check_can_be_generated(data: st.DataObject) -> None:
    """Else a check could be supported that is never held against Pandera."""
    made: set[str] = set()
    for kind in POOL:
        for name in dict.fromkeys(_names(kind)):
            contract = _contract({kind: column("x", **{name: data.draw(_argument(name, kind))})})
            made.update(check.kind for check in contract.columns[0].checks)
    assert made == SUPPORTED_CHECKS


def test_every_rule_has_a_scope_that_someone_judges() -> None:
    for contract in catalog().values():
        assert all((rule.scope is Scope.ROW) == bool(rule.sql) for rule in rules_of(contract)), contract.name
