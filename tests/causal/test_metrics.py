"""The metrics against closed forms and against simulation with known truth."""

from __future__ import annotations

import numpy as np
import pytest

from causal.aipw import aipw_scores, mean_estimate
from causal.evaluation.calibration import blp, group_effects
from causal.evaluation.ranking import (
    METRICS,
    all_metrics,
    autoc,
    benefit_curve,
    paired_difference,
    qini,
    rank_rows,
    toc_curve,
    top_fraction_effect,
)
from causal.evaluation.rules import evaluate_rules
from contracts.errors import DesignError


def test_no_false_discovery_under_no_heterogeneity() -> None:
    rng, n, runs = np.random.default_rng(11), 1000, 1000
    found = sum(autoc(rank_rows(rng.normal(size=n), rng.normal(size=n))).p_one_sided < 0.05 for _ in range(runs))
    assert found / runs <= 0.065, found / runs


def test_blp_slope_and_average_effect_cover() -> None:
    rng, n, runs = np.random.default_rng(3), 1000, 400
    slope = average = 0
    for _ in range(runs):
        x = rng.normal(size=n)
        t = rng.binomial(1, 0.3, n)
        y = x + t * (0.4 + 0.5 * x) + rng.normal(size=n)
        gamma = aipw_scores(t, y, x, 0.4 + 1.5 * x, np.full(n, 0.3))
        found = blp(0.5 * x, gamma, np.arange(n), np.ones(n)).slope
        assert found is not None
        slope += found.ci_low <= 1 <= found.ci_high
        ate = mean_estimate(gamma, np.arange(n))
        average += ate.ci_low <= 0.4 <= ate.ci_high
    assert 0.92 <= slope / runs <= 0.98, slope / runs
    assert 0.92 <= average / runs <= 0.98, average / runs


def test_reversed_ranking_is_negative_and_never_significant() -> None:
    rng = np.random.default_rng(0)
    score = rng.normal(size=3000)
    gamma = score + rng.normal(size=3000)
    right, wrong = autoc(rank_rows(score, gamma)), autoc(rank_rows(-score, gamma))
    assert right.p_one_sided < 1e-6
    assert wrong.estimate.value < 0
    assert wrong.p_one_sided > 0.999
    assert qini(rank_rows(-score, gamma)).estimate.value == pytest.approx(-qini(rank_rows(score, gamma)).estimate.value)


def test_constant_score_is_exactly_the_average_line() -> None:
    gamma = np.random.default_rng(1).normal(0.3, 1, size=501)
    found = all_metrics(rank_rows(np.zeros(501), gamma), 0.2)
    for name in ("autoc", "qini", "gain"):
        assert found[name].estimate.value == 0.0
        assert found[name].estimate.se == pytest.approx(0.0, abs=1e-12)
    average = mean_estimate(gamma, np.arange(501))
    assert found["top_fraction_effect"].estimate.value == pytest.approx(average.value)
    assert found["top_fraction_effect"].estimate.se == pytest.approx(average.se)
    _, curve = toc_curve(rank_rows(np.zeros(501), gamma))
    assert np.abs(curve).max() < 1e-12


def test_ties_share_the_mean_over_their_orders() -> None:
    rng = np.random.default_rng(2)
    score = rng.integers(0, 6, 300).astype(float)
    gamma = rng.normal(size=300)
    tied = autoc(rank_rows(score, gamma)).estimate.value
    broken = [autoc(rank_rows(score + rng.uniform(0, 0.5, 300), gamma)).estimate.value for _ in range(4000)]
    assert tied == pytest.approx(np.mean(broken), abs=4 * np.std(broken) / np.sqrt(4000))


def test_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    score, gamma = rng.integers(0, 50, 400).astype(float), rng.normal(size=400)
    at = rng.permutation(400)
    a, b = autoc(rank_rows(score, gamma)), autoc(rank_rows(score[at], gamma[at]))
    assert a.estimate.value == pytest.approx(b.estimate.value, abs=1e-12)
    assert a.estimate.se == pytest.approx(b.estimate.se, rel=1e-9)


def test_integer_weights_equal_repeated_rows() -> None:
    rng = np.random.default_rng(9)
    score, gamma, weight = rng.normal(size=200), rng.normal(size=200), rng.integers(1, 4, 200)
    at = np.repeat(np.arange(200), weight)
    weighted = all_metrics(rank_rows(score, gamma, None, weight.astype(float)), 0.3)
    repeated = all_metrics(rank_rows(score[at], gamma[at], at), 0.3)
    for name in METRICS:
        assert weighted[name].estimate.value == pytest.approx(repeated[name].estimate.value, abs=1e-12), name


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_missing_score_is_an_error_not_a_last_rank(bad: float) -> None:
    score = np.array([1.0, bad, 0.0])
    with pytest.raises(DesignError):
        rank_rows(score, np.zeros(3))
    with pytest.raises(DesignError):
        rank_rows(np.zeros(3), score)


def test_the_share_harmed_is_of_the_weight_that_is_called() -> None:
    """Of unweighted rows the first four of ten are called; of the weight the first two, and half of each of a tied pair."""
    benefit = np.array([4.0, 3, -1, -1, -2, -3, -4, -5, -6, -7])
    weight = np.array([3.0, 2, 1, 1, 1, 1, 1, 1, 2, 2])

    def harmed(w: np.ndarray) -> float:
        return evaluate_rules(benefit, -benefit, benefit, np.arange(10), w, fraction=0.4, seed=0).share_harmed

    assert harmed(np.ones(10)) == pytest.approx(0.5)
    assert harmed(weight) == pytest.approx(1 / 6)
    assert harmed(weight) == harmed(weight * 1000)


def test_paired_difference_knows_that_rankings_agree() -> None:
    rng = np.random.default_rng(4)
    score = rng.normal(size=2000)
    gamma = score + 3 * rng.normal(size=2000)
    a, b = rank_rows(score, gamma), rank_rows(score + 0.01 * rng.normal(size=2000), gamma)
    paired = paired_difference(autoc(a), autoc(b), a)
    assert paired.se < 0.2 * autoc(a).estimate.se


def test_group_effects_rise_with_a_true_ranking() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=5000)
    found = group_effects(x, x + rng.normal(size=5000), np.arange(5000), np.ones(5000))
    assert found is not None
    values = [g.value for g in found.groups]
    assert values == sorted(values)
    assert found.worst_drop_z < 0
    assert group_effects(np.ones(100), np.ones(100), np.arange(100), np.ones(100)) is None


def test_the_curve_ends_at_the_average_and_agrees_with_the_top_share() -> None:
    rng = np.random.default_rng(5)
    score = rng.normal(size=2000)
    gamma = 0.2 + 0.5 * score + rng.normal(size=2000)
    good, bad = (benefit_curve(rank_rows(s, gamma), (0.3, 1.0)) for s in (score, -score))
    top = top_fraction_effect(rank_rows(score, gamma), 0.3).estimate
    assert good[0].value == pytest.approx(0.3 * top.value)
    assert good[0].se == pytest.approx(0.3 * top.se)
    average = mean_estimate(gamma, np.arange(2000))
    assert good[1].value == pytest.approx(average.value)
    assert bad[1].value == pytest.approx(average.value)
    assert good[1].se == pytest.approx(average.se)
    assert bad[0].ci_high < good[0].ci_low


def test_the_curve_covers_the_truth() -> None:
    """Of the effect 0.5 x, ranked by a noisy view of x, the first 30 % hold 0.3 * E[0.5 x | first]; here by a large sample."""
    rng = np.random.default_rng(8)
    big = rng.normal(size=(2, 400_000))
    view = big[0] + big[1]
    truth = 0.3 * 0.5 * big[0][view >= np.quantile(view, 0.7)].mean()
    hits = 0
    for _ in range(300):
        x, noise = rng.normal(size=(2, 600))
        found = benefit_curve(rank_rows(x + noise, 0.5 * x + rng.normal(size=600)), (0.3,))[0]
        hits += found.ci_low <= truth <= found.ci_high
    assert 0.91 <= hits / 300 <= 0.98, hits / 300
