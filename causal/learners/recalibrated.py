"""From a learner's prediction to a published effect with an honest interval: shrink, and count what the model misses.

An honest forest on noisy outcomes spreads its predictions wider than the truth (a slope of .7 was measured at 10,000
rows), and the top of a ranking is where that error is largest: without shrinkage the list promises what it will not
deliver. The published effect is average + slope * (prediction - mean), slope estimated on out-of-fold predictions and
held in [SMALLEST_SLOPE, 1]; order is unchanged and predictions are never amplified.

The interval is the published effect -+ z sqrt(variance of the average + slope^2 sampling variance + misfit). A forest's
sampling variance says nothing of its bias: where effects are linear in many features or come from interactions its own
intervals cover .55-.70 at nominal .95. The misfit is the mean squared error that is left when sampling is accounted for:
    misfit = Var(tau) - Var(tau explained by the published effect) - slope^2 mean sampling variance, not below 0,
with Var(tau) from pairs of people (`causal.effect_variance`). Coverage is therefore right on average over people, as for
the Bayesian intervals of smoothing splines (Nychka 1988), not for every single person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from causal.aipw import mean_estimate
from causal.effect_variance import effect_variance
from causal.evaluation.calibration import blp
from causal.learners.base import EffectModel, LearnerData

SMALLEST_SLOPE = 0.1


Interval = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Shrinkage:
    """average + slope * (prediction - mean_prediction); `average_variance` and `misfit` widen the interval."""

    average: float
    mean_prediction: float
    slope: float
    average_variance: float
    misfit: float

    def effect(self, raw: np.ndarray) -> np.ndarray:
        """What is published for a prediction, (n,)."""
        return self.average + self.slope * (raw - self.mean_prediction)

    def interval(self, raw: np.ndarray, variance: np.ndarray, alpha: float) -> Interval:
        """Effect and its (1 - alpha) interval, NaN where there is no sampling variance."""
        point = self.effect(raw)
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


def fit_shrinkage(prediction: np.ndarray, variance: np.ndarray, data: LearnerData, seed: int) -> Shrinkage:
    """Slope, average and misfit from out-of-fold predictions of the same rows.

    Args:
        prediction, variance: of a model that has not seen the row, (n,); variance NaN where there is none.
        data: the rows.
        seed: of `effect_variance`.
    """
    gamma, weight = data.gamma, data.weight
    average = mean_estimate(gamma, data.cluster, weight)
    found = blp(prediction, gamma, data.cluster, weight).slope
    centre = float(np.average(prediction, weights=weight))
    spread = float(np.average((prediction - centre) ** 2, weights=weight))
    slope = 1.0 if found is None else float(np.clip(found.value, SMALLEST_SLOPE, 1.0))
    misfit = 0.0
    if found is not None and not np.isnan(variance).all():
        e, u = data.nuisances.propensity, data.nuisances
        total = effect_variance(
            gamma, data.Z, data.cluster, weight * e * (1 - e), np.column_stack([u.mu0, u.mu1]), seed
        )
        explained = slope * (2 * found.value - slope) * spread
        misfit = max(total - explained - slope**2 * float(np.average(variance, weights=weight)), 0.0)
    return Shrinkage(average.value, centre, slope, average.se**2, misfit)
