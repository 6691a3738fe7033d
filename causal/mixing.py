"""How much of boosting a mix has, and how long that goes on: what errs least on the folds that its models have not seen.

One share and one length for all folds, so that the choice overfits nothing to speak of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from joblib import Parallel, delayed

from causal.regression import TREES, Mixed, Pair, Predictor, fit_pair, n_trees, outcome_range, predict_boosted
from causal.trial import OutcomeKind

_MIX = np.linspace(0.0, 1.0, 5)
# Boosting is made at most so many times as long as its number of rows alone would have it.
_LONGEST = 8


@dataclass(frozen=True)
class LeftOut:
    """What the pair of each fold predicts for the rows of that fold, which it has not seen; each of shape (n,) but Z."""

    Z: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    fold: np.ndarray
    linear: np.ndarray
    boosted: np.ndarray

    @classmethod
    def of(
        cls, Z: np.ndarray, target: np.ndarray, weight: np.ndarray, fold: np.ndarray, pairs: Mapping[int, Pair]
    ) -> LeftOut:
        linear = np.empty(len(Z))
        for k, rows in _rows_of(fold, pairs):
            linear[rows] = pairs[k][0].predict(Z[rows])
        return cls(Z, target, weight, fold, linear, linear).again(pairs)

    def again(self, pairs: Mapping[int, Pair]) -> LeftOut:
        """After boosting has gone on."""
        boosted = np.empty(len(self.Z))
        for k, rows in _rows_of(self.fold, pairs):
            boosted[rows] = predict_boosted(pairs[k][1], self.Z[rows], self.linear[rows])
        return replace(self, boosted=boosted)

    @property
    def share(self) -> float:
        """Of boosting, with the least error."""
        return float(_MIX[int(np.argmin(self._errors))])

    @property
    def least(self) -> float:
        """The error at that share: weighted squares, summed."""
        return float(self._errors.min())

    @cached_property
    def _errors(self) -> np.ndarray:
        mixed = (share * self.boosted + (1 - share) * self.linear for share in _MIX)
        return np.array([np.sum(self.weight * (self.target - one) ** 2) for one in mixed])


def _rows_of(fold: np.ndarray, pairs: Mapping[int, Pair]) -> Iterator[tuple[int, np.ndarray]]:
    """Folds that have rows, with these."""
    for k in pairs:
        rows = np.flatnonzero(fold == k)
        if len(rows):
            yield k, rows


def lengthened(pairs: Mapping[int, Pair], seen: LeftOut, threads: int) -> tuple[dict[int, Pair], LeftOut]:
    """Boosting goes on for twice its rounds, in every fold, as long as that lowers the error on the folds left out.

    Args:
        pairs: of every fold, made to be `growing`; they are used up.
        seen: what they predict so far.
        threads: folds that grow at the same time; does not change the result.

    Returns:
        The pairs at the best of these lengths, and what they predict.
    """
    rounds = {k: n_trees(boosted) for k, (_, boosted) in pairs.items() if n_trees(boosted)}
    times = 1
    while rounds and times < _LONGEST:
        jobs = (delayed(_go_on)(pairs[k][1], times * n) for k, n in rounds.items())
        Parallel(n_jobs=threads, prefer="threads")(jobs)
        longer = seen.again(pairs)
        if longer.least >= seen.least:
            break
        seen, times = longer, 2 * times
    return {k: (linear, _cut(boosted, times * rounds.get(k, 0))) for k, (linear, boosted) in pairs.items()}, seen


def _go_on(model: Predictor, rounds: int) -> None:
    """Add so many trees to a model that was kept for it."""
    assert isinstance(model, TREES)
    # How much LightGBM says is set by thread, by any call with parameters; an update has none.
    model.booster.predict(np.zeros((1, model.booster.num_feature())), verbose=-1)
    for _ in range(rounds):
        model.booster.update()


def _cut(model: Predictor, rounds: int) -> Predictor:
    """The first trees only, without the rows that they were grown from."""
    import lightgbm as lgb

    if not isinstance(model, TREES):
        return model
    return replace(model, booster=lgb.Booster(model_str=model.booster.model_to_string(num_iteration=rounds)))


def fit_mixed(
    Z: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    fold: np.ndarray,
    seed: int,
    kind: OutcomeKind = "continuous",
) -> Mixed:
    """A mix whose share is cross-validated over `fold`."""
    pairs = {
        int(k): fit_pair(Z[fold != k], target[fold != k], weight[fold != k], fold[fold != k], kind, seed)
        for k in np.unique(fold)
    }
    share = LeftOut.of(Z, target, weight, fold, pairs).share
    return Mixed(*fit_pair(Z, target, weight, fold, kind, seed), share, *outcome_range(kind))
