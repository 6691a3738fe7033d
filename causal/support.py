"""Who is comparable: the propensity range within which effects are estimated and served.

The range is [.1, .9], widened as far as Crump, Hotz, Imbens & Mitnik (2009) find it pays: a program that offers
outreach to 3 % of its members has no propensities above .1 and is not therefore without overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RULE_OF_THUMB = 0.1
# Crump's rule sees no need to trim where every chance is equally extreme; but where nine tenths of the variance of the
# treatment are explained, each group is compared with what a model makes up for it.
MIN_UNEXPLAINED = 0.10


@dataclass(frozen=True)
class SupportBounds:
    """Rows with low <= propensity <= high are in support."""

    low: float
    high: float

    def contains(self, propensity: np.ndarray) -> np.ndarray:
        return (propensity >= self.low) & (propensity <= self.high)


def crump_alpha(propensity: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Variance-minimising cut: the largest alpha with 1/(alpha(1-alpha)) <= 2 E[k | k <= 1/(alpha(1-alpha))],
    where k = 1/(e(1-e)); 0 when nobody needs trimming."""
    w = np.ones(len(propensity)) if weight is None else weight
    k = 1 / (propensity * (1 - propensity))
    order = np.argsort(k, kind="stable")
    k, w = k[order], w[order]
    mean_below = np.cumsum(k * w) / np.maximum(np.cumsum(w), 1e-300)
    if k[-1] <= 2 * mean_below[-1]:
        return 0.0
    fits = np.flatnonzero(k <= 2 * mean_below)
    gamma = k[fits[-1]]
    return float(0.5 - np.sqrt(max(0.25 - 1 / gamma, 0.0)))


def support_bounds(propensity: np.ndarray, weight: np.ndarray | None = None) -> SupportBounds:
    """The served range; symmetric."""
    alpha = min(RULE_OF_THUMB, crump_alpha(propensity, weight))
    return SupportBounds(alpha, 1 - alpha)


def unexplained_share(propensity: np.ndarray, weight: np.ndarray) -> float:
    """Share of the treatment's variance that its chances leave to chance: mean e (1 - e) over that of the mean chance; 0
    without rows."""
    if not len(propensity):
        return 0.0
    mean = float(np.average(propensity, weights=weight))
    return float(np.average(propensity * (1 - propensity), weights=weight)) / max(mean * (1 - mean), 1e-300)
