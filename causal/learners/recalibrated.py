"""From a learner's prediction to a published effect with an honest interval: rescale, and count what the model misses.

An honest forest on noisy outcomes spreads its predictions wider than the truth (a slope of .7 was measured at 10,000
rows), on clear ones narrower, as a lasso does (1.7 on days without medicine). The published effect is
    average + slope * (prediction - mean).
Scores regressed on out-of-fold predictions, weighted by their precision, say what the slope is, with an error that is
often as large: .3 on 5,000 rows of a rare outcome. Before seeing them it may be anything from 0 to LARGEST_SLOPE, as
likely below as above 1, the learner's own word; the slope used is the posterior mean, and its variance is part of the
interval. A slope is never below 0: the order is the learner's.

The interval is the published effect -+ z sqrt(variance of the average + slope^2 sampling variance + (prediction - mean)^2
variance of the slope + misfit). A forest's sampling variance says nothing of its bias: where effects are curved in several
features its own intervals cover .85 at nominal .95. The misfit is what is left of the published effect's mean squared error
when the rest is accounted for,
    misfit = mean expected squared distance of the effect from it, less the other terms; not below 0,
as posteriors on the same rows have it (`causal.learners.judged`). Where the learner is judged by them, the distance is
known for every person, and is taken as it is.
Coverage is right on average over people, not for every single person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm, truncnorm

from causal.aipw import mean_estimate
from causal.evaluation.calibration import blp
from causal.learners.base import EffectModel, LearnerData, LearnerOptions
from causal.learners.judged import fit_judge

LARGEST_SLOPE = 2.0

Interval = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Shrinkage:
    """average + slope * (prediction - mean_prediction), and what its interval is made of.

    Attributes:
        average_variance: of `average`.
        misfit: mean squared error beyond sampling, in squared outcome units.
        is_posterior: a model's variance is that of a posterior around its prediction, not of sampling alone; then the
            two above and the one below are not used.
        slope_variance: of `slope`.
    """

    average: float
    mean_prediction: float
    slope: float
    average_variance: float
    misfit: float
    is_posterior: bool = False
    slope_variance: float = 0.0

    def effect(self, raw: np.ndarray) -> np.ndarray:
        """What is published for a prediction, (n,)."""
        return self.average + self.slope * (raw - self.mean_prediction)

    def centred_on(self, raw: np.ndarray, weight: np.ndarray) -> Shrinkage:
        """The same for a model whose predictions for the rows it was learnt from are `raw`: their mean is the average."""
        return replace(self, mean_prediction=float(np.average(raw, weights=weight)))

    def accounted(self, raw: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Variance of a published effect that sampling explains, (n,)."""
        spread = (raw - self.mean_prediction) ** 2
        return self.average_variance + self.slope**2 * variance + spread * self.slope_variance

    def interval(self, raw: np.ndarray, variance: np.ndarray, alpha: float) -> Interval:
        """Effect and its (1 - alpha) interval, NaN where there is no variance."""
        point = self.effect(raw)
        total = variance + (raw - point) ** 2 if self.is_posterior else self.accounted(raw, variance) + self.misfit
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


def recalibrated(model: EffectModel, shrinkage: Shrinkage, data: LearnerData) -> Recalibrated:
    """A model learnt from `data` with the shrinkage found out of fold, centred on the model's own mean there."""
    return Recalibrated(model, shrinkage.centred_on(model.effect(data.Z), data.weight))


def fit_shrinkage(prediction: np.ndarray, variance: np.ndarray, data: LearnerData, kind: str, seed: int) -> Shrinkage:
    """Slope, average and misfit from out-of-fold predictions of the same rows.

    Args:
        prediction, variance: of a model that has not seen the row, (n,); variance NaN where there is none.
        data: the rows.
        kind: the model's `interval_kind`.
        seed: of the posterior's choice of features.
    """
    average = mean_estimate(data.gamma, data.cluster, data.weight)
    slope, slope_variance = _slope(prediction, data)
    found = Shrinkage(
        average.value,
        float(np.average(prediction, weights=data.weight)),
        slope,
        average.se**2,
        0.0,
        is_posterior=kind == "posterior",
        slope_variance=slope_variance,
    )
    if kind != "forest_honest" or slope_variance == 0:
        return found
    squared = fit_judge(data, LearnerOptions(seed)).expected_square(data.Z, found.effect(prediction))
    excess = squared - found.accounted(prediction, variance)
    return replace(found, misfit=max(float(np.average(excess, weights=data.weight)), 0.0))


def _slope(prediction: np.ndarray, data: LearnerData) -> tuple[float, float]:
    """Posterior mean and variance; 1 without variance where predictions do not vary."""
    found = blp(prediction, data.gamma, data.cluster, data.score_precision).slope
    if found is None:
        return 1.0, 0.0
    low, high = (np.array([0.0, LARGEST_SLOPE]) - found.value) / found.se
    mean, variance = truncnorm.stats(low, high, loc=found.value, scale=found.se, moments="mv")
    return float(mean), float(variance)
