"""Generalised random forests on our cross-fitted, orthogonalised inputs, grown from EconML's trees.

`causal_forest` solves the local residual-on-residual moment (Athey, Tibshirani & Wager 2019);
`forest_dr` averages AIPW scores in honest leaves. Both give bootstrap-of-little-bags variances that draw people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from causal.learners.base import LearnerData, LearnerOptions
from causal.learners.little_bags import BAG, Moments, grow, mean_moments, point, point_and_variance, residual_moments
from causal.learners.screen import Screen, fit_screen

# Rows per tree at most: fit time then grows with trees, not with rows, and little bags stay well below half the data.
MAX_TREE_ROWS = 5_000
MIN_LEAF = 5


@dataclass(frozen=True)
class ForestEffect:
    """A fitted forest behind its screen. Predicts on one thread, so float sums have one order."""

    trees: tuple[Any, ...]
    n_outputs: int
    screen: Screen
    interval_kind: str = "forest_honest"

    def effect(self, Z: np.ndarray) -> np.ndarray:
        return point(self.trees, self.n_outputs, self.screen.transform(Z))

    def with_variance(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return point_and_variance(self.trees, self.n_outputs, BAG, self.screen.transform(Z))


def fit_causal_forest(data: LearnerData, options: LearnerOptions) -> ForestEffect:
    """Local residual-on-residual regression with an intercept."""
    u = data.nuisances
    moments = residual_moments(data.y - u.outcome, data.t - u.propensity)
    return _fit(data, options, moments, "het")


def fit_forest_dr(data: LearnerData, options: LearnerOptions) -> ForestEffect:
    """Honest regression forest on AIPW scores."""
    return _fit(data, options, mean_moments(data.gamma), "mse")


def _fit(data: LearnerData, options: LearnerOptions, moments: Moments, criterion: str) -> ForestEffect:
    screen = fit_screen(data, options.max_effect_features, options.seed)
    trees = grow(
        screen.transform(data.Z),
        moments,
        data.cluster,
        None if np.ptp(data.weight) == 0 else data.weight,
        criterion=criterion,
        n_trees=options.n_trees,
        max_rows=MAX_TREE_ROWS,
        min_leaf=MIN_LEAF,
        seed=options.seed,
        threads=options.threads,
    )
    return ForestEffect(trees, moments.n_outputs, screen)
