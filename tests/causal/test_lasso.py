"""The lasso on sums of squares against scikit-learn's on rows."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from causal.lasso import Linear, _choose, _Path, _sums, fit_lasso


def world(n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(n, 8)) @ (np.eye(8) + 0.3)
    return Z, 1.0 + Z[:, 0] - 0.5 * Z[:, 3] + rng.normal(size=n), rng.uniform(0.5, 1.5, n)


def test_path_equals_a_lasso_on_the_rows() -> None:
    Z, y, w = world()
    w = w / w.mean()
    for penalty in (0.02, 0.2):
        # Descending, as the path is walked from the strongest penalty.
        found = _Path(_sums(np.column_stack([Z, np.ones(len(y))]), y, w)).on(np.array([1.0, penalty]))[:, -1]
        rows = Lasso(alpha=penalty, tol=1e-8, max_iter=10_000).fit(Z, y, sample_weight=w)
        np.testing.assert_allclose(found[:-1], rows.coef_, atol=5e-3)
        assert found[-1] == pytest.approx(rows.intercept_, abs=5e-3)


def test_the_penalty_chosen_drops_noise_and_keeps_signal() -> None:
    Z, y, w = world()
    found = fit_lasso(Z, y, w, np.arange(300) % 5)
    assert abs(found.coef[0]) > 0.5
    assert np.abs(found.coef[[1, 2, 4, 5, 6, 7]]).max() < 0.25
    noise = fit_lasso(Z, np.random.default_rng(1).normal(size=300), w, np.arange(300) % 5)
    assert np.abs(noise.coef).max() < 0.15


@pytest.mark.parametrize("logistic", [False, True])
def test_an_overcomplete_path_ends_early_at_the_same_penalty(logistic: bool) -> None:
    """Where one minimum is all there is; the logistic penalty, chosen on the first step, is near the other."""
    rng = np.random.default_rng(4)
    Z = rng.normal(size=(2_000, 40))
    y = Z[:, :5] @ np.full(5, 0.5) + rng.normal(size=2_000)
    if logistic:
        y = (y > 0).astype(float)
    whole, early = (
        fit_lasso(Z, y, np.ones(2_000), np.arange(2_000) % 5, logistic=logistic, overcomplete=some)
        for some in (False, True)
    )
    np.testing.assert_allclose(early.coef, whole.coef, atol=0.05 if logistic else 1e-9)


def test_logistic_chances_are_calibrated() -> None:
    rng = np.random.default_rng(2)
    Z = rng.normal(size=(4_000, 5))
    chance = 1 / (1 + np.exp(-(1.2 * Z[:, 0] - 0.5)))
    y = rng.binomial(1, chance).astype(float)
    found = fit_lasso(Z, y, np.ones(4_000), np.arange(4_000) % 3, logistic=True).predict(Z)
    assert ((found > 0) & (found < 1)).all()
    assert np.sqrt(np.mean((found - chance) ** 2)) < 0.03


def test_overwhelming_odds_are_certain_without_a_word() -> None:
    model = Linear(np.zeros(1), np.ones(1), np.array([1e3]), 0.0, logistic=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = model.predict(np.array([[-5.0], [0.0], [5.0]]))
    np.testing.assert_allclose(found, [0, 0.5, 1], atol=1e-12)


def test_one_fold_means_the_smallest_penalty() -> None:
    Z, y, w = world()
    D, one = np.column_stack([Z, np.ones(300)]), [np.arange(300)]
    plain = np.linalg.lstsq(D * np.sqrt(w)[:, None], y * np.sqrt(w), rcond=None)[0]
    np.testing.assert_allclose(_choose(D, y, w, one, False)[0][:-1], plain[:-1], atol=0.02)


@pytest.mark.parametrize("logistic", [False, True])
def test_columns_that_contain_each_other_are_fitted_without_a_word(logistic: bool) -> None:
    """Skewed counts and their running sums, as windows of claims are: small penalties do not converge there."""
    rng = np.random.default_rng(1)
    counts = rng.exponential(size=(400, 30)) ** 3
    Z, y = np.column_stack([counts, np.cumsum(counts, axis=1)]), counts[:, 0] + rng.exponential(size=400)
    target = (y > np.median(y)).astype(float) if logistic else y
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = fit_lasso(Z, target, np.ones(400), np.arange(400) % 5, logistic=logistic)
    assert np.corrcoef(model.predict(Z), y)[0, 1] > 0.3
