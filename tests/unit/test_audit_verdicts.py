"""What an audit says of a table as a whole: measures in their ranges, trends against trailing nights, age, limits."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts.catalog import contract
from contracts.model import Contract, Measure, Severity, Survey, TableContract, column, resolve, table
from contracts.types import Double, Int, Str
from jobs.audit_result import Findings, RuleResult, Statistic, Verdict, aged, judge
from jobs.profile import age_days, statistics_in
from jobs.trailing import trend_scores


def _declared(**terms: Any) -> TableContract:
    body = {
        "__doc__": "x", "__module__": __name__, "__annotations__": {"id": Int, "kind": Str, "paid": Double},
        "id": column("x"), "kind": column("x", isin=("a", "b")), "paid": column("x", nullable=True),
    }  # fmt: skip
    model: Any = type("Judged", (Contract,), body)
    return resolve(table("core.judged", key=("id",), **terms)(model))


def _measured(severity: Severity = Severity.WARN) -> TableContract:
    share = Measure("share", "x", 0.1, 0.5, "of rows", "a book", severity=severity)
    return _declared(surveys=(Survey("select avg(paid) as share from {rows}", (share,)),))


def _result(declared: TableContract, rule: str, **found: Any) -> RuleResult:
    judged = {result.name: result for result in judge(declared, Findings(**{"rows": 100, "broken": {}, **found}))}
    return judged[rule]


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.1, "passed"),
        (0.5, "passed"),
        (0.51, "warned"),
        (0.09, "warned"),
        (float("nan"), "warned"),
        (None, "passed"),
    ],
)
def test_measure_holds_within_its_range(value: float | None, verdict: str) -> None:
    result = _result(_measured(), "share", values={} if value is None else {"share": value})
    assert (str(result.verdict), result.expected) == (verdict, "between 0.1 and 0.5 of rows")
    assert ("a book" in (result.message or "")) == (verdict == "warned")


def test_measure_of_severity_error_blocks() -> None:
    found = {"values": {"share": 0.9}, "broken": {"kind__in_set": 1}, "bad": 1}
    assert _result(_measured(Severity.ERROR), "share", **found).blocks
    assert _result(_measured(Severity.ERROR), "kind__in_set", **found).blocks, "nothing is set aside of a blocked table"
    assert str(_result(_measured(), "kind__in_set", **found).verdict) == "quarantined"


def test_table_that_a_survey_needs_and_is_missing_is_said() -> None:
    result = _result(_measured(), "share", unknown={"share": "core.other"})
    assert (result.verdict, result.message) == (Verdict.NOT_EVALUATED, "core.other does not exist")


def test_share_of_bad_rows_and_too_few_rows_block() -> None:
    declared = _declared(quarantine_limit=0.05, min_rows=96)
    assert not _result(declared, "quarantine_share__at_most", bad=4).blocks
    assert not _result(declared, "row_count__at_least", bad=4).blocks
    assert _result(declared, "quarantine_share__at_most", bad=6).blocks
    assert _result(declared, "row_count__at_least", bad=6).blocks


def test_a_few_bad_rows_of_a_small_delivery_do_not_block_and_many_do() -> None:
    declared, rule = _declared(quarantine_from=20), "quarantine_share__at_most"
    few = _result(declared, rule, rows=2, bad=1)
    assert (str(few.verdict), few.observed, few.rows_broken) == ("passed", 0.5, 1), (
        "what was found is told all the same"
    )
    assert _result(declared, rule, rows=2, bad=1).description.endswith("or fewer than 20 rows.")
    assert not _result(declared, rule, rows=19, bad=19).blocks
    assert _result(declared, rule, rows=20, bad=20).blocks
    assert _result(declared, rule, rows=399, bad=20).blocks
    assert not _result(declared, rule, rows=400, bad=20).blocks


def test_delivered_files_of_few_rows_do_not_stop_a_night() -> None:
    for entity in ("member", "eligibility", "medical_claim", "pharmacy_claim", "outreach_contact", "consent"):
        assert contract(f"staging.stg_tuva__{entity}").quarantine_from == 20
    assert contract("core.medical_claim").quarantine_from == 1, "a bad row that we derived is a fault of ours"


def _night(rows: float, a: float, mean: float = 10.0, nulls: float = 0.1) -> list[Statistic]:
    return [
        Statistic("row_count", "rows", rows), Statistic("kind", "share", a, "a"), Statistic("kind", "share", 1 - a, "b"),
        Statistic("paid", "mean", mean), Statistic("paid", "null_share", nulls),
    ]  # fmt: skip


BEFORE = [_night(1000 + 10 * i, 0.5 + 0.01 * i, 10 + 0.1 * i) for i in range(6)]


def test_nights_like_the_others_stay_below_one_and_odd_ones_do_not() -> None:
    declared = _declared(profile=("kind", "paid"))
    usual = trend_scores(declared, _night(1030, 0.52, 10.2), BEFORE)
    assert set(usual) == {"row_count__like_before", "kind__like_before", "paid__like_before"}
    assert max(usual.values()) < 1
    for odd, rule in (
        (_night(500, 0.52), "row_count__like_before"),
        (_night(1030, 0.95), "kind__like_before"),
        (_night(1030, 0.52, mean=15), "paid__like_before"),
        (_night(1030, 0.52, nulls=0.4), "paid__like_before"),
    ):
        scores = trend_scores(declared, odd, BEFORE)
        assert [name for name, score in scores.items() if score > 1] == [rule]
        assert str(_result(declared, rule, values=scores).verdict) == "warned"


def test_a_value_that_is_new_is_a_major_shift_and_few_nights_say_nothing() -> None:
    declared = _declared(profile=("kind",))
    only_a = [[Statistic("kind", "share", 1.0, "a"), Statistic("kind", "share", 0.0, "b")]] * 3
    assert trend_scores(declared, _night(1, 0.9), only_a)["kind__like_before"] > 1
    assert trend_scores(declared, _night(1, 0.9), only_a[:2]) == {}


def test_statistics_keep_only_values_that_the_contract_names() -> None:
    declared = _declared(profile=("kind", "paid"))
    answers = {
        "kind|share|a": 0.7,
        "kind|share|b": 0.3,
        "paid|mean": 2.0,
        "paid|null_share": 0.0,
        "row_count|rows": 9.0,
    }
    found = statistics_in(declared, {**answers, "kind|share|member 4711": 0.1})
    assert {(s.column, s.name, s.category): s.value for s in found} == {
        ("kind", "share", "a"): 0.7, ("kind", "share", "b"): 0.3, ("paid", "mean", None): 2.0,
        ("paid", "null_share", None): 0.0, ("row_count", "rows", None): 9.0,
    }  # fmt: skip


def test_reused_audit_grows_older() -> None:
    declared = contract("core.medical_claim")
    limit = declared.max_age_days
    assert limit is not None
    newest = (dt.date(2026, 1, 1) - dt.date(1970, 1, 1)).days
    age = age_days({"newest_known_day": float(newest)}, dt.date(2026, 1, 1) + dt.timedelta(days=limit))
    assert age == limit
    first = judge(declared, Findings(rows=1, broken={}, values={"known_at__is_fresh": float(limit)}))
    (fresh,) = (rule for rule in first if rule.name == "known_at__is_fresh")
    (later,) = (rule for rule in aged(declared, first, 1) if rule.name == "known_at__is_fresh")
    assert (str(fresh.verdict), str(later.verdict), later.observed) == ("passed", "warned", limit + 1)
    assert age_days({}, dt.date(2026, 1, 1)) is None
