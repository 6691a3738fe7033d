"""Learners without a forest: the constant, a linear projection, and two boosted ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from causal.aipw import mean_estimate
from causal.lasso import fit_lasso
from causal.learners.base import LearnerData, LearnerOptions, inner_folds
from causal.learners.bayes import BayesEffect, fit_bayes_r
from causal.regression import Predictor, fit_mixed


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
class JudgedEffect:
    """A predictor without an interval of its own beside a posterior that judges it: the variance given is the expected
    squared distance of the prediction from the effect, (posterior mean - prediction)^2 + posterior variance.

    `share` is the posterior mean's share in the prediction.
    """

    predictor: Predictor
    judge: BayesEffect
    interval_kind: str = "posterior"
    share: float = 0.0

    def effect(self, Z: np.ndarray) -> np.ndarray:
        return self._mixed(Z, self.judge.effect(Z) if self.share else np.zeros(len(Z)))

    def with_variance(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, variance = self.judge.with_variance(Z)
        effect = self._mixed(Z, mean)
        return effect, (mean - effect) ** 2 + variance

    def _mixed(self, Z: np.ndarray, mean: np.ndarray) -> np.ndarray:
        return (1 - self.share) * self.predictor.predict(Z) + self.share * mean if len(Z) else np.empty(0)


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


def fit_linear_dr(data: LearnerData, options: LearnerOptions) -> JudgedEffect:
    """Lasso of AIPW scores. A linear model's own interval is confidently wrong for a person when the effect is not linear
    (coverage .47-.56 at nominal .95): `bayes_r`, which is not confined to lines, says how far off it may be."""
    lasso = fit_lasso(data.Z, data.gamma, data.precision, inner_folds(data, options.seed))
    return JudgedEffect(lasso, fit_bayes_r(data, options))


def fit_lasso_bayes(data: LearnerData, options: LearnerOptions) -> JudgedEffect:
    """The mean of `linear_dr` and of the `bayes_r` that judges it.

    One is sparse and straight, the other dense and bent; where there is little to find each errs in its own way. Equal
    weights, because estimated ones cost more than they gain (Bates & Granger 1969; Claeskens et al. 2016).
    """
    return replace(fit_linear_dr(data, options), share=0.5)


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
