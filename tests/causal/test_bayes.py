"""Bayesian regression with the horseshoe, the learner made of it, and whether its intervals hold the truth."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from effect_worlds import DESIGN, effect_world

from causal import horseshoe
from causal.encoding import fit_encoder
from causal.horseshoe import EXPECTED_ODDS, fit_posterior
from causal.learners.base import LearnerData, LearnerOptions
from causal.learners.basis import fit_basis
from causal.learners.bayes import fit_bayes
from causal.learners.recalibrated import Recalibrated, fit_shrinkage
from causal.nuisance import Nuisances


def standardised(columns: np.ndarray) -> np.ndarray:
    return np.asarray((columns - columns.mean(axis=0)) / columns.std(axis=0))


def blocks_and_target(seed: int, n: int = 400) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Two blocks; two coefficients of the first make the function."""
    rng = np.random.default_rng(seed)
    blocks = [standardised(rng.normal(size=(n, 6))), standardised(rng.normal(size=(n, 9)))]
    function = 0.5 + blocks[0][:, :2] @ rng.normal(scale=0.5, size=2)
    return blocks, function + rng.normal(size=n), function


def by_quadrature(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Posterior mean and variance of the one coefficient, its prior's scale integrated out by brute force.

    u = sqrt(tau lambda) / tau_0 is a product of two half-Cauchy variables, density log(u) / (u^2 - 1) up to a factor; for a
    given u the intercept (flat), the coefficient and sigma2 (1 / sigma2) integrate out in closed form.
    """
    n = len(y)
    X = np.column_stack([np.ones(n), x])
    log_u = np.linspace(-14, 14, 40_001)
    u = np.exp(log_u)
    prior = np.where(np.abs(u - 1) < 1e-6, 0.5, log_u / np.where(u == 1, 1.0, u**2 - 1))
    k = u * EXPECTED_ODDS / np.sqrt(n)
    gram, cross = X.T @ X, X.T @ y
    below = gram[1, 1] + 1 / k**2
    det = gram[0, 0] * below - gram[0, 1] ** 2
    mean = (gram[0, 0] * cross[1] - gram[0, 1] * cross[0]) / det
    level = (below * cross[0] - gram[0, 1] * cross[1]) / det
    rest = y @ y - level * cross[0] - mean * cross[1]
    log_mass = -0.5 * np.log(det) - np.log(k) - (n - 1) / 2 * np.log(rest) + np.log(prior) + log_u
    mass = np.exp(log_mass - log_mass.max())
    mass /= mass.sum()
    middle = float(mass @ mean)
    within = rest / (n - 3) * gram[0, 0] / det
    return middle, float(mass @ (within + (mean - middle) ** 2))


@pytest.mark.parametrize(("n", "slope"), [(100, 0.0), (100, 0.25), (100, 0.6), (6, 1.0)])
def test_draws_are_those_of_the_horseshoe(n: int, slope: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against brute force where one coefficient is nothing, is in doubt, is plain, and where rows are few."""
    monkeypatch.setattr(horseshoe, "DRAWS", 30_000)
    rng = np.random.default_rng(7)
    x = standardised(rng.normal(size=(n, 1)))
    y = 1.0 + slope * x[:, 0] + standardised(rng.normal(size=(n, 1)))[:, 0]
    found = fit_posterior([x], y, np.ones(n), inflation=1.0, seed=1)
    mean, variance = by_quadrature(x[:, 0], y)
    assert found.mean[1] == pytest.approx(mean, abs=0.07 * np.sqrt(variance))
    assert found.covariance[1, 1] == pytest.approx(variance, rel=0.1)


def test_only_the_coefficients_that_matter_are_left_as_they_are() -> None:
    blocks, y, _ = blocks_and_target(1, n=4_000)
    found = fit_posterior(blocks, y, np.ones(len(y)), inflation=1.0, seed=1)
    X = np.column_stack([np.ones(len(y)), *blocks])
    plain = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(found.mean[:3], plain[:3], atol=0.01)
    assert np.abs(found.mean[3:]).mean() < 0.35 * np.abs(plain[3:]).mean()


def test_posterior_intervals_hold_sparse_functions() -> None:
    held = []
    for seed in range(30):
        blocks, y, function = blocks_and_target(seed, n=200)
        found = fit_posterior(blocks, y, np.ones(200), inflation=1.0, seed=seed)
        mean, variance = found.predict(np.column_stack(blocks))
        held.append(np.mean(np.abs(mean - function) <= 1.96 * np.sqrt(variance)))
    assert np.mean(held) == pytest.approx(0.96, abs=0.03), np.mean(held)


def test_repeated_rows_say_no_more_than_once() -> None:
    blocks, y, _ = blocks_and_target(2)
    once = fit_posterior(blocks, y, np.ones(len(y)), inflation=1.0, seed=1)
    twice = fit_posterior(
        [np.tile(b, (2, 1)) for b in blocks], np.tile(y, 2), np.ones(2 * len(y)), inflation=2.0, seed=1
    )
    np.testing.assert_allclose(twice.mean, once.mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(twice.covariance, once.covariance, rtol=1e-3, atol=1e-8)


def test_rounding_does_not_grow() -> None:
    """Other libraries and thread counts add up in another order; a chain that took decisions by its state would drift apart."""
    blocks, y, _ = blocks_and_target(3)
    found = fit_posterior(blocks, y, np.ones(len(y)), inflation=1.0, seed=1)
    nudged = fit_posterior([b * (1 + 1e-12) for b in blocks], y, np.ones(len(y)), inflation=1.0, seed=1)
    np.testing.assert_allclose(nudged.mean, found.mean, rtol=0, atol=1e-9)
    np.testing.assert_allclose(nudged.covariance, found.covariance, rtol=0, atol=1e-9)


def test_columns_without_spread_are_left_out() -> None:
    blocks, y, _ = blocks_and_target(4)
    flat = np.zeros((len(y), 1))
    padded = [np.column_stack([flat, blocks[0], flat]), flat, blocks[1], np.empty((len(y), 0))]
    found = fit_posterior(padded, y, np.ones(len(y)), inflation=1.0, seed=1)
    plain = fit_posterior(blocks, y, np.ones(len(y)), inflation=1.0, seed=1)
    np.testing.assert_allclose(found.mean, np.r_[plain.mean[0], 0, plain.mean[1:7], 0, 0, plain.mean[7:]])
    assert not found.covariance[[1, 8, 9]].any()


def test_no_columns_at_all_leave_the_average() -> None:
    _, y, _ = blocks_and_target(5)
    found = fit_posterior([np.empty((len(y), 0))], y, np.ones(len(y)), inflation=1.0, seed=1)
    mean, variance = found.predict(np.empty((3, 0)))
    np.testing.assert_allclose(mean, y.mean(), rtol=1e-5)
    np.testing.assert_allclose(variance, y.var() / len(y), rtol=0.3)


def test_a_target_without_variation_has_no_variance() -> None:
    found = fit_posterior([np.arange(5.0)[:, None]], np.full(5, 2.0), np.ones(5), inflation=1.0, seed=1)
    mean, variance = found.predict(np.array([[7.0]]))
    assert mean.tolist() == [2.0]
    assert variance.tolist() == [0.0]


def test_basis_survives_flat_and_wild_columns() -> None:
    rng = np.random.default_rng(3)
    Z = np.column_stack([rng.normal(size=50), np.ones(50), rng.integers(0, 2, 50), rng.poisson(1.0, 50)])
    basis, made = fit_basis(Z, np.ones(50), np.arange(4))
    for part, again in zip(made, basis.blocks(Z), strict=True):
        np.testing.assert_array_equal(part, again)
    wild = np.array([[1e9, -1e9, 5.0, 1e6]])
    for part in (*basis.blocks(Z), *basis.blocks(wild)):
        assert np.isfinite(part).all()
    np.testing.assert_allclose(basis.blocks(Z)[0].std(axis=0), [1, 0, 1, 1])


def test_bends_are_flat_below_their_place_and_straight_above() -> None:
    rng = np.random.default_rng(5)
    Z = np.column_stack([10 + 3 * rng.normal(size=300), rng.integers(0, 5, 300)])
    basis, _ = fit_basis(Z, np.ones(300), np.arange(2))
    bends, places = basis.blocks(Z)[2], np.quantile(Z[:, 0], np.linspace(0, 1, 9)[1:-1])
    assert bends.shape == (300, 7), "none for the feature of five values"
    for bend, place in zip(bends.T, places, strict=True):
        above = Z[:, 0] > place
        assert np.ptp(bend[~above]) == 0
        assert np.corrcoef(bend[above], Z[above, 0])[0, 1] == pytest.approx(1.0)


def test_bends_alone_describe_any_function_of_few_values() -> None:
    rng = np.random.default_rng(6)
    values = rng.integers(0, 5, 300)
    _, blocks = fit_basis(values[:, None].astype(float), np.ones(300), np.array([0]), steps=False)
    assert [block.shape[1] for block in blocks] == [1, 0, 3, 0]
    columns = np.column_stack([*blocks, np.ones(300)])
    target = np.array([3.0, -1.0, 0.0, 7.0, 2.0])[values]
    np.testing.assert_allclose(columns @ np.linalg.lstsq(columns, target, rcond=None)[0], target, atol=1e-9)


@pytest.fixture(scope="module")
def held_by_shape() -> dict[str, float]:
    """Share of new people whose published interval holds their effect, one world of every design shape."""
    found = {}
    for seed, shape in enumerate(DESIGN):
        world = effect_world(shape, 3_000, seed, spread=0.8)
        trial, encoder = world.trial, fit_encoder(world.trial.X)
        Z, e = encoder.transform(trial.X), trial.known_propensity
        mu0 = np.full(trial.n, trial.y[trial.t == 0].mean())
        data = LearnerData(Z, trial.t, trial.y, trial.weight, trial.cluster, Nuisances(mu0, mu0, e))
        model = fit_bayes(data, LearnerOptions(seed=1))
        left, right = (data.rows(np.arange(trial.n) % 2 == k) for k in (0, 1))
        unseen = fit_bayes(left, LearnerOptions(seed=1)).with_variance(right.Z)
        published = Recalibrated(model, fit_shrinkage(*unseen, right, model.interval_kind, 1))
        _, lower, upper = published.with_interval(encoder.transform(world.new))
        found[shape] = float(np.mean((lower <= world.new_tau) & (world.new_tau <= upper)))
    return found


def test_intervals_hold_the_truth_on_average_over_people(held_by_shape: dict[str, float]) -> None:
    assert 0.93 <= np.mean(list(held_by_shape.values())) <= 1.0, held_by_shape
    assert min(held_by_shape.values()) > 0.8, held_by_shape
