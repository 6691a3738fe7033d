"""What every effect learner takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, TypeVar, cast, get_args

import numpy as np

from causal.aipw import aipw_scores
from causal.folds import cluster_folds
from causal.nuisance import Nuisances
from causal.trial import OutcomeKind

T = TypeVar("T")

INTERVAL_KINDS = ("posterior", "forest_honest", "average_effect", "none")
# Groups of people by expected outcome, each with a noise of its own: tenths, the outer ones halved while a group keeps so
# many rows. A group's noise is at least a share of everyone's.
_NOISE_GROUPS, _LEAST_NOISE, _LEAST_NOISE_ROWS = 10, 0.05, 100


@dataclass(frozen=True)
class LearnerData:
    """Encoded rows with their cross-fitted nuisances; every array has n rows.

    `gamma` are AIPW scores (outcome units, treated minus control). `outcome_kind` says what outcomes may be.
    """

    Z: np.ndarray
    t: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    cluster: np.ndarray
    nuisances: Nuisances
    outcome_kind: OutcomeKind = "continuous"
    known_noise: np.ndarray | None = None
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def gamma(self) -> np.ndarray:
        u = self.nuisances
        return aipw_scores(self.t, self.y, u.mu0, u.mu1, u.propensity)

    @cached_property
    def noise(self) -> np.ndarray:
        """Variance of the outcome around its prediction among people of like expected outcome; (n,).

        Counts and days are noisiest where they are large. Taken as even, that noise passes for differences in effect: on
        a plan's emergency visits (variance .02 in the lowest tenth, .64 in the highest) `bayes_r` was off by six times
        the squared error that it has with it. Within the highest tenth it goes on growing; taken as even there, a few
        hundred people with many visits decide everybody's effect.
        """
        if self.known_noise is not None:
            return self.known_noise
        u = self.nuisances
        squared = (self.y - np.where(self.t == 1, u.mu1, u.mu0)) ** 2
        cuts = np.unique(np.quantile(u.outcome, _noise_levels(len(self.y))))
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
            self.outcome_kind,
            None if self.known_noise is None else self.known_noise[keep],
        )

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once for these rows: several learners need the same."""
        if key not in self._made:
            self._made[key] = make()
        return cast("T", self._made[key])

    def in_units_of(self, scale: np.ndarray) -> LearnerData:
        """The same trial with every row's outcome told in units of its `scale`, positive, (n,): effects then are too."""
        u = self.nuisances
        return replace(
            self,
            y=self.y / scale,
            nuisances=replace(u, mu0=u.mu0 / scale, mu1=u.mu1 / scale),
            known_noise=self.noise / scale**2,
        )


def _noise_levels(n: int) -> list[float]:
    share, levels = 1 / _NOISE_GROUPS, [i / _NOISE_GROUPS for i in range(1, _NOISE_GROUPS)]
    while n * share / 2 >= _LEAST_NOISE_ROWS:
        share /= 2
        levels += [share, 1 - share]
    return sorted(levels)


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
    """A registry entry.

    `simplicity` orders learners from simplest (0) for the one-standard-error rule; `outcomes` are the kinds that it can learn.
    """

    name: str
    simplicity: int
    fit: FitLearner
    outcomes: frozenset[OutcomeKind] = frozenset(get_args(OutcomeKind))
