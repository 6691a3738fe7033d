"""Regression models that nuisances and learners are made of: a penalised linear one, LightGBM, and a mix of both.

Boosting alone is noisy on the few hundred treated rows of a small study, a linear model alone misses interactions on
large ones; `causal.mixing` finds the share of each. Where people decided who was treated, what an adjustment leaves of a
curve is bias, and boosting as short as small samples allow leaves much: the linear model then has bends and products of
the features that boosting splits on most (`Curved`), and boosting goes on from it (`Continued`). One thread per model and
fixed seeds: equal results on any number of cores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from causal.lasso import Linear, fit_lasso
from causal.learners.basis import Basis, fit_basis
from causal.trial import OutcomeKind

MIN_ROWS = 20
# Curves: of so many features, one per so many rows, learnt from so many rows (a few hundred columns need no more).
_MOST_CURVED = 12
_MOST_CUBED = 6
_ROWS_PER_CURVE = 25
_CURVED_ROWS = 15_000
_AT_A_TIME = 1_024
# Boosting goes on from chances no nearer to 0 and 1, and from expected counts no smaller than this share of their mean.
_LEAST_CHANCE = 1e-4
_LEAST_OF_MEAN = 0.1


class Predictor(Protocol):
    """Anything that maps an encoded matrix (n, p) to n numbers."""

    def predict(self, Z: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Constant:
    """Predicts one number: for a target without variation or with too few rows."""

    value: float

    def predict(self, Z: np.ndarray) -> np.ndarray:
        return np.full(len(Z), self.value)


@dataclass(frozen=True)
class Boosted:
    """A LightGBM booster that predicts on one thread."""

    booster: Any

    def predict(self, Z: np.ndarray) -> np.ndarray:
        return np.asarray(self.booster.predict(Z, num_threads=1))


@dataclass(frozen=True)
class Mixed:
    """share * boosted + (1 - share) * linear, held within the range that the target can take."""

    linear: Predictor
    boosted: Predictor
    share: float
    low: float = -np.inf
    high: float = np.inf

    def predict(self, Z: np.ndarray) -> np.ndarray:
        parts = np.zeros(len(Z))
        linear = self.linear.predict(Z) if self.share < 1 else None
        if linear is not None:
            parts += (1 - self.share) * linear
        if self.share > 0:
            parts += self.share * predict_boosted(self.boosted, Z, linear)
        return np.clip(parts, self.low, self.high)


@dataclass(frozen=True)
class Curved:
    """A linear model of lines, bends and products (see `Basis`)."""

    basis: Basis
    linear: Linear

    def predict(self, Z: np.ndarray) -> np.ndarray:
        # A few hundred columns per row: of as many rows as a cache holds.
        starts = range(0, max(len(Z), 1), _AT_A_TIME)
        return np.concatenate([self._of_few(Z[start : start + _AT_A_TIME]) for start in starts])

    def _of_few(self, Z: np.ndarray) -> np.ndarray:
        return self.linear.predict(self.basis.matrix(Z))


@dataclass(frozen=True)
class Continued:
    """A LightGBM booster that went on from what `start` predicts, on the scale of its objective."""

    start: Curved
    booster: Any
    kind: OutcomeKind
    least: float

    def predict(self, Z: np.ndarray) -> np.ndarray:
        return self.predict_from(self.start.predict(Z), Z)

    def predict_from(self, start: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """The same, where what `start` predicts is known already."""
        found = self.booster.predict(Z, raw_score=True, num_threads=1)
        return _unlinked(_linked(start, self.kind, self.least) + found, self.kind)


@dataclass(frozen=True)
class Sum:
    """The sum of two predictions."""

    first: Predictor
    second: Predictor

    def predict(self, Z: np.ndarray) -> np.ndarray:
        return self.first.predict(Z) + self.second.predict(Z)


Pair = tuple[Predictor, Predictor]
TREES = (Boosted, Continued)


def n_trees(model: Predictor) -> int:
    """Rounds of boosting."""
    return int(model.booster.num_trees()) if isinstance(model, TREES) else 0


def predict_boosted(model: Predictor, Z: np.ndarray, linear: np.ndarray | None) -> np.ndarray:
    """What the boosted model of a pair predicts; `linear`: what the linear one does, if this is known."""
    if linear is not None and isinstance(model, Continued):
        return model.predict_from(linear, Z)
    return model.predict(Z)


def outcome_range(kind: OutcomeKind) -> tuple[float, float]:
    """What a prediction of such an outcome may be."""
    return (0.0, 1.0) if kind == "binary" else (0.0, np.inf) if kind == "count" else (-np.inf, np.inf)


def _linked(mean: np.ndarray, kind: OutcomeKind, least: float) -> np.ndarray:
    """Means on the scale on which LightGBM's objective of this kind adds up trees; expected counts are at least `least`."""
    if kind == "binary":
        inside = np.clip(mean, _LEAST_CHANCE, 1 - _LEAST_CHANCE)
        return np.log(inside / (1 - inside))
    return np.log(np.maximum(mean, least)) if kind == "count" else mean


def _unlinked(score: np.ndarray, kind: OutcomeKind) -> np.ndarray:
    if kind == "binary":
        return 1 / (1 + np.exp(-score))
    return np.exp(score) if kind == "count" else score


def fit_pair(
    Z: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    fold: np.ndarray,
    kind: OutcomeKind,
    seed: int,
    *,
    curved: bool = False,
    screen: Predictor | None = None,
    rounds: int = 0,
    growing: bool = False,
) -> Pair:
    """Linear and boosted model of the same rows; `fold` cross-validates the former's penalty.

    When `curved`, the linear model has curves, and boosting goes on from it. `screen` is the boosted model of the same
    call without curves, if it was made already: it chooses their features where it is of no more rows than they are.
    Boosting has `rounds`, or as many as the number of rows alone would have if these are more; it can go on if `growing`.
    """
    if len(target) < MIN_ROWS or np.ptp(target) == 0 or weight.sum() == 0:
        usable = weight.sum() > 0
        flat = Constant(float(np.average(target, weights=weight)) if usable else 0.5 * (kind == "binary"))
        return flat, flat
    if curved:
        start = _fit_curved(Z, target, weight, fold, kind, seed, screen)
        return start, _fit_continued(start, Z, target, weight, kind, seed, rounds, growing)
    return (
        fit_lasso(Z, target, weight, fold, logistic=kind == "binary"),
        fit_boosted(Z, target, weight, kind, seed, rounds, growing=growing),
    )


def _fit_curved(
    Z: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    fold: np.ndarray,
    kind: OutcomeKind,
    seed: int,
    screen: Predictor | None,
) -> Curved:
    """Curves are those of the features that boosting splits on most: a curve need have no slope to be found so."""
    if len(target) > _CURVED_ROWS:
        at = np.sort(np.random.default_rng(seed).permutation(len(target))[:_CURVED_ROWS])
        Z, target, weight, fold, screen = Z[at], target[at], weight[at], fold[at], None
    if not isinstance(screen, Boosted):
        screen = fit_boosted(Z, target, weight, kind, seed)
    gain = np.asarray(screen.booster.feature_importance("gain"))
    order = np.argsort(-gain, kind="stable")[: min(_MOST_CURVED, len(target) // _ROWS_PER_CURVE)]
    order = order[gain[order] > 0]
    basis, blocks = fit_basis(Z, weight, np.sort(order), steps=False, cubed=order[:_MOST_CUBED].tolist())
    columns, logistic = np.column_stack(blocks), kind == "binary"
    return Curved(basis, fit_lasso(columns, target, weight, fold, logistic=logistic, overcomplete=True))


def _fit_continued(
    start: Curved,
    Z: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    kind: OutcomeKind,
    seed: int,
    rounds: int,
    growing: bool,
) -> Continued:
    least = _LEAST_OF_MEAN * float(np.average(target, weights=weight)) if kind == "count" else 0.0
    score = _linked(start.predict(Z), kind, least)
    trees = fit_boosted(Z, target, weight, kind, seed, rounds, score, growing=growing)
    return Continued(start, trees.booster, kind, least)


def fit_boosted(
    Z: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    kind: OutcomeKind,
    seed: int,
    rounds: int = 0,
    score: np.ndarray | None = None,
    *,
    growing: bool = False,
) -> Boosted:
    """LightGBM sized by the number of rows: shallow and short below a few thousand; of `rounds` if these are more.

    It goes on from `score`, if given, as `_grown` does, which also says what `growing` is.
    """
    params, usual = _sized(len(y), kind, seed)
    return _grown(params, Z, y, weight, max(usual, rounds), score, growing=growing)


def _sized(rows: int, kind: OutcomeKind, seed: int) -> tuple[dict[str, Any], int]:
    """Parameters and rounds of boosting."""
    params = {
        "objective": {"binary": "binary", "count": "poisson", "continuous": "regression"}[kind],
        "learning_rate": 0.08,
        "num_leaves": 6 if rows < 5000 else 15,
        "min_data_in_leaf": max(10, min(100, rows // 50)),
        "lambda_l2": 5.0,
        "feature_fraction": 0.7,
        "max_bin": 63,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": seed,
        "verbose": -1,
    }
    return params, 40 if rows < 1000 else 80


def fit_distilled(Z: np.ndarray, predicted: np.ndarray, weight: np.ndarray, fold: np.ndarray) -> Predictor:
    """One model of what several models predict: a lasso, and finer trees than noise allows (`fit_mixed`) for the rest."""
    linear = fit_lasso(Z, predicted, weight, fold)
    params = {
        "objective": "regression",
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_data_in_leaf": 20,
        "max_bin": 63,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    return Sum(linear, _grown(params, Z, predicted - linear.predict(Z), weight, 100))


def _grown(
    params: Mapping[str, Any],
    Z: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    rounds: int,
    score: np.ndarray | None = None,
    *,
    growing: bool = False,
) -> Boosted:
    """Boosting from the average, or from `score` on the scale of the objective; `growing` keeps the rows for more trees."""
    import lightgbm as lgb

    # Its penalties are absolute: a model must not depend on what the weights sum to.
    data = lgb.Dataset(
        Z,
        y,
        weight=weight / weight.mean(),
        init_score=score,
        params={"max_bin": params["max_bin"], "verbose": -1},
        free_raw_data=True,
    )
    return Boosted(lgb.train(dict(params), data, num_boost_round=rounds, keep_training_booster=growing))
