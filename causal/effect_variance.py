"""How much the effect differs between people, without predicting for whom.

An effect model explains a part of Var(tau(x)); an honest interval for a person needs the part that it misses. A model
cannot know what it misses, but pairs of people can tell: AIPW scores are noisy one by one, yet the noise of two
different people is independent, so that the product of their centred scores has mean
(tau_i - ate)(tau_k - ate). Regressing these products on how alike the two are (Haseman & Elston 1972, the
method-of-moments twin of GREML) gives the variance that features carry linearly and by squares and products, with a
precision that needs many pairs rather than a good model.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls
from scipy.stats import norm

# Squares and products of this many features: 136 columns.
MAX_QUADRATIC = 16
_CLIP = 4.0


def effect_variance(
    gamma: np.ndarray, Z: np.ndarray, cluster: np.ndarray, weight: np.ndarray, prognosis: np.ndarray, seed: int
) -> float:
    """Estimate Var(tau(x)) over the rows' population; at least 0, in squared outcome units.

    Args:
        gamma: cross-fitted AIPW scores, (n,).
        Z: encoded features, (n, p).
        cluster, weight: (n,); one row of every cluster takes part, standing for all of them.
        prognosis: predicted outcomes, (n, k); features that move them are the ones whose products are looked at when
            there are more than MAX_QUADRATIC.
        seed: draws the row of every cluster.
    """
    at, mass = _one_per_cluster(cluster, weight, seed)
    if len(at) < 20:
        return 0.0
    w = mass / mass.mean()
    score = gamma[at] - np.average(gamma[at], weights=w)
    linear = _standardised(Z[at], w)
    columns = _most_prognostic(linear, prognosis[at], w)
    parts = [linear, _products(linear[:, columns], w)]
    parts = [part for part in parts if part.shape[1]]
    if not parts:
        return 0.0
    diagonal = np.array([float(np.average(np.mean(part**2, axis=1), weights=w)) for part in parts])
    alike = _every_two(parts, w) / np.outer(diagonal, diagonal)
    products = np.array([_pairs_of_scores(part, w * score) for part in parts]) / diagonal
    noise = 2 * _every_two(parts, (w * score) ** 2) / np.outer(diagonal, diagonal)
    share, _ = nnls(alike, products)
    # A component held at zero takes no part; with none left the linear one says how sure that zero is.
    kept = np.flatnonzero(share > 0) if (share > 0).any() else np.array([0])
    inverse = np.linalg.pinv(alike[np.ix_(kept, kept)])
    value = float(np.sum(inverse @ products[kept]))
    se = float(np.sqrt(max(np.sum(inverse @ noise[np.ix_(kept, kept)] @ inverse), 0.0)))
    return _not_negative(value, se)


def _not_negative(value: float, se: float) -> float:
    """Mean of a normal posterior cut at zero, flat prior: what "not distinguishable from zero" still leaves possible."""
    if se <= 0:
        return max(value, 0.0)
    z = max(value / se, -5.0)
    return max(value, -5.0 * se) + se * float(np.exp(norm.logpdf(z) - norm.logcdf(z)))


def _one_per_cluster(cluster: np.ndarray, weight: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random row of every cluster, and the cluster's weight."""
    order = np.random.default_rng(seed).permutation(len(cluster))
    codes, first, inverse = np.unique(cluster[order], return_index=True, return_inverse=True)
    mass = np.bincount(inverse, weights=weight[order], minlength=len(codes))
    at = order[first]
    return at[mass > 0], mass[mass > 0]


def _standardised(Z: np.ndarray, w: np.ndarray) -> np.ndarray:
    centre = np.average(Z, axis=0, weights=w)
    scale = np.sqrt(np.average((Z - centre) ** 2, axis=0, weights=w))
    kept = scale > 1e-12
    return np.clip((Z[:, kept] - centre[kept]) / scale[kept], -_CLIP, _CLIP)


def _most_prognostic(D: np.ndarray, prognosis: np.ndarray, w: np.ndarray) -> np.ndarray:
    if D.shape[1] <= MAX_QUADRATIC:
        return np.arange(D.shape[1])
    spread = prognosis - np.average(prognosis, axis=0, weights=w)
    scale = np.maximum(np.sqrt(np.average(spread**2, axis=0, weights=w)), 1e-300)
    strength = np.abs(D.T @ (w[:, None] * spread / scale)).max(axis=1)
    return np.sort(np.argsort(-strength, kind="stable")[:MAX_QUADRATIC])


def _products(D: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Standardised squares and pairwise products."""
    left, right = np.triu_indices(D.shape[1])
    return _standardised(D[:, left] * D[:, right], w)


def _pairs_of_scores(part: np.ndarray, score: np.ndarray) -> float:
    """Sum over ordered pairs of different rows of score_i score_k K_ik, K = part part' / columns."""
    total = part.T @ score
    own = np.sum(score**2 * np.sum(part**2, axis=1))
    return float((total @ total - own) / part.shape[1])


def _every_two(parts: list[np.ndarray], w: np.ndarray) -> np.ndarray:
    return np.array([[_pairs_of_kernels(a, b, w) for b in parts] for a in parts])


def _pairs_of_kernels(a: np.ndarray, b: np.ndarray, w: np.ndarray) -> float:
    """Sum over ordered pairs of different rows of w_i w_k Ka_ik Kb_ik."""
    total = np.sum((a.T @ (b * w[:, None])) ** 2)
    own = np.sum(w**2 * np.sum(a**2, axis=1) * np.sum(b**2, axis=1))
    return float((total - own) / (a.shape[1] * b.shape[1]))
