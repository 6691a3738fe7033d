"""Effects in proportion to the outcome that is expected anyway.

Who is expected to need much can be spared much: rates and risks change by factors rather than by amounts (Kent et al.
2020, the PATH statement). An effect told in units of the expected outcome E[y | x] is then simpler than the effect
itself: the same share for everybody is one number here, and a curve in every feature that tells risk there. Rows weigh by
the inverse of their noise, also in those units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causal.learners.base import EffectModel, LearnerData, LearnerOptions, inner_folds
from causal.regression import Predictor, fit_distilled
from causal.trial import OutcomeKind

# Outcomes that are never negative, so that their mean is a scale.
RELATIVE_KINDS: frozenset[OutcomeKind] = frozenset({"binary", "count"})
# Nobody's expected outcome is below this share of the average one: an effect is not divided by nearly nothing.
_LEAST_EXPECTED = 0.05


@dataclass(frozen=True)
class ExpectedOutcome:
    """Predicts E[y | x] over both arms, never below `floor`."""

    predictor: Predictor
    floor: float

    def predict(self, Z: np.ndarray) -> np.ndarray:
        return self.held(self.predictor.predict(Z)) if len(Z) else np.empty(0)

    def held(self, expected: np.ndarray) -> np.ndarray:
        return np.maximum(expected, self.floor)


@dataclass(frozen=True)
class RelativeEffect:
    """A model of the effect in units of the expected outcome; its effect and variance are in outcome units again."""

    share: EffectModel
    expected: ExpectedOutcome

    @property
    def interval_kind(self) -> str:
        return self.share.interval_kind

    def effect(self, Z: np.ndarray) -> np.ndarray:
        return self.share.effect(Z) * self.expected.predict(Z)

    def with_variance(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        unit = self.expected.predict(Z)
        share, variance = self.share.with_variance(Z)
        return share * unit, variance * unit**2


def fit_expected(data: LearnerData, options: LearnerOptions) -> ExpectedOutcome:
    """A model of the cross-fitted predictions, of one piece for all folds."""
    expected = data.nuisances.outcome
    average = float(np.average(expected, weights=data.weight))
    predictor = fit_distilled(data.Z, expected, data.weight, inner_folds(data, options.seed))
    return ExpectedOutcome(predictor, _LEAST_EXPECTED * average if average > 0 else 1.0)


def in_shares(data: LearnerData, expected: ExpectedOutcome) -> LearnerData:
    """The trial in units of each row's cross-fitted expected outcome."""
    return data.in_units_of(expected.held(data.nuisances.outcome))
