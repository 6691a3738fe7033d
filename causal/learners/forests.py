"""EconML's generalised random forests on our cross-fitted, orthogonalised inputs.

`causal_forest` solves the local residual-on-residual moment (Athey, Tibshirani & Wager 2019);
`forest_dr` averages AIPW scores in honest leaves. Both give bootstrap-of-little-bags intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from causal.learners.base import LearnerData, LearnerOptions
from causal.learners.little_bags import point_and_variance
from causal.learners.screen import Screen, fit_screen

_CHUNK = 20_000
# Rows per tree at most: fit time then grows with trees, not with rows, and little bags stay well below half the data.
MAX_TREE_ROWS = 5_000


@dataclass(frozen=True)
class ForestEffect:
    """A fitted forest behind its screen. Predicts on one thread, so float sums have one order."""

    forest: Any
    screen: Screen
    interval_kind: str = "forest_honest"

    def effect(self, Z: np.ndarray) -> np.ndarray:
        if len(Z) == 0:
            return np.empty(0)
        parts = [self.forest.predict(self.screen.transform(Z[i : i + _CHUNK])) for i in range(0, len(Z), _CHUNK)]
        return np.concatenate(parts).ravel()

    def with_interval(self, Z: np.ndarray, alpha: float = 0.05) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        point, variance = point_and_variance(self.forest, self.screen.transform(Z))
        half = float(norm.ppf(1 - alpha / 2)) * np.sqrt(variance)
        return point, point - half, point + half


def fit_causal_forest(data: LearnerData, options: LearnerOptions) -> ForestEffect:
    """Local residual-on-residual regression with an intercept; honest trees, little bags of four."""
    from econml.grf import CausalForest

    screen = fit_screen(data, options.max_effect_features, options.seed)
    forest = CausalForest(criterion="het", **_settings(options, len(data.t)))
    residual_t = (data.t - data.nuisances.propensity).reshape(-1, 1)
    residual_y = (data.y - data.nuisances.outcome).reshape(-1, 1)
    forest.fit(screen.transform(data.Z), residual_t, residual_y, sample_weight=_weights(data))
    return _frozen(forest, screen)


def fit_forest_dr(data: LearnerData, options: LearnerOptions) -> ForestEffect:
    """Honest regression forest on AIPW scores."""
    from econml.grf import RegressionForest

    screen = fit_screen(data, options.max_effect_features, options.seed)
    forest = RegressionForest(**_settings(options, len(data.t)))
    forest.fit(screen.transform(data.Z), data.gamma.reshape(-1, 1), sample_weight=_weights(data))
    return _frozen(forest, screen)


def _settings(options: LearnerOptions, n: int) -> dict[str, Any]:
    return {
        "n_estimators": options.n_trees,
        "max_samples": min(0.45, MAX_TREE_ROWS / n),
        "min_samples_leaf": 5,
        "honest": True,
        "inference": True,
        "subforest_size": 4,
        "n_jobs": options.threads,
        "random_state": options.seed,
    }


def _weights(data: LearnerData) -> np.ndarray | None:
    return None if np.ptp(data.weight) == 0 else data.weight


def _frozen(forest: Any, screen: Screen) -> ForestEffect:
    forest.n_jobs = 1
    return ForestEffect(forest, screen)
