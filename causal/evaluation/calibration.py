"""Are the predicted effects the size they say?

BLP: weighted least squares of AIPW scores on the centred prediction (Chernozhukov, Demirer, Duflo &
Fernandez-Val 2018). Slope 1 = calibrated, 0 = no signal, negative = reversed; intercept = average effect.
GATES: mean AIPW score within quantile groups of the prediction; they should rise with the group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causal.aipw import Estimate, clustered_se, estimate, mean_estimate


@dataclass(frozen=True)
class Blp:
    """Best linear predictor of the effect: the average effect (intercept at the mean prediction, with the error of an
    average: the predictions are a sample too) and the slope (None where predictions do not vary).
    """

    intercept: Estimate
    slope: Estimate | None


@dataclass(frozen=True)
class Gates:
    """Group effects from lowest to highest prediction.

    Attributes:
        groups: mean benefit per group.
        predicted: mean prediction per group.
        top_minus_bottom: contrast of the last and the first group.
        worst_drop_z: largest fall between neighbours, in its standard errors (positive = a fall).
    """

    groups: tuple[Estimate, ...]
    predicted: tuple[float, ...]
    top_minus_bottom: Estimate
    worst_drop_z: float


def blp(prediction: np.ndarray, gamma: np.ndarray, cluster: np.ndarray, weight: np.ndarray, alpha: float = 0.05) -> Blp:
    """Regress scores on predictions, cluster-robust errors."""
    centre = float(np.average(prediction, weights=weight))
    x = prediction - centre
    spread = float(np.average(x**2, weights=weight))
    mean = float(np.average(gamma, weights=weight))
    scale = max(1e-12, 1e-9 * abs(centre))
    if np.sqrt(spread) <= scale:
        return Blp(mean_estimate(gamma, cluster, weight, alpha), None)
    slope = float(np.average(x * gamma, weights=weight) / spread)
    residual = gamma - mean - slope * x
    slope_se = clustered_se(x * residual / spread, cluster, weight)
    return Blp(
        mean_estimate(gamma, cluster, weight, alpha),
        estimate(slope, slope_se, len(gamma), alpha),
    )


def group_effects(
    prediction: np.ndarray,
    gamma: np.ndarray,
    cluster: np.ndarray,
    weight: np.ndarray,
    n_groups: int = 5,
    alpha: float = 0.05,
) -> Gates | None:
    """Quantile groups of the prediction; tied predictions stay together. None when fewer than two groups exist."""
    cuts = np.quantile(prediction, np.linspace(0, 1, n_groups + 1)[1:-1])
    _, group = np.unique(np.searchsorted(np.unique(cuts), prediction, side="left"), return_inverse=True)
    count = int(group.max()) + 1
    if count < 2:
        return None
    share = np.bincount(group, weights=weight) / weight.sum()
    if (share <= 0).any():
        return None
    means = np.bincount(group, weights=weight * gamma) / np.bincount(group, weights=weight)
    influence = [(group == k) / share[k] * (gamma - means[k]) for k in range(count)]
    effects = tuple(
        estimate(float(means[k]), clustered_se(influence[k], cluster, weight), int((group == k).sum()), alpha)
        for k in range(count)
    )
    contrast_se = clustered_se(influence[-1] - influence[0], cluster, weight)
    drops = [
        (means[k] - means[k + 1]) / max(clustered_se(influence[k + 1] - influence[k], cluster, weight), 1e-300)
        for k in range(count - 1)
    ]
    predicted = np.bincount(group, weights=weight * prediction) / np.bincount(group, weights=weight)
    return Gates(
        effects,
        tuple(float(p) for p in predicted),
        estimate(float(means[-1] - means[0]), contrast_se, len(gamma), alpha),
        float(max(drops)),
    )
