"""Shrink predicted differences to what out-of-fold scores support.

An honest forest on noisy outcomes spreads its predictions wider than the truth (a slope of .7 was measured at 10,000
rows), and the top of a ranking is where that error is largest: without shrinkage the list promises what it will not
deliver. The published effect is average + slope * (prediction - mean), slope estimated on out-of-fold predictions of
the training half and held in [SMALLEST_SLOPE, 1]; order is unchanged and predictions are never amplified.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causal.evaluation.calibration import blp
from causal.learners.base import EffectModel

SMALLEST_SLOPE = 0.1


@dataclass(frozen=True)
class Shrinkage:
    """average + slope * (prediction - mean_prediction)."""

    average: float
    mean_prediction: float
    slope: float


@dataclass(frozen=True)
class Recalibrated:
    """A model with its shrinkage. The interval stays the model's own, widened to hold the published effect."""

    model: EffectModel
    shrinkage: Shrinkage

    @property
    def interval_kind(self) -> str:
        return self.model.interval_kind

    def effect(self, Z: np.ndarray) -> np.ndarray:
        return self._shrunk(self.model.effect(Z))

    def with_interval(self, Z: np.ndarray, alpha: float = 0.05) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        raw, lower, upper = self.model.with_interval(Z, alpha)
        point = self._shrunk(raw)
        return point, np.minimum(lower, point), np.maximum(upper, point)

    def _shrunk(self, raw: np.ndarray) -> np.ndarray:
        s = self.shrinkage
        return s.average + s.slope * (raw - s.mean_prediction)


def fit_shrinkage(prediction: np.ndarray, gamma: np.ndarray, cluster: np.ndarray, weight: np.ndarray) -> Shrinkage:
    """Slope of AIPW scores on out-of-fold predictions; 1 when the predictions do not vary."""
    slope = blp(prediction, gamma, cluster, weight).slope
    return Shrinkage(
        float(np.average(gamma, weights=weight)),
        float(np.average(prediction, weights=weight)),
        1.0 if slope is None else float(np.clip(slope.value, SMALLEST_SLOPE, 1.0)),
    )
