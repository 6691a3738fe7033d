"""The list by group: brute force, coverage, privacy, and the gate's three answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from causal.aipw import estimate
from causal.equity import (
    EQUITY_COLUMNS,
    MIN_SELECTED,
    NOT_RECORDED,
    Ranked,
    banded,
    equity_report,
    equity_rows,
    gap_estimate,
    ranked,
    selected_by_model,
    selection_log_ratio,
)
from causal.gates.context import GateContext
from causal.gates.equity import equity
from causal.trial import make_trial


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


def test_small_groups_are_named_without_a_number() -> None:
    found = people(1000)
    race = found.groups["race"].to_numpy(dtype=object).copy()
    race[np.argsort(-found.benefit)[:10]] = "ten called"
    race[np.argsort(found.benefit)[:300]] = "nobody called"
    frame = equity_report(replace(found, groups=pd.DataFrame({"race": race})))
    for name in ("ten called", "nobody called"):
        row = frame[(frame["group_name"] == name) & (frame["ranking"] == "model")].iloc[0]
        assert row["is_too_small"]
        assert row.drop(["dimension", "group_name", "ranking", "is_too_small"]).isna().all()
    shown = frame[~frame["is_too_small"].astype(bool)]
    assert (shown["selected_count"] >= MIN_SELECTED).all()
    plain = equity_rows(frame)
    assert all(v is None or v == v for row in plain for v in row.values())


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
