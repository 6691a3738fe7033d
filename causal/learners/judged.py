"""Learners whose intervals come from posteriors that judge them: `linear_dr`, `relative_lasso`, `lasso_bayes`, `bayes_r`.

A linear model's own interval is confidently wrong for a person when the effect is not linear (coverage .47-.56 at nominal
.95). What is given instead is the expected squared distance of a prediction from the effect under posteriors that are not
confined to lines,
    mean over posteriors of (posterior mean - prediction)^2 + posterior variance.
There is one of the effect (`causal.learners.bayes`) and, where outcomes are never negative, one of the effect in units of
the expected outcome (`causal.learners.relative`). Neither scale is known to be right, and each alone is confidently wrong
where the other is right. The relative one counts RELATIVE_ODDS times: treatments' effects differ less on it from group to
group (125 meta-analyses: Engels, Schmid, Terrin, Olkin & Lau 2000; 551: Deeks 2002).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from causal.lasso import fit_lasso
from causal.learners.base import EffectModel, LearnerData, LearnerOptions, inner_folds
from causal.learners.bayes import BayesEffect, fit_bayes
from causal.learners.point import PointEffect
from causal.learners.relative import RELATIVE_KINDS, ExpectedOutcome, RelativeEffect, fit_expected, in_shares
from causal.learners.screen import residual_ratio

RELATIVE_ODDS = 2.0


@dataclass(frozen=True)
class Judge:
    """Posteriors of the effect; `relative` is None where outcomes may be negative."""

    absolute: BayesEffect
    relative: RelativeEffect | None

    @property
    def posteriors(self) -> tuple[EffectModel, ...]:
        return (self.absolute,) if self.relative is None else (self.absolute, self.relative)

    def expected_square(self, Z: np.ndarray, effect: np.ndarray) -> np.ndarray:
        """Expected squared distance of predictions from the effect; (n,)."""
        return _expected_square([posterior.with_variance(Z) for posterior in self.posteriors], effect)


@dataclass(frozen=True)
class JudgedEffect:
    """The mean of models, as many on every scale and these by the scales' odds, with the variance that its judge finds."""

    parts: tuple[tuple[EffectModel, ...], ...]
    judge: Judge
    interval_kind: str = "posterior"

    def effect(self, Z: np.ndarray) -> np.ndarray:
        return self._mean(lambda part: part.effect(Z))

    def with_variance(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        posteriors = self.judge.posteriors
        told = [posterior.with_variance(Z) for posterior in posteriors]
        # A posterior that is a part is not asked twice: its columns are most of what scoring costs.
        known = {id(posterior): mean for posterior, (mean, _) in zip(posteriors, told, strict=True)}
        effect = self._mean(lambda part: known[id(part)] if id(part) in known else part.effect(Z))
        return effect, _expected_square(told, effect)

    def _mean(self, effect: Callable[[EffectModel], np.ndarray]) -> np.ndarray:
        return _by_odds([np.mean([effect(part) for part in scale], axis=0) for scale in self.parts])


def _by_odds(values: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of what each scale says: the effect's first, the relative one's, if there is one, second."""
    return np.average(values, axis=0, weights=[1.0, RELATIVE_ODDS][: len(values)])


def _expected_square(told: Sequence[tuple[np.ndarray, np.ndarray]], effect: np.ndarray) -> np.ndarray:
    return _by_odds([(mean - effect) ** 2 + variance for mean, variance in told])


def fit_judge(data: LearnerData, options: LearnerOptions) -> Judge:
    """Posteriors on the scales that the outcome allows, once for all learners of the same rows."""
    return data.once(("judge", options.seed, options.max_effect_features), lambda: _fit_judge(data, options))


def _fit_judge(data: LearnerData, options: LearnerOptions) -> Judge:
    absolute = fit_bayes(data, options)
    if data.outcome_kind not in RELATIVE_KINDS:
        return Judge(absolute, None)
    expected = fit_expected(data, options)
    return Judge(absolute, RelativeEffect(fit_bayes(in_shares(data, expected), options), expected))


def fit_bayes_r(data: LearnerData, options: LearnerOptions) -> JudgedEffect:
    """The mean of the posteriors' means on every scale that the outcome allows."""
    judge = fit_judge(data, options)
    return JudgedEffect(tuple((posterior,) for posterior in judge.posteriors), judge)


def fit_linear_dr(data: LearnerData, options: LearnerOptions) -> JudgedEffect:
    """Lasso of AIPW scores."""
    return JudgedEffect(((_lasso(data, options),),), fit_judge(data, options))


def fit_relative_lasso(data: LearnerData, options: LearnerOptions) -> JudgedEffect:
    """Lasso of the R-loss in units of the expected outcome: sparse in what makes a share of it be spared.

    Raises:
        ValueError: outcomes may be negative.
    """
    judge = fit_judge(data, options)
    if judge.relative is None:
        raise ValueError(f"a {data.outcome_kind} outcome has no relative effect")
    return JudgedEffect(((_relative_lasso(data, options, judge.relative.expected),),), judge)


def fit_lasso_bayes(data: LearnerData, options: LearnerOptions) -> JudgedEffect:
    """The mean of the lassos and the posteriors' means on every scale that the outcome allows.

    Lassos are straight, posteriors bent as well, and each scale has its own first guess; where there is little to find each
    errs in its own way. Weights are fixed, because estimated ones cost more than they gain (Bates & Granger 1969; Claeskens
    et al. 2016).
    """
    judge = fit_judge(data, options)
    absolute = (_lasso(data, options), judge.absolute)
    if judge.relative is None:
        return JudgedEffect((absolute,), judge)
    return JudgedEffect((absolute, (_relative_lasso(data, options, judge.relative.expected), judge.relative)), judge)


def _lasso(data: LearnerData, options: LearnerOptions) -> PointEffect:
    return PointEffect(fit_lasso(data.Z, data.gamma, data.precision, inner_folds(data, options.seed)))


def _relative_lasso(data: LearnerData, options: LearnerOptions, expected: ExpectedOutcome) -> RelativeEffect:
    target, weight = residual_ratio(in_shares(data, expected))
    lasso = fit_lasso(data.Z, target, weight, inner_folds(data, options.seed))
    return RelativeEffect(PointEffect(lasso), expected)
