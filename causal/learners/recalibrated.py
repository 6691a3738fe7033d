"""From a learner's prediction to a published effect with an honest interval: shrink, and count what the model misses.

An honest forest on noisy outcomes spreads its predictions wider than the truth (a slope of .7 was measured at 10,000
rows), and the top of a ranking is where that error is largest: without shrinkage the list promises what it will not
deliver. The published effect is average + slope * (prediction - mean), slope estimated on out-of-fold predictions and
held in [SMALLEST_SLOPE, 1]; order is unchanged and predictions are never amplified.

The interval is the published effect -+ z sqrt(variance of the average + slope^2 sampling variance + misfit). A forest's
sampling variance says nothing of its bias: where effects are curved in several features its own intervals cover .85 at
nominal .95. The misfit is what is left of the published effect's mean squared error when sampling is accounted for,
    misfit = mean of (m - effect)^2 + v, less slope^2 mean sampling variance and variance of the average; not below 0,
with m and v the posterior of `causal.learners.bayes` on the same rows. Where the learner is that posterior itself, or
is judged by it, the distance is known for every person, v + (m - effect)^2, and is taken as it is.
Coverage is right on average over people, not for every single person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from causal.aipw import mean_estimate
from causal.evaluation.calibration import blp
from causal.learners.base import EffectModel, LearnerData, LearnerOptions
from causal.learners.bayes import fit_bayes_r

SMALLEST_SLOPE = 0.1

Interval = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Shrinkage:
    """average + slope * (prediction - mean_prediction), and what its interval is made of.

    Attributes:
        average_variance: of `average`.
        misfit: mean squared error beyond sampling, in squared outcome units.
        is_posterior: a model's variance is that of a posterior around its prediction, not of sampling alone; then the
            two above are not used.
    """

    average: float
    mean_prediction: float
    slope: float
    average_variance: float
    misfit: float
    is_posterior: bool = False

    def effect(self, raw: np.ndarray) -> np.ndarray:
        """What is published for a prediction, (n,)."""
        return self.average + self.slope * (raw - self.mean_prediction)

    def interval(self, raw: np.ndarray, variance: np.ndarray, alpha: float) -> Interval:
        """Effect and its (1 - alpha) interval, NaN where there is no variance."""
        point = self.effect(raw)
        if self.is_posterior:
            total = variance + (raw - point) ** 2
        else:
            total = self.average_variance + self.slope**2 * variance + self.misfit
        half = float(norm.ppf(1 - alpha / 2)) * np.sqrt(total)
        return point, point - half, point + half


@dataclass(frozen=True)
class Recalibrated:
    """A model with its shrinkage: what is published."""

    model: EffectModel
    shrinkage: Shrinkage

    @property
    def interval_kind(self) -> str:
        return self.model.interval_kind

    def effect(self, Z: np.ndarray) -> np.ndarray:
        return self.shrinkage.effect(self.model.effect(Z))

    def with_interval(self, Z: np.ndarray, alpha: float = 0.05) -> Interval:
        """Effect and its (1 - alpha) interval, NaN where theory gives none."""
        return self.shrinkage.interval(*self.model.with_variance(Z), alpha)


def fit_shrinkage(prediction: np.ndarray, variance: np.ndarray, data: LearnerData, kind: str, seed: int) -> Shrinkage:
    """Slope, average and misfit from out-of-fold predictions of the same rows.

    Args:
        prediction, variance: of a model that has not seen the row, (n,); variance NaN where there is none.
        data: the rows.
        kind: the model's `interval_kind`.
        seed: of the posterior's choice of features.
    """
    average = mean_estimate(data.gamma, data.cluster, data.weight)
    found = blp(prediction, data.gamma, data.cluster, data.weight).slope
    centre = float(np.average(prediction, weights=data.weight))
    slope = 1.0 if found is None else float(np.clip(found.value, SMALLEST_SLOPE, 1.0))
    misfit = 0.0
    if kind == "forest_honest" and found is not None:
        m, v = fit_bayes_r(data, LearnerOptions(seed)).with_variance(data.Z)
        published = average.value + slope * (prediction - centre)
        accounted = average.se**2 + slope**2 * variance
        misfit = max(float(np.average((m - published) ** 2 + v - accounted, weights=data.weight)), 0.0)
    return Shrinkage(average.value, centre, slope, average.se**2, misfit, is_posterior=kind == "posterior")
