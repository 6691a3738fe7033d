"""Learners of the average or of a point alone: the constant, and two boosted ones without an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causal.aipw import mean_estimate
from causal.learners.base import LearnerData, LearnerOptions, inner_folds
from causal.mixing import fit_mixed
from causal.regression import Predictor


@dataclass(frozen=True)
class ConstantEffect:
    """Everyone has the average effect; its interval is that of the average (see `Recalibrated`), not of a person."""

    value: float
    interval_kind: str = "average_effect"

    def effect(self, Z: np.ndarray) -> np.ndarray:
        return np.full(len(Z), self.value)

    def with_variance(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.effect(Z), np.zeros(len(Z))


@dataclass(frozen=True)
class PointEffect:
    """A predictor of the effect for which theory gives no interval."""

    predictor: Predictor
    interval_kind: str = "none"

    def effect(self, Z: np.ndarray) -> np.ndarray:
        return self.predictor.predict(Z) if len(Z) else np.empty(0)

    def with_variance(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.effect(Z), np.full(len(Z), np.nan)


@dataclass(frozen=True)
class _Blend:
    """X-learner: e(x) tau0(x) + (1 - e(x)) tau1(x) (Künzel et al. 2019), with a constant e."""

    tau0: Predictor
    tau1: Predictor
    share_treated: float

    def predict(self, Z: np.ndarray) -> np.ndarray:
        return self.share_treated * self.tau0.predict(Z) + (1 - self.share_treated) * self.tau1.predict(Z)


def fit_constant(data: LearnerData, options: LearnerOptions) -> ConstantEffect:
    """The average effect for everyone."""
    return ConstantEffect(mean_estimate(data.gamma, data.cluster, data.weight).value)


def fit_x_learner(data: LearnerData, options: LearnerOptions) -> PointEffect:
    """Mixed regressions of imputed effects, one per arm."""
    u, one, fold = data.nuisances, data.t == 1, inner_folds(data, options.seed)
    imputed = np.where(one, data.y - u.mu0, u.mu1 - data.y)
    tau1, tau0 = (
        fit_mixed(data.Z[arm], imputed[arm], data.weight[arm], fold[arm], options.seed + i)
        for i, arm in enumerate((one, ~one))
    )
    return PointEffect(_Blend(tau0, tau1, float(np.average(data.t, weights=data.weight))))


def fit_dr_boosted(data: LearnerData, options: LearnerOptions) -> PointEffect:
    """Mixed regression of AIPW scores (Kennedy's DR-learner, final stage linear and LightGBM)."""
    fold = inner_folds(data, options.seed)
    return PointEffect(fit_mixed(data.Z, data.gamma, data.precision, fold, options.seed))
