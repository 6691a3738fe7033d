"""Outcome and propensity models, cross-fitted by cluster.

Each nuisance is a convex mix of a ridge/logistic model and LightGBM, the weight chosen by out-of-fold squared
error: boosting alone is noisy on the few hundred treated rows of a small study, a linear model alone misses
interactions on large ones. One thread per model and fixed seeds: equal results on any number of cores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from joblib import Parallel, delayed

from causal.trial import OutcomeKind

PROPENSITY_FLOOR = 1e-4
_MIX = np.linspace(0.0, 1.0, 5)


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
class Linear:
    """Ridge (identity link) or penalised logistic regression on standardised columns."""

    centre: np.ndarray
    scale: np.ndarray
    coef: np.ndarray
    intercept: float
    logistic: bool

    def predict(self, Z: np.ndarray) -> np.ndarray:
        # Clipping to five training standard deviations keeps a wild new value from a wild prediction.
        linear = np.clip((Z - self.centre) / self.scale, -5, 5) @ self.coef + self.intercept
        return 1 / (1 + np.exp(-linear)) if self.logistic else linear


@dataclass(frozen=True)
class Boosted:
    """A LightGBM booster that predicts on one thread."""

    booster: Any

    def predict(self, Z: np.ndarray) -> np.ndarray:
        return np.asarray(self.booster.predict(Z, num_threads=1))


@dataclass(frozen=True)
class Mixed:
    """share * boosted + (1 - share) * linear, held within the range that the outcome can take."""

    linear: Predictor
    boosted: Predictor
    share: float
    low: float
    high: float

    def predict(self, Z: np.ndarray) -> np.ndarray:
        parts = np.zeros(len(Z))
        if self.share < 1:
            parts += (1 - self.share) * self.linear.predict(Z)
        if self.share > 0:
            parts += self.share * self.boosted.predict(Z)
        return np.clip(parts, self.low, self.high)


@dataclass(frozen=True)
class NuisanceModels:
    """Models of one fold (or an average of several, see `predict_average`)."""

    mu0: Predictor
    mu1: Predictor
    propensity: Predictor


@dataclass(frozen=True)
class Nuisances:
    """Predictions for rows that the models have not seen; each of shape (n,).

    `propensity` is the known assignment probability where there is one, else the estimate;
    `clipped` counts rows whose estimate was moved to [PROPENSITY_FLOOR, 1 - PROPENSITY_FLOOR].
    """

    mu0: np.ndarray
    mu1: np.ndarray
    propensity: np.ndarray
    clipped: int = 0

    @property
    def outcome(self) -> np.ndarray:
        """E[y | x] over both arms."""
        return self.propensity * self.mu1 + (1 - self.propensity) * self.mu0

    def rows(self, keep: np.ndarray) -> Nuisances:
        return Nuisances(self.mu0[keep], self.mu1[keep], self.propensity[keep], self.clipped)


def cross_fit(
    Z: np.ndarray,
    t: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    known_propensity: np.ndarray,
    fold: np.ndarray,
    kind: OutcomeKind,
    *,
    seed: int,
    threads: int = 1,
) -> tuple[Nuisances, list[NuisanceModels]]:
    """Fit on all folds but one, predict the one left out.

    Args:
        Z: encoded features, finite, (n, p).
        t, y, weight, known_propensity: (n,) each, see `Trial`.
        fold: fold number per row; whole clusters in one fold.
        kind: decides range and LightGBM objective of the outcome models.
        seed: root seed.
        threads: folds fitted at the same time; does not change the result.

    Returns:
        Out-of-fold nuisances for every row, and the models of each fold.
    """
    folds = np.unique(fold)
    low, high = (0.0, 1.0) if kind == "binary" else (0.0, np.inf) if kind == "count" else (-np.inf, np.inf)
    unknown = np.isnan(known_propensity)
    targets: list[tuple[np.ndarray, np.ndarray, OutcomeKind, float, float]] = [
        (t == 0, y, kind, low, high),
        (t == 1, y, kind, low, high),
        (unknown, t.astype(float), "binary", 0.0, 1.0),
    ]
    jobs = [(k, i) for k in folds for i in range(3)]
    fitted = Parallel(n_jobs=threads, prefer="threads")(
        delayed(_fit_pair)(Z, *targets[i][:3], weight, fold != k, seed + 17 * int(k) + i) for k, i in jobs
    )
    pairs = dict(zip(jobs, fitted, strict=True))
    shares = [_best_share(Z, *targets[i][:2], weight, fold, {k: pairs[k, i] for k in folds}) for i in range(3)]
    models = [
        NuisanceModels(*(_mixed(pairs[k, i], shares[i], targets[i][3], targets[i][4]) for i in range(3))) for k in folds
    ]
    out = Nuisances(np.empty(len(t)), np.empty(len(t)), np.empty(len(t)))
    for k, model in zip(folds, models, strict=True):
        here = fold == k
        part = predict_average([model], Z[here], known_propensity[here])
        out.mu0[here], out.mu1[here], out.propensity[here] = part.mu0, part.mu1, part.propensity
        out = replace(out, clipped=out.clipped + part.clipped)
    return out, models


def predict_average(models: Sequence[NuisanceModels], Z: np.ndarray, known_propensity: np.ndarray) -> Nuisances:
    """Average several folds' models on new rows; known propensities are used as given."""
    mu0 = np.mean([m.mu0.predict(Z) for m in models], axis=0)
    mu1 = np.mean([m.mu1.predict(Z) for m in models], axis=0)
    unknown = np.isnan(known_propensity)
    e = known_propensity.astype(float).copy()
    clipped = 0
    if unknown.any():
        raw = np.mean([m.propensity.predict(Z[unknown]) for m in models], axis=0)
        e[unknown] = np.clip(raw, PROPENSITY_FLOOR, 1 - PROPENSITY_FLOOR)
        clipped = int((e[unknown] != raw).sum())
    return Nuisances(mu0, mu1, e, clipped)


def fit_single(
    Z: np.ndarray, y: np.ndarray, weight: np.ndarray, kind: OutcomeKind, *, share: float, seed: int
) -> Predictor:
    """One model on all the rows given, with a mixing share found elsewhere."""
    low, high = (0.0, 1.0) if kind == "binary" else (0.0, np.inf) if kind == "count" else (-np.inf, np.inf)
    linear, boosted = _fit_pair(Z, np.ones(len(y), dtype=bool), y, kind, weight, np.ones(len(y), dtype=bool), seed)
    return Mixed(linear, boosted, share, low, high)


def _mixed(pair: tuple[Predictor, Predictor], share: float, low: float, high: float) -> Mixed:
    return Mixed(pair[0], pair[1], share, low, high)


def _fit_pair(
    Z: np.ndarray,
    use: np.ndarray,
    target: np.ndarray,
    kind: OutcomeKind,
    weight: np.ndarray,
    training: np.ndarray,
    seed: int,
) -> tuple[Predictor, Predictor]:
    rows = use & training
    if rows.sum() < 20 or np.ptp(target[rows]) == 0 or weight[rows].sum() == 0:
        usable = rows.sum() > 0 and weight[rows].sum() > 0
        flat = Constant(float(np.average(target[rows], weights=weight[rows])) if usable else 0.5 * (kind == "binary"))
        return flat, flat
    return (
        fit_linear(Z[rows], target[rows], weight[rows], logistic=kind == "binary"),
        fit_boosted(Z[rows], target[rows], weight[rows], kind, seed),
    )


def fit_linear(Z: np.ndarray, y: np.ndarray, weight: np.ndarray, *, logistic: bool) -> Linear:
    """Ridge in closed form, or L2-logistic by Newton steps; penalty 1 on standardised columns."""
    centre = np.average(Z, axis=0, weights=weight)
    scale = np.sqrt(np.average((Z - centre) ** 2, axis=0, weights=weight))
    scale = np.where(scale > 1e-12, scale, 1.0)
    D = np.column_stack([np.clip((Z - centre) / scale, -5, 5), np.ones(len(Z))])
    w = weight / weight.mean()
    penalty = np.diag(np.r_[np.ones(Z.shape[1]), 1e-8])
    if not logistic:
        beta = np.linalg.solve(D.T @ (D * w[:, None]) + penalty, D.T @ (w * y))
        return Linear(centre, scale, beta[:-1], float(beta[-1]), False)
    beta = np.zeros(D.shape[1])
    beta[-1] = np.log((np.average(y, weights=w) + 1e-6) / (1 - np.average(y, weights=w) + 1e-6))
    for _ in range(25):
        p = 1 / (1 + np.exp(-np.clip(D @ beta, -30, 30)))
        gradient = D.T @ (w * (y - p)) - penalty @ beta
        curvature = w * np.maximum(p * (1 - p), 1e-6)
        step = np.linalg.solve(D.T @ (D * curvature[:, None]) + penalty, gradient)
        beta += step * min(1.0, 5.0 / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    return Linear(centre, scale, beta[:-1], float(beta[-1]), True)


def fit_boosted(Z: np.ndarray, y: np.ndarray, weight: np.ndarray, kind: OutcomeKind, seed: int) -> Boosted:
    """LightGBM sized by the number of rows: shallow and short below a few thousand."""
    import lightgbm as lgb

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
    rounds = 40 if len(y) < 1000 else 80
    data = lgb.Dataset(Z, y, weight=weight, params={"max_bin": 63, "verbose": -1}, free_raw_data=True)
    return Boosted(lgb.train(params, data, num_boost_round=rounds))


def _best_share(
    Z: np.ndarray,
    use: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    fold: np.ndarray,
    pairs: dict[int, tuple[Predictor, Predictor]],
) -> float:
    """Share of boosting with the least out-of-fold squared error (a single number, so no overfitting to speak of)."""
    loss = np.zeros(len(_MIX))
    for k, (linear, boosted) in pairs.items():
        here = (fold == k) & use
        if not here.any():
            continue
        a, b = linear.predict(Z[here]), boosted.predict(Z[here])
        for j, share in enumerate(_MIX):
            loss[j] += np.sum(weight[here] * (target[here] - share * b - (1 - share) * a) ** 2)
    return float(_MIX[int(np.argmin(loss))])
