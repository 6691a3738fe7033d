"""Regression models that nuisances and learners are made of: a penalised linear one, LightGBM, and a mix of both.

Boosting alone is noisy on the few hundred treated rows of a small study, a linear model alone misses interactions on
large ones; the share of each is chosen by squared error on rows that neither has seen. One thread per model and fixed
seeds: equal results on any number of cores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from causal.lasso import fit_lasso
from causal.trial import OutcomeKind

_MIX = np.linspace(0.0, 1.0, 5)
MIN_ROWS = 20


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
        if self.share < 1:
            parts += (1 - self.share) * self.linear.predict(Z)
        if self.share > 0:
            parts += self.share * self.boosted.predict(Z)
        return np.clip(parts, self.low, self.high)


@dataclass(frozen=True)
class Sum:
    """The sum of two predictions."""

    first: Predictor
    second: Predictor

    def predict(self, Z: np.ndarray) -> np.ndarray:
        return self.first.predict(Z) + self.second.predict(Z)


Pair = tuple[Predictor, Predictor]


def outcome_range(kind: OutcomeKind) -> tuple[float, float]:
    """What a prediction of such an outcome may be."""
    return (0.0, 1.0) if kind == "binary" else (0.0, np.inf) if kind == "count" else (-np.inf, np.inf)


def fit_pair(
    Z: np.ndarray, target: np.ndarray, weight: np.ndarray, fold: np.ndarray, kind: OutcomeKind, seed: int
) -> Pair:
    """Linear and boosted model of the same rows; `fold` cross-validates the linear one's penalty."""
    if len(target) < MIN_ROWS or np.ptp(target) == 0 or weight.sum() == 0:
        usable = weight.sum() > 0
        flat = Constant(float(np.average(target, weights=weight)) if usable else 0.5 * (kind == "binary"))
        return flat, flat
    return (
        fit_lasso(Z, target, weight, fold, logistic=kind == "binary"),
        fit_boosted(Z, target, weight, kind, seed),
    )


def best_share(
    Z: np.ndarray, target: np.ndarray, weight: np.ndarray, fold: np.ndarray, pairs: Mapping[int, Pair]
) -> float:
    """Share of boosting with the least squared error on the fold that each pair has not seen.

    One number from all folds, so no overfitting to speak of.
    """
    loss = np.zeros(len(_MIX))
    for k, (linear, boosted) in pairs.items():
        here = fold == k
        if not here.any():
            continue
        a, b = linear.predict(Z[here]), boosted.predict(Z[here])
        for j, share in enumerate(_MIX):
            loss[j] += np.sum(weight[here] * (target[here] - share * b - (1 - share) * a) ** 2)
    return float(_MIX[int(np.argmin(loss))])


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
    share = best_share(Z, target, weight, fold, pairs)
    return Mixed(*fit_pair(Z, target, weight, fold, kind, seed), share, *outcome_range(kind))


def fit_boosted(Z: np.ndarray, y: np.ndarray, weight: np.ndarray, kind: OutcomeKind, seed: int) -> Boosted:
    """LightGBM sized by the number of rows: shallow and short below a few thousand."""
    objective = {"binary": "binary", "count": "poisson", "continuous": "regression"}[kind]
    params = {
        "objective": objective,
        "learning_rate": 0.08,
        "num_leaves": 6 if len(y) < 5000 else 15,
        "min_data_in_leaf": max(10, min(100, len(y) // 50)),
        "lambda_l2": 5.0,
        "feature_fraction": 0.7,
        "max_bin": 63,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": seed,
        "verbose": -1,
    }
    return _grown(params, Z, y, weight, 40 if len(y) < 1000 else 80)


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


def _grown(params: Mapping[str, Any], Z: np.ndarray, y: np.ndarray, weight: np.ndarray, rounds: int) -> Boosted:
    import lightgbm as lgb

    # Its penalties are absolute: a model must not depend on what the weights sum to.
    data = lgb.Dataset(
        Z, y, weight=weight / weight.mean(), params={"max_bin": params["max_bin"], "verbose": -1}, free_raw_data=True
    )
    return Boosted(lgb.train(dict(params), data, num_boost_round=rounds))
