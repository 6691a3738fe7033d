"""The list by group: brute force, coverage, privacy, and the gate's three answers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from causal.aipw import estimate
from causal.equity import (
    EQUITY_COLUMNS,
    MIN_PEOPLE,
    MIN_SELECTED,
    NOT_RECORDED,
    OTHER,
    Ranked,
    banded,
    equity_report,
    equity_rows,
    gap_estimate,
    named_groups,
    need_difference,
    ranked,
    selected_by_model,
    selection_log_ratio,
)
from causal.gates.context import GateContext
from causal.gates.equity import equity
from causal.options import TrainOptions
from causal.study import StudyResult, run_study
from causal.trial import make_trial
from contracts.study import parse_study
from jobs.study_report.render import render_report


def people(n: int = 4000, seed: int = 0, *, unseen: float = 0.0, aversion: float = 0.0) -> Ranked:
    """Benefit 0.5 + 0.5 x, of group `b` also `unseen`, which the model does not know; the model sees `b` less often by
    `aversion`, rightly or wrongly.
    """
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b"], n, p=[0.7, 0.3])
    x = rng.normal(size=n) - aversion * (group == "b")
    truth = 0.5 + 0.5 * x + unseen * (group == "b")
    return Ranked(
        pd.DataFrame({"race": group}),
        benefit=0.5 + 0.5 * x,
        need=1.0 + rng.normal(size=n),
        gamma=truth + 2 * rng.normal(size=n),
        cluster=np.arange(n) // 2,
        weight=np.ones(n),
        fraction=0.2,
    )


def context(found: Ranked | None) -> GateContext:
    rng = np.random.default_rng(0)
    n = 200
    trial = make_trial(pd.DataFrame({"a": rng.normal(size=n)}), np.arange(n) % 2, 2 * rng.normal(size=n), "higher")
    return GateContext(trial, ate=estimate(0.5, 0.1, n), people=found)


def test_report_equals_brute_force() -> None:
    found = people(600, unseen=1.0)
    frame = equity_report(found)
    assert tuple(frame.columns) == EQUITY_COLUMNS
    row = frame[(frame["group_name"] == "b") & (frame["ranking"] == "model")].iloc[0]
    table = pd.DataFrame({"race": found.groups["race"], "benefit": found.benefit, "need": found.need, "gamma": found.gamma, "c": found.cluster})  # fmt: skip
    top = table.nlargest(120, "benefit")
    mine, chosen = table[table["race"] == "b"], top[top["race"] == "b"]
    assert row["selected_count"] == chosen["c"].nunique()
    assert row["people_count"] == mine["c"].nunique()
    assert row["selection_rate"] == pytest.approx(len(chosen) / len(mine))
    assert row["selection_ratio"] == pytest.approx(len(chosen) / len(mine) / 0.2)
    assert row["need_selected"] == pytest.approx(chosen["need"].mean())
    assert row["benefit_selected"] == pytest.approx(chosen["gamma"].mean())
    gap = table["gamma"] - table["benefit"]
    assert row["calibration_gap"] == pytest.approx(gap[table["race"] == "b"].mean() - gap.mean())
    risk = frame[(frame["group_name"] == "b") & (frame["ranking"] == "baseline_risk")].iloc[0]
    by_need = table.nlargest(120, "need")
    assert risk["selection_rate"] == pytest.approx((by_need["race"] == "b").sum() / len(mine))
    assert risk["calibration_gap"] is None


def test_errors_of_gap_and_ratio_hold_over_repeated_samples() -> None:
    gaps, ratios = [], []
    for seed in range(300):
        found = people(1000, seed, unseen=0.3, aversion=0.5)
        member = (found.groups["race"] == "b").to_numpy()
        gaps.append(gap_estimate(found, member))
        ratios.append(selection_log_ratio(found, member, selected_by_model(found)))
    for estimates in (gaps, ratios):
        values = np.array([e.value for e in estimates])
        errors = np.mean([e.se for e in estimates])
        assert errors == pytest.approx(values.std(), rel=0.12)
    # Less the mean of everyone, of whom b are three tenths.
    assert np.mean([g.value for g in gaps]) == pytest.approx(0.3 * 0.7, abs=0.02)


def with_levels(found: Ranked, **small: int) -> Ranked:
    """The people with so many of them, each of a cluster of its own, in levels of these names."""
    race = found.groups["race"].to_numpy(dtype=object).copy()
    start = 0
    for name, n in small.items():
        race[start : start + n] = name
        start += n
    return replace(found, groups=pd.DataFrame({"race": race}), cluster=np.arange(len(race)))


def test_large_groups_of_whom_too_few_are_called_are_named_without_a_number() -> None:
    found = people(1000)
    race = found.groups["race"].to_numpy(dtype=object).copy()
    race[np.argsort(found.benefit)[:300]] = "nobody called"
    race[np.r_[np.argsort(-found.benefit)[:10], np.argsort(found.benefit)[:150]]] = "ten called"
    frame = equity_report(replace(found, groups=pd.DataFrame({"race": race})))
    for name in ("ten called", "nobody called"):
        row = frame[(frame["group_name"] == name) & (frame["ranking"] == "model")].iloc[0]
        assert row["is_too_small"]
        assert row.drop(["dimension", "group_name", "ranking", "is_too_small"]).isna().all()
    shown = frame[~frame["is_too_small"].astype(bool)]
    assert (shown["selected_count"] >= MIN_SELECTED).all()
    plain = equity_rows(frame)
    assert all(v is None or v == v for row in plain for v in row.values())


def test_groups_of_too_few_people_have_no_name() -> None:
    few = MIN_PEOPLE - 1
    found = with_levels(people(), Ann=1, Bob=few, Cid=few, many=MIN_PEOPLE)
    frame = equity_report(found)
    names = ["a", "b", "many", OTHER]
    assert list(frame["group_name"]) == names * 2, "in the order of the names, for both rankings"
    row = frame[(frame["group_name"] == OTHER) & (frame["ranking"] == "model")].iloc[0]
    assert (row["is_too_small"], row["people_count"]) == (False, 1 + 2 * few)
    assert not frame.duplicated(["dimension", "group_name", "ranking"]).any()
    kept = found.groups["race"] == "a"
    assert (named_groups(found, "race")["a"] == kept).all()
    result = equity(context(found))
    assert result.status == "pass", result.sentence
    assert "No group of 3 looked at" in result.sentence, "what is thrown together is not judged"
    assert result.sentence.endswith("3 groups are too small to look at.")
    assert not any(name in result.sentence + frame.to_string() for name in ("Ann", "Bob", "Cid"))


def test_small_groups_that_are_few_together_have_no_row() -> None:
    found = with_levels(people(unseen=0.8), Ann=20, Bob=MIN_PEOPLE - 21)
    assert set(equity_report(found)["group_name"]) == {"a", "b"}
    result = equity(context(found))
    assert result.status == "fail"
    assert result.sentence.endswith("2 groups are too small to look at."), "a failure counts them too"


def test_people_who_are_not_recorded_are_a_group_like_any_other() -> None:
    many, few = (with_levels(people(), **{NOT_RECORDED: n}) for n in (MIN_PEOPLE, MIN_PEOPLE - 1))
    assert list(named_groups(many, "race")) == ["a", "b", NOT_RECORDED]
    assert list(named_groups(few, "race")) == ["a", "b"]
    with_others = with_levels(people(), **{NOT_RECORDED: MIN_PEOPLE - 1, "Ann": 1})
    assert list(named_groups(with_others, "race")) == ["a", "b", OTHER]
    assert equity(context(with_others)).sentence.endswith("1 group is too small to look at.")


def test_a_group_called_as_the_small_ones_together_is_one_of_them() -> None:
    found = with_levels(people(), **{OTHER: 200, "Ann": 3})
    assert named_groups(found, "race")[OTHER].sum() == 203


def test_an_attribute_of_small_groups_only_is_left_out() -> None:
    found = people()
    names = [f"Ann {i}" for i in range(len(found.benefit))]
    both = replace(found, groups=found.groups.assign(person=names))
    pd.testing.assert_frame_equal(equity_report(both), equity_report(found))
    result = equity(context(both))
    assert result.sentence == equity(context(found)).sentence + " `person` has no group large enough to look at."
    alone = replace(found, groups=both.groups[["person"]])
    assert equity_report(alone).empty
    assert equity(context(alone)).sentence == "Every group is too small to look at."


def secrets_study() -> StudyResult:
    """A trial whose groups are an identifier, a date, and a place of which some values are rare."""
    rng = np.random.default_rng(63)
    n = 900
    x, t = rng.normal(size=n), rng.integers(0, 2, n)
    place = np.where(np.arange(n) % 90 == 0, [f"SECRETPLACE{i}" for i in range(n)], "town")
    frame = pd.DataFrame({"x": x, "t": t, "y": x + rng.normal(size=n) + 0.5 * t * (x > 0)}).assign(
        person=[f"SECRETNAME{i}" for i in range(n)],
        born=[str(date(1950, 1, 1) + timedelta(days=17 * i)) for i in range(n)],
        place=place,
    )
    groups = ["person", "born", "place"]
    spec = parse_study(
        {
            "name": "secrets",
            "treatment": {"column": "t", "control": 0, "treated": [1]},
            "outcome": {"column": "y", "better": "higher"},
            "covariates": {"include": ["x"]},
            "assignment": {"randomized": 0.5},
            "learners": ["linear_dr"],
            "groups": groups,
        }
    )
    skip = frozenset({"refutation", "stability"})
    return run_study(frame, spec, 1, options=TrainOptions(threads=1, skip_gates=skip))


def test_a_study_prints_no_value_of_a_few_people() -> None:
    facts = secrets_study().facts
    said = json.dumps(facts, allow_nan=False) + render_report(facts)
    assert "SECRET" not in said
    rows = pd.DataFrame(facts["equity"]["1"])
    assert set(rows["dimension"]) == {"born", "place"}
    assert set(rows.loc[rows["dimension"] == "place", "group_name"]) == {"town"}
    assert rows.loc[rows["dimension"] == "born", "group_name"].nunique() == 4
    assert "1950-01-01" not in said
    assert "`person` has no group large enough to look at." in said
    assert "Groups of too few people are not named." in said


def test_a_tie_at_the_cut_is_shared() -> None:
    found = people(1000)
    flat = replace(found, benefit=np.zeros(1000))
    assert selected_by_model(flat) == pytest.approx(np.full(1000, 0.2))
    half = replace(found, benefit=(np.arange(1000) < 100).astype(float))
    assert selected_by_model(half).sum() == pytest.approx(200)
    assert (selected_by_model(half)[:100] == 1).all()


def test_attributes_become_levels() -> None:
    frame = pd.DataFrame(
        {"age": np.r_[np.arange(99.0), np.nan], "sex": ["f", None] * 50, "flag": [True, False] * 50, "few": [1, 2] * 50}
    )
    found = banded(frame)
    assert found["age"].nunique() == 5
    assert found["age"].iloc[-1] == NOT_RECORDED
    assert found["age"].value_counts().iloc[0] <= 26
    assert set(found["sex"]) == {"f", NOT_RECORDED}
    assert set(found["flag"]) == {"True", "False"}
    assert set(found["few"]) == {"1", "2"}
    endless = banded(pd.DataFrame({"income": np.r_[np.arange(98.0), np.inf, -np.inf]}))["income"]
    assert list(endless[98:]) == [NOT_RECORDED] * 2
    assert set(endless[:98]) == set(banded(pd.DataFrame({"income": np.arange(98.0)}))["income"])


DAYS = [date(2001, 1, 1) + timedelta(days=i) for i in range(100)]
QUARTERS = ["... to 2001-01-25", "2001-01-25 to 2001-02-19", "2001-02-19 to 2001-03-16", "2001-03-16 to ..."]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(DAYS),
        pd.Series([str(day) for day in DAYS]),
        pd.Series([f"{day} 05:00:00" for day in DAYS]),
        pd.Series([datetime(day.year, day.month, day.day, 5) for day in DAYS]),
        pd.Series(pd.to_datetime(DAYS)),
        pd.Series(pd.to_datetime(DAYS)).dt.tz_localize("UTC"),
        pd.Series(pd.to_datetime(DAYS)).astype("datetime64[ms]"),
        pd.Series(pd.to_datetime(DAYS)).astype("category"),
    ],
    ids=["date", "text", "time", "datetime", "stamp", "zone", "milliseconds", "category"],
)
def test_dates_become_quarters_without_the_first_and_the_last(column: pd.Series) -> None:
    found = banded(column.to_frame("day"))["day"]
    assert list(dict.fromkeys(found)) == QUARTERS == sorted(QUARTERS)
    assert found.value_counts().max() == 25


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([*DAYS, None]),
        pd.Series([*DAYS, date(9999, 12, 31)]),
        pd.Series([*map(str, DAYS), "9999-12-31"]),
        pd.Series(np.array([*DAYS, "9999-12-31"], dtype="datetime64[ms]")),
    ],
    ids=["missing", "date", "text", "stamp"],
)
def test_days_that_are_none_are_not_recorded(column: pd.Series) -> None:
    found = banded(column.to_frame("day"))["day"]
    assert set(found) == {*QUARTERS, NOT_RECORDED}
    assert found.iloc[-1] == NOT_RECORDED


def test_a_few_dates_stay_levels_and_what_is_no_date_stays_text() -> None:
    few = banded(pd.DataFrame({"start": ["2024-01-01", "2024-02-01", None] * 40}))["start"]
    assert set(few) == {"2024-01-01", "2024-02-01", NOT_RECORDED}
    texts = [*map(str, DAYS), "unknown"]
    assert set(banded(pd.DataFrame({"day": texts}))["day"]) == set(texts)
    hours = pd.DataFrame({"at": pd.date_range("2024-01-01", periods=24, freq="h")})
    assert set(banded(hours)["at"]) == {"... to 2024-01-01", "2024-01-01 to 2024-01-01", "2024-01-01 to ..."}


def test_decimals_are_numbers() -> None:
    found = banded(pd.DataFrame({"income": [Decimal(i) / 4 for i in range(100)] + [None]}))["income"]
    assert found.nunique() == 5


def test_only_people_kept_aside_and_in_support_are_looked_at() -> None:
    predictions = pd.DataFrame(
        {
            "split": ["test", "train", "test", "test"],
            "in_support": [True, True, False, True],
            "cate": [-1.0, -2.0, -3.0, np.nan],
            "baseline": [1.0, 1.0, 1.0, 1.0],
            "gamma": [-0.5, 0, 0, 0],
            "weight": 1.0,
        }
    )
    found = ranked(predictions, pd.DataFrame({"sex": list("fmfm")}), np.arange(4), -1.0, 0.5)
    assert found.benefit.tolist() == [1.0]
    assert found.need.tolist() == [1.0]
    assert found.gamma.tolist() == [0.5]


def test_gate_passes_a_fair_model() -> None:
    result = equity(context(people()))
    assert (result.status, result.hard, result.threshold) == ("pass", False, 0.8), result.sentence
    assert result.value is not None


def test_gate_fails_a_model_that_promises_a_group_too_little() -> None:
    result = equity(context(people(unseen=0.8)))
    assert result.status == "fail"
    # What one group is promised too little, the other is promised too much: either may be named.
    assert "race a" in result.sentence or "race b" in result.sentence
    assert result.value is not None
    assert result.threshold is not None
    assert result.value > result.threshold


def test_gate_points_at_a_group_in_need_that_is_seldom_called() -> None:
    found = people(aversion=1.0)
    result = equity(context(found))
    assert result.status == "inconclusive"
    assert "`race b` is called at" in result.sentence
    less_need = replace(found, need=found.need - (found.groups["race"] == "b").to_numpy())
    assert equity(context(less_need)).status == "pass"


@pytest.mark.parametrize("need", [0.1, 0.3, 0.7, 1.1])
def test_need_that_is_one_number_excuses_nothing(need: float) -> None:
    """What rounding makes of a difference of equal means was up to a hundred of its errors below zero."""
    found = people(aversion=1.0)
    result = equity(context(replace(found, need=np.full(len(found.need), need))))
    assert result.status == "inconclusive"
    assert "not shown to be in less need" in result.sentence


@pytest.mark.parametrize("seed", range(10))
def test_those_in_least_need_do_not_hide_a_group(seed: int) -> None:
    """The young are called least, and rightly; one group alone was looked at, and need compared by its sign."""
    rng = np.random.default_rng(seed)
    n = 10_000
    young, b = rng.random(n) < 0.3, rng.random(n) < 0.25
    need = rng.normal(0, 1, n) - 1.5 * young
    benefit = need * 0.2 - 0.5 * young - 0.15 * b + rng.normal(0, 0.05, n)
    groups = pd.DataFrame({"age": np.where(young, "young", "old"), "race": np.where(b, "b", "a")})
    gamma = benefit + rng.normal(0, 1, n)
    result = equity(context(Ranked(groups, benefit, need, gamma, np.arange(n), np.ones(n), 0.2)))
    assert result.status == "inconclusive"
    assert "`race b` is called at" in result.sentence


def test_the_difference_in_need_holds_its_interval() -> None:
    found = people()
    b = (found.groups["race"] == "b").to_numpy()
    held = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        need = np.repeat(rng.normal(size=len(b) // 2), 2) + 0.5 * b
        held.append(need_difference(replace(found, need=need), b))
    truth = 0.5 * (1 - b.mean())
    assert 0.91 <= np.mean([e.ci_low <= truth <= e.ci_high for e in held]) <= 0.98


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "No attributes"),
        (replace(people(100), benefit=np.zeros(100)), "ranks nobody"),
        (people(60), "too small"),
    ],
)
def test_gate_says_what_it_could_not_look_at(found: Ranked | None, words: str) -> None:
    result = equity(context(found))
    assert result.status == "inconclusive"
    assert words in result.sentence


def test_sentences_never_show_a_small_count() -> None:
    found = people(2000, aversion=2.5)
    few = found.groups["race"] == "b"
    assert (selected_by_model(found)[few] > 0).sum() < MIN_SELECTED
    result = equity(context(found))
    assert result.status == "inconclusive"
    assert result.value is None
    assert "clearly less than four fifths" in result.sentence
