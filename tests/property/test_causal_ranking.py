"""What must hold for every ranking, allocation and encoding, whatever the numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from causal.allocation import Limits, Market, Option
from causal.encoding import fit_encoder
from causal.evaluation.ranking import METRICS, all_metrics, qini, rank_rows, top_fraction_effect

SCORES = hnp.arrays(float, st.integers(2, 60), elements=st.integers(-5, 5).map(float))
QUICK = settings(max_examples=60, deadline=None)


def benefits(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


@QUICK
@given(SCORES, st.integers(0, 99))
def test_only_the_order_of_scores_counts(score: np.ndarray, seed: int) -> None:
    gamma = benefits(len(score), seed)
    a, b = all_metrics(rank_rows(score, gamma), 0.3), all_metrics(rank_rows(np.exp(score) * 7, gamma), 0.3)
    assert all(a[m].estimate == b[m].estimate for m in METRICS)


@QUICK
@given(SCORES, st.integers(0, 99), st.floats(-10, 10))
def test_a_benefit_that_all_share_moves_no_ranking_metric(score: np.ndarray, seed: int, shift: float) -> None:
    gamma = benefits(len(score), seed)
    a, b = all_metrics(rank_rows(score, gamma), 0.3), all_metrics(rank_rows(score, gamma + shift), 0.3)
    for name in ("autoc", "qini", "gain"):
        assert abs(a[name].estimate.value - b[name].estimate.value) < 1e-9
    moved = b["top_fraction_effect"].estimate.value - a["top_fraction_effect"].estimate.value
    assert abs(moved - shift) < 1e-9


@QUICK
@given(SCORES, st.integers(0, 99))
def test_reversing_the_order_reverses_the_qini_area(score: np.ndarray, seed: int) -> None:
    gamma = benefits(len(score), seed)
    right, wrong = qini(rank_rows(score, gamma)), qini(rank_rows(-score, gamma))
    assert abs(right.estimate.value + wrong.estimate.value) < 1e-12
    everyone = top_fraction_effect(rank_rows(score, gamma), 1.0)
    assert abs(everyone.estimate.value - gamma.mean()) < 1e-12


@settings(max_examples=25, deadline=None)  # each asks a solver several times
@given(st.integers(0, 10_000), st.integers(0, 12), st.integers(0, 12))
def test_allocation_keeps_its_promises(seed: int, a: int, b: int) -> None:
    rng = np.random.default_rng(seed)
    options = [
        Option(p, c, "team", minutes, cost) for p in "ab" for c, minutes, cost in (("phone", 20, 30), ("text", 3, 2))
    ]
    rows = [(o.program, o.channel, f"m{i}") for o in options for i in range(8)]
    frame = pd.DataFrame(rows, columns=["program", "channel", "member_id"])
    frame = frame.assign(value=rng.integers(-4, 5, len(frame)).astype(float), tie=rng.random(len(frame)))
    limits = Limits({"a": a, "b": b}, {"team": float(rng.integers(0, 200))}, float(rng.integers(0, 200)))
    market = Market(frame, options, limits)
    found = market.allocate()
    assert found.gap == 0
    assert found.chosen["member_id"].is_unique
    assert (found.chosen["value"] > 0).all()
    assert Market(frame.iloc[::-1], options, limits).allocate().chosen.equals(found.chosen)
    uses = market.limit_uses()
    assert len(uses) == 4
    assert all(use.used <= use.limit + 1e-6 and use.price >= 0 for use in uses)


@QUICK
@given(
    st.lists(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), min_size=1, max_size=40),
    st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "ü", ""])), min_size=1, max_size=40),
)
def test_whatever_is_in_a_frame_its_encoding_is_finite(numbers: list[float | None], texts: list[str | None]) -> None:
    n = min(len(numbers), len(texts))
    frame = pd.DataFrame({"n": pd.Series(numbers[:n], dtype="float64"), "s": pd.Series(texts[:n], dtype="object")})
    encoder = fit_encoder(frame)
    Z = encoder.transform(frame)
    assert Z.shape == (n, len(encoder.names))
    assert np.isfinite(Z).all()
    assert len(encoder.owners) == len(encoder.names)
