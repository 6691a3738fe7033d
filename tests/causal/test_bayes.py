"""Bayesian regression in blocks, the learner made of it, and whether its intervals hold the truth."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import approx_fprime

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from effect_worlds import DESIGN, effect_world

from causal.encoding import fit_encoder
from causal.evidence import _System, fit_posterior
from causal.learners.base import LearnerData, LearnerOptions
from causal.learners.basis import fit_basis
from causal.learners.bayes import fit_bayes
from causal.learners.recalibrated import Recalibrated, fit_shrinkage
from causal.nuisance import Nuisances


def blocks_and_target(seed: int, n: int = 400) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Two blocks, the second without effect; the target drawn from the model; its function."""
    rng = np.random.default_rng(seed)
    blocks = [rng.normal(size=(n, 6)) / np.sqrt(6), rng.normal(size=(n, 9)) / 3]
    function = 0.5 + blocks[0] @ rng.normal(scale=0.8, size=6)
    return blocks, function + rng.normal(size=n), function


def test_gradient_of_the_evidence_is_its_slope() -> None:
    blocks, y, _ = blocks_and_target(0)
    system = _System.of(blocks, y, np.linspace(0.5, 1.5, len(y)), inflation=1.3)
    at = np.log([0.3, 0.01, 1.2])
    numeric = approx_fprime(at, lambda logs: system.loss(logs)[0], 1e-6)
    np.testing.assert_allclose(system.loss(at)[1], numeric, rtol=1e-3, atol=1e-3)


def test_posterior_is_the_ridge_solution_at_its_own_variances() -> None:
    blocks, y, _ = blocks_and_target(1)
    found = fit_posterior(blocks, y, np.ones(len(y)), inflation=1.0)
    X = np.column_stack([np.ones(len(y)), *blocks])
    penalty = found.noise / np.repeat(np.r_[1e6 * np.var(y), found.block_variance], [1, 6, 9])
    inverse = np.linalg.inv(X.T @ X + np.diag(penalty))
    np.testing.assert_allclose(found.mean, inverse @ X.T @ y, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.covariance, found.noise * inverse, rtol=1e-6, atol=1e-9)
    assert found.block_variance[0] > 5 * found.block_variance[1] > 0


def test_posterior_intervals_hold_functions_drawn_from_the_model() -> None:
    held = []
    for seed in range(30):
        blocks, y, function = blocks_and_target(seed, n=200)
        mean, variance = fit_posterior(blocks, y, np.ones(200), inflation=1.0).predict(np.column_stack(blocks))
        held.append(np.mean(np.abs(mean - function) <= 1.96 * np.sqrt(variance)))
    assert np.mean(held) == pytest.approx(0.96, abs=0.03), np.mean(held)


def test_repeated_rows_say_no_more_than_once() -> None:
    blocks, y, _ = blocks_and_target(2)
    once = fit_posterior(blocks, y, np.ones(len(y)), inflation=1.0)
    twice = fit_posterior([np.tile(b, (2, 1)) for b in blocks], np.tile(y, 2), np.ones(2 * len(y)), inflation=2.0)
    np.testing.assert_allclose(twice.mean, once.mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(twice.covariance, once.covariance, rtol=1e-3, atol=1e-8)


def test_a_target_without_variation_has_no_variance() -> None:
    found = fit_posterior([np.arange(5.0)[:, None]], np.full(5, 2.0), np.ones(5), inflation=1.0)
    mean, variance = found.predict(np.array([[7.0]]))
    assert mean.tolist() == [2.0]
    assert variance.tolist() == [0.0]


def test_basis_survives_flat_and_wild_columns() -> None:
    rng = np.random.default_rng(3)
    Z = np.column_stack([rng.normal(size=50), np.ones(50), rng.integers(0, 2, 50), rng.poisson(1.0, 50)])
    basis = fit_basis(Z, np.ones(50), np.arange(4))
    wild = np.array([[1e9, -1e9, 5.0, 1e6]])
    for part in (*basis.blocks(Z), *basis.blocks(wild)):
        assert np.isfinite(part).all()
    assert np.mean(np.sum(basis.blocks(Z)[0] ** 2, axis=1)) == pytest.approx(1.0)


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
