"""Learners without a forest: the constant, a linear projection, and two boosted ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from causal.aipw import mean_estimate
from causal.learners.base import LearnerData, LearnerOptions
from causal.nuisance import Predictor, fit_boosted


@dataclass(frozen=True)
class ConstantEffect:
    """Everyone has the average effect; its interval is that of the average, not of a person."""

    value: float
    se: float
    interval_kind: str = "average_effect"

    def effect(self, Z: np.ndarray) -> np.ndarray:
        return np.full(len(Z), self.value)

    def with_interval(self, Z: np.ndarray, alpha: float = 0.05) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        half = float(norm.ppf(1 - alpha / 2)) * self.se
        point = self.effect(Z)
        return point, point - half, point + half


@dataclass(frozen=True)
class PointEffect:
    """A predictor of the effect for which theory gives no interval."""

    predictor: Predictor
    interval_kind: str = "none"

    def effect(self, Z: np.ndarray) -> np.ndarray:
        return self.predictor.predict(Z) if len(Z) else np.empty(0)

    def with_interval(self, Z: np.ndarray, alpha: float = 0.05) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        nothing = np.full(len(Z), np.nan)
        return self.effect(Z), nothing, nothing


@dataclass(frozen=True)
class _Standardised:
    """EconML's linear final stage on standardised, clipped columns."""

    model: Any
    centre: np.ndarray
    scale: np.ndarray

    def predict(self, Z: np.ndarray) -> np.ndarray:
        return np.asarray(self.model.predict(np.clip((Z - self.centre) / self.scale, -5, 5))).ravel()


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
    average = mean_estimate(data.gamma, data.cluster, data.weight)
    return ConstantEffect(average.value, average.se)


def fit_linear_dr(data: LearnerData, options: LearnerOptions) -> PointEffect:
    """Linear projection of AIPW scores. Its per-person interval is confidently wrong when the effect is not linear
    (coverage .47-.56 at nominal .95), so none is given."""
    from econml.sklearn_extensions.linear_model import WeightedLassoCV

    centre, scale = data.Z.mean(axis=0), data.Z.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    D = np.clip((data.Z - centre) / scale, -5, 5)
    model = WeightedLassoCV(cv=3, n_alphas=20, random_state=options.seed, n_jobs=1)
    model.fit(D, data.gamma, sample_weight=data.weight)
    return PointEffect(_Standardised(model, centre, scale))


def fit_x_learner(data: LearnerData, options: LearnerOptions) -> PointEffect:
    """Boosted regressions of imputed effects, one per arm."""
    u, one = data.nuisances, data.t == 1
    tau1 = fit_boosted(data.Z[one], (data.y - u.mu0)[one], data.weight[one], "continuous", options.seed)
    tau0 = fit_boosted(data.Z[~one], (u.mu1 - data.y)[~one], data.weight[~one], "continuous", options.seed + 1)
    return PointEffect(_Blend(tau0, tau1, float(np.average(data.t, weights=data.weight))))


def fit_dr_boosted(data: LearnerData, options: LearnerOptions) -> PointEffect:
    """Boosted regression of AIPW scores (Kennedy's DR-learner with a LightGBM final stage)."""
    return PointEffect(fit_boosted(data.Z, data.gamma, data.weight, "continuous", options.seed))
