"""Augmented inverse-probability-weighted scores and the average effects made from them.

Score of row i (Robins, Rotnitzky & Zhao 1994; Chernozhukov et al. 2018):
    gamma_i = mu1(x) - mu0(x) + t (y - mu1(x)) / e(x) - (1 - t) (y - mu0(x)) / (1 - e(x)),
whose conditional mean given x is the effect when either the outcome models or the propensity is right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

MIN_CLUSTERS = 5


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error (outcome units) and two-sided interval."""

    value: float
    se: float
    ci_low: float
    ci_high: float
    n: int

    @property
    def z(self) -> float:
        """Value in standard errors; 0 when both are 0, infinite when only the error is."""
        if self.se > 0:
            return self.value / self.se
        return 0.0 if self.value == 0 else float(np.copysign(np.inf, self.value))


def estimate(value: float, se: float, n: int, alpha: float = 0.05, freedom: float = np.inf) -> Estimate:
    """Wrap value and standard error with the (1 - alpha) interval: normal, or Student's with so many degrees of freedom."""
    half = float(ndtri(1 - alpha / 2) if np.isinf(freedom) else stdtrit(freedom, 1 - alpha / 2)) * se
    return Estimate(value, se, value - half, value + half, n)


def aipw_scores(t: np.ndarray, y: np.ndarray, mu0: np.ndarray, mu1: np.ndarray, propensity: np.ndarray) -> np.ndarray:
    """AIPW scores in outcome units, natural sign (treated minus control); shape (n,)."""
    return mu1 - mu0 + t * (y - mu1) / propensity - (1 - t) * (y - mu0) / (1 - propensity)


def clustered_se(influence: np.ndarray, cluster: np.ndarray, weight: np.ndarray) -> float:
    """Standard error of a weighted mean from centred influence values, summed within clusters.

    Uses the C/(C-1) small-sample factor for C clusters. NaN when there are fewer than two clusters.
    """
    _, code = np.unique(cluster, return_inverse=True)
    total = np.bincount(code, weights=weight * influence)
    n_clusters = len(total)
    if n_clusters < 2:
        return float("nan")
    factor = n_clusters / (n_clusters - 1)
    return float(np.sqrt(factor * np.sum((total - total.mean()) ** 2)) / weight.sum())


def effective_share(weight: np.ndarray) -> float:
    """What weights leave of the rows: (sum w)^2 / (n sum w^2), Kish 1965; 1 where all are equal, 0 without any weight."""
    if not weight.sum() > 0:
        return 0.0
    w = weight / weight.max()
    return float(w.sum() ** 2 / np.sum(w**2) / len(w))


def effective_clusters(weight: np.ndarray, cluster: np.ndarray) -> float:
    """How many clusters of one weight would tell as much: (sum w)^2 / sum w^2 of the clusters' weights (Kish 1965).

    A robust error of a few clusters is too small, and one of half the rows leaves few (Carter, Schnepel & Steigerwald 2017).
    """
    _, code = np.unique(cluster, return_inverse=True)
    total = np.bincount(code, weights=weight)
    total = total[total > 0]
    return len(total) * effective_share(total)


def mean_estimate(
    scores: np.ndarray, cluster: np.ndarray, weight: np.ndarray | None = None, alpha: float = 0.05
) -> Estimate:
    """Weighted mean of scores with cluster-robust error: the average effect when scores are AIPW scores."""
    w = np.ones(len(scores)) if weight is None else weight
    value = float(np.average(scores, weights=w))
    return estimate(value, clustered_se(scores - value, cluster, w), len(scores), alpha)


def att_estimate(
    t: np.ndarray,
    y: np.ndarray,
    mu0: np.ndarray,
    propensity: np.ndarray,
    cluster: np.ndarray,
    weight: np.ndarray | None = None,
    alpha: float = 0.05,
) -> Estimate:
    """Average effect among the treated, doubly robust, cluster-robust error."""
    w = np.ones(len(t)) if weight is None else weight
    share = float(np.average(t, weights=w))
    part = (t - (1 - t) * propensity / (1 - propensity)) * (y - mu0)
    value = float(np.average(part, weights=w) / share)
    return estimate(value, clustered_se((part - value * t) / share, cluster, w), int(t.sum()), alpha)


def unmodelled_effects(
    t: np.ndarray, y: np.ndarray, propensity: np.ndarray, cluster: np.ndarray, weight: np.ndarray, alpha: float = 0.05
) -> tuple[Estimate | None, Estimate | None]:
    """Average effects of everyone and of the treated with known propensities and no model: differences of the arms' means.

    Each mean is weighted by the inverse of the propensity (Hajek 1971). None, None where weights and sizes leave an arm fewer than
    MIN_CLUSTERS clusters, whose spread says little of the error, or where an arm's clusters are all alike and say nothing of it.
    """
    treated, control = weight * (t == 1), weight * (t == 0)
    everyone = treated / propensity, control / (1 - propensity)
    like_treated = treated, control * propensity / (1 - propensity)
    for arm in (*everyone, *like_treated):
        if not arm.any() or effective_clusters(arm, cluster) < MIN_CLUSTERS:
            return None, None
    ate = _difference_of_means(y, *everyone, cluster, len(y), alpha)
    att = _difference_of_means(y, *like_treated, cluster, int(t.sum()), alpha)
    return (None, None) if ate is None or att is None else (ate, att)


def _difference_of_means(
    y: np.ndarray, first: np.ndarray, second: np.ndarray, cluster: np.ndarray, n: int, alpha: float
) -> Estimate | None:
    """Mean of y by one vector of weights less that by another, (n,) each; cluster-robust, with Student's limits.

    None where one's clusters do not differ, but for rounding.

    The degrees of freedom are Welch's (Satterthwaite 1946) of each arm's effective clusters less one: with one treated in ten, the
    error is that of few. They are at most all clusters less one, as of pairs.
    """
    _, code = np.unique(cluster, return_inverse=True)
    means, sums, variances, freedoms = [], [], [], []
    for w in (first, second):
        mean = float(np.average(y, weights=w))
        own = np.bincount(code, weights=w * (y - mean)) / w.sum()
        clusters = np.count_nonzero(np.bincount(code, weights=w))
        own *= np.sqrt(clusters / (clusters - 1))
        means.append(mean)
        sums.append(own)
        variances.append(float(np.sum(own**2)))
        freedoms.append(effective_clusters(w, cluster) - 1)
    if min(variances) <= (1e-12 * np.abs(y).max()) ** 2:
        return None
    welch = sum(variances) ** 2 / sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    # A cluster with people of both arms tells of their difference at once.
    se = float(np.sqrt(np.sum((sums[0] - sums[1]) ** 2)))
    return estimate(means[0] - means[1], se, n, alpha, min(welch, effective_clusters(first + second, cluster) - 1))


def naive_difference(t: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Plain difference in (weighted) means: what a report without adjustment would say."""
    w = np.ones(len(t)) if weight is None else weight
    return float(np.average(y[t == 1], weights=w[t == 1]) - np.average(y[t == 0], weights=w[t == 0]))
