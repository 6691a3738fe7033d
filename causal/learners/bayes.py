"""Bayesian regression of the effect on lines, steps, bends and products, with the posterior as its interval.

Residual on residual, the R-loss of Nie & Wager (2021): (y - E[y|x]) / (t - e) with weight (t - e)^2 / noise has the effect
as its mean and an even noise, also where few are offered (on six worlds with 20-50 % offered the error was 4 % below that of
AIPW scores weighted by e (1 - e)). It knows no forest, takes a second or two, and is the yardstick of what the other
learners miss: the expected squared distance of any prediction from the effect is (posterior mean - prediction)^2 +
posterior variance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from causal.horseshoe import Posterior, fit_posterior
from causal.learners.base import LearnerData, LearnerOptions
from causal.learners.basis import Basis, fit_basis
from causal.learners.screen import fit_screen, residual_ratio

# Rows whose columns fit into a core's cache: a fifth less time than ten thousand at once.
_CHUNK = 500


@dataclass(frozen=True)
class BayesEffect:
    """A fitted posterior, of the basis' unscaled columns: to scale them would be a third of what scoring costs."""

    basis: Basis
    posterior: Posterior
    interval_kind: str = "posterior"

    def effect(self, Z: np.ndarray) -> np.ndarray:
        parts = [self.posterior.level(columns) for columns in self._columns(Z)]
        return np.concatenate(parts) if parts else np.empty(0)

    def with_variance(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [self.posterior.predict(columns) for columns in self._columns(Z)]
        if not parts:
            return np.empty(0), np.empty(0)
        return np.concatenate([m for m, _ in parts]), np.concatenate([v for _, v in parts])

    def _columns(self, Z: np.ndarray) -> Iterator[np.ndarray]:
        return (self.basis.unscaled(Z[i : i + _CHUNK]) for i in range(0, len(Z), _CHUNK))


def fit_bayes(data: LearnerData, options: LearnerOptions) -> BayesEffect:
    """Rows of people who occur more than once count as the independent rows that they are worth (design effect)."""
    chosen = fit_screen(data, options.max_effect_features, options.seed).columns
    target, weight = residual_ratio(data)
    basis, blocks = fit_basis(data.Z, weight, chosen)
    inflation = _design_effect(weight * (target - np.average(target, weights=weight)), data.cluster)
    posterior = fit_posterior(blocks, target, weight, inflation, options.seed)
    return BayesEffect(basis, posterior.of_unscaled(basis.centre, basis.spread))


def _design_effect(influence: np.ndarray, cluster: np.ndarray) -> float:
    """Variance of the sum when clusters are drawn over that when rows are; at least 1."""
    total = float(np.sum(influence**2))
    if total <= 0:
        return 1.0
    _, code = np.unique(cluster, return_inverse=True)
    return max(1.0, float(np.sum(np.bincount(code, weights=influence) ** 2)) / total)
