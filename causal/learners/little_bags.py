"""Point and interval of an EconML forest in one pass over its trees.

EconML walks every tree twice for an interval (once for the point, once for the moments at that point), and a caller
who wants both walks them three times. The moment of the served parameter is linear in what one walk gives, so one is
enough. Same formulas (bootstrap of little bags with the objective-Bayes correction, Athey, Tibshirani & Wager 2019,
section 4.1), checked against EconML's own numbers in the tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import erfc

_CHUNK = 4_000


def point_and_variance(forest: Any, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Effect and its variance for a forest with one treatment (with or without intercept); (n,) each.

    Args:
        forest: fitted `econml.grf.CausalForest` or `RegressionForest` with `inference=True`.
        X: as the forest was fitted on, float.
    """
    parts = [_chunk(forest, X[i : i + _CHUNK].astype(np.float64)) for i in range(0, len(X), _CHUNK)]
    if not parts:
        return np.empty(0), np.empty(0)
    return np.concatenate([p for p, _ in parts]), np.concatenate([v for _, v in parts])


def _chunk(forest: Any, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    walked = [tree.tree_.predict_precond_and_jac(X) for tree in forest.estimators_]
    alphas, jacobians = [a for a, _ in walked], [j for _, j in walked]
    alpha, jacobian = sum(alphas) / len(walked), sum(jacobians) / len(walked)
    size = forest.n_outputs_
    inverse = np.linalg.pinv(jacobian.reshape(-1, size, size))
    parameter = np.einsum("ijk,ik->ij", inverse, alpha)
    # First row of the inverse: projects a tree's moment on the effect.
    row = inverse[:, 0, :]
    moments = np.empty((len(walked), len(X)))
    for i, (a, j) in enumerate(zip(alphas, jacobians, strict=True)):
        gap = a - np.einsum("ijk,ik->ij", j.reshape(-1, size, size), parameter)
        moments[i] = np.einsum("ij,ij->i", row, gap)
    return parameter[:, 0], _variance(moments, len(forest.slices_[0]))


def _variance(moments: np.ndarray, bag: int) -> np.ndarray:
    """Between-bag variance less its within-bag noise, kept positive."""
    n_bags = len(moments) // bag
    grouped = moments.reshape(n_bags, bag, -1)
    bag_mean = grouped.mean(axis=1)
    between = np.mean(bag_mean**2, axis=0)
    raw = between - bag_mean.mean(axis=0) ** 2
    correction = (np.mean(grouped**2, axis=(0, 1)) - between) / (bag - 1)
    naive = raw - correction
    se = np.maximum(raw, correction) * np.sqrt(2.0 / n_bags)
    z = naive / np.clip(se, 1e-10, np.inf)
    numerator = np.exp(-(z**2) / 2) / np.sqrt(2.0 * np.pi)
    return np.maximum(naive + se * numerator / (0.5 * erfc(-z / np.sqrt(2.0))), 1e-32)
