"""What every effect learner takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from causal.aipw import aipw_scores
from causal.folds import cluster_folds
from causal.nuisance import Nuisances

INTERVAL_KINDS = ("posterior", "forest_honest", "average_effect", "none")
# Groups of people by expected outcome, each with a noise of its own; a group's is at least a share of everyone's.
_NOISE_GROUPS, _LEAST_NOISE = 10, 0.05


@dataclass(frozen=True)
class LearnerData:
    """Encoded rows with their cross-fitted nuisances; every array has n rows.

    `gamma` are AIPW scores (outcome units, treated minus control).
    """

    Z: np.ndarray
    t: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    cluster: np.ndarray
    nuisances: Nuisances

    @property
    def gamma(self) -> np.ndarray:
        u = self.nuisances
        return aipw_scores(self.t, self.y, u.mu0, u.mu1, u.propensity)

    @cached_property
    def noise(self) -> np.ndarray:
        """Variance of the outcome around its prediction among people of like expected outcome; (n,).

        Counts and days are noisiest where they are large. Taken as even, that noise passes for differences in effect: on
        a plan's emergency visits (variance .02 in the lowest tenth, .64 in the highest) `bayes_r` was off by six times
        the squared error that it has with it.
        """
        u = self.nuisances
        squared = (self.y - np.where(self.t == 1, u.mu1, u.mu0)) ** 2
        cuts = np.unique(np.quantile(u.outcome, np.linspace(0, 1, _NOISE_GROUPS + 1)[1:-1]))
        group = np.searchsorted(cuts, u.outcome)
        mass = np.bincount(group, weights=self.weight)
        by_group = np.bincount(group, weights=self.weight * squared) / np.where(mass > 0, mass, np.inf)
        everyone = float(np.average(squared, weights=self.weight))
        return np.maximum(by_group[group], _LEAST_NOISE * everyone) if everyone > 0 else np.ones(len(self.y))

    @property
    def precision(self) -> np.ndarray:
        """Weights by the inverse of what the propensity alone says of a score's variance, 1 / (e (1 - e)); (n,)."""
        e = self.nuisances.propensity
        return self.weight * e * (1 - e)

    @property
    def score_precision(self) -> np.ndarray:
        """Weights by the inverse of a score's variance, noise / (e (1 - e)); (n,)."""
        return self.precision / self.noise

    def rows(self, keep: np.ndarray) -> LearnerData:
        return LearnerData(
            self.Z[keep],
            self.t[keep],
            self.y[keep],
            self.weight[keep],
            self.cluster[keep],
            self.nuisances.rows(keep),
        )


@dataclass(frozen=True)
class LearnerOptions:
    """Shared by all learners. `threads` never changes a result."""

    seed: int = 0
    n_trees: int = 200
    threads: int = 1
    max_effect_features: int = 16


def inner_folds(data: LearnerData, seed: int) -> np.ndarray:
    """Folds of whole clusters in which a learner cross-validates its own settings; (n,)."""
    return cluster_folds(data.cluster, data.t, 5 if len(data.t) <= 5_000 else 3, seed)


class EffectModel(Protocol):
    """A fitted learner."""

    @property
    def interval_kind(self) -> str:
        """One of INTERVAL_KINDS."""
        ...

    def effect(self, Z: np.ndarray) -> np.ndarray:
        """Effect of treatment, natural sign, outcome units; (n,)."""
        ...

    def with_variance(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Effect and its sampling variance; NaN where theory gives none."""
        ...


FitLearner = Callable[[LearnerData, LearnerOptions], EffectModel]


@dataclass(frozen=True)
class Learner:
    """A registry entry; `simplicity` orders learners from simplest (0) for the one-standard-error rule."""

    name: str
    simplicity: int
    fit: FitLearner
