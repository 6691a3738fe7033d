"""Outcome and propensity models, cross-fitted by cluster.

Each nuisance is a mix of a penalised linear model and LightGBM (see `causal.regression`), the penalty chosen on the training
folds, the mixing share on the folds left out. Where chances of being treated are estimated these also choose whether the
mix has curves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, delayed

from causal.lasso import Linear, standardised, unfinished_paths
from causal.mixing import LeftOut, lengthened
from causal.regression import Curved, Mixed, Pair, fit_pair, n_trees, outcome_range
from causal.trial import OutcomeKind

PROPENSITY_FLOOR = 1e-4


@dataclass(frozen=True)
class NuisanceModels:
    """Models of one fold (or an average of several, see `predict_average`)."""

    mu0: Mixed
    mu1: Mixed
    propensity: Mixed


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
    estimated: np.ndarray | None = None,
) -> tuple[Nuisances, list[NuisanceModels]]:
    """Fit on all folds but one, predict the one left out.

    Args:
        Z: encoded features, finite, (n, p).
        t, y, weight, known_propensity: (n,) each, see `Trial`.
        fold: fold number per row; whole clusters in one fold.
        kind: decides range and LightGBM objective of the outcome models.
        seed: root seed.
        threads: folds fitted at the same time; does not change the result.
        estimated: chances of being treated, (n,), found before with the same features; they are not estimated again, and the
            models returned know none.

    Returns:
        Out-of-fold nuisances for every row, and the models of each fold.
    """
    folds = np.unique(fold)
    # Weights that sum to something else differ in their last digits, and trees would split otherwise for it.
    weight = (weight / weight.mean()).astype(np.float32).astype(float)
    unknown = np.isnan(known_propensity)
    # With known chances the effect is right whatever the models are; without, what they leave of a curve is bias.
    curved = bool(unknown.any())
    targets: list[_Target] = [
        _Target(t == 0, y, kind, curved),
        _Target(t == 1, y, kind, curved),
        _Target(unknown & (estimated is None), t.astype(float), "binary", curved),
    ]
    jobs = [(int(k), i) for k in folds for i in range(3)]
    with unfinished_paths():
        fitted = Parallel(n_jobs=threads, prefer="threads")(
            delayed(targets[i].fit)(Z, weight, fold, k, seed + 17 * k + i) for k, i in jobs
        )
        pairs = dict(zip(jobs, fitted, strict=True))
        mixes = [
            target.mixes(Z, weight, fold, {k: pairs[k, i] for k, j in jobs if j == i}, threads)
            for i, target in enumerate(targets)
        ]
    models = [NuisanceModels(*(mix[int(k)] for mix in mixes)) for k in folds]
    out = Nuisances(np.empty(len(t)), np.empty(len(t)), np.empty(len(t)))
    for k, model in zip(folds, models, strict=True):
        here = fold == k
        part = predict_average([model], Z[here], known_propensity[here])
        out.mu0[here], out.mu1[here], out.propensity[here] = part.mu0, part.mu1, part.propensity
        out = replace(out, clipped=out.clipped + part.clipped)
    if estimated is not None:
        out.propensity[unknown] = estimated[unknown]
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
    Z: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    fold: np.ndarray,
    kind: OutcomeKind,
    like: Mixed | None,
    seed: int,
) -> Mixed:
    """One model on all the rows given, of the same parts and with the same share as a fold's; `fold` chooses the penalty.

    Without a fold's to go by it is half linear, half boosted.
    """
    if like is None:
        return _mixed(fit_pair(Z, y, weight, fold, kind, seed), 0.5, kind)
    curved = isinstance(like.linear, Curved)
    pair = fit_pair(Z, y, weight, fold, kind, seed, curved=curved, rounds=n_trees(like.boosted))
    return _mixed(pair, like.share, kind)


def _mixed(pair: Pair, share: float, kind: OutcomeKind) -> Mixed:
    linear, boosted = pair
    return Mixed(linear, boosted, share, *outcome_range(kind))


@dataclass(frozen=True)
class _Target:
    """One nuisance: which rows it is learnt from, and what is predicted."""

    rows: np.ndarray
    values: np.ndarray
    kind: OutcomeKind
    curved: bool

    def fit(self, Z: np.ndarray, weight: np.ndarray, fold: np.ndarray, left_out: int, seed: int) -> tuple[Pair, ...]:
        """The straight pair, and the one with curves if there is to be one."""
        at = np.flatnonzero(self.rows & (fold != left_out))
        rows = Z[at], self.values[at], weight[at], fold[at]
        straight = fit_pair(*rows, self.kind, seed, growing=self.curved)
        if not self.curved:
            return (straight,)
        return straight, fit_pair(*rows, self.kind, seed, curved=True, screen=straight[1], growing=True)

    def mixes(
        self,
        Z: np.ndarray,
        weight: np.ndarray,
        fold: np.ndarray,
        fitted: Mapping[int, tuple[Pair, ...]],
        threads: int,
    ) -> dict[int, Mixed]:
        """Per fold the mix that errs least on the folds left out: the same kind of pair, length and share in all."""
        at = np.flatnonzero(self.rows)
        rows = Z[at], self.values[at], weight[at], fold[at]
        candidates = [{k: pairs[i] for k, pairs in fitted.items()} for i in range(1 + self.curved)]
        errors = [LeftOut.of(*rows, pairs) for pairs in candidates]
        best = min(range(len(candidates)), key=lambda i: errors[i].least)
        pairs, seen = candidates[best], errors[best]
        if self.curved:
            pairs, seen = lengthened(pairs, seen, threads)
        return {k: _mixed(pair, seen.share, self.kind) for k, pair in pairs.items()}


def fit_linear(Z: np.ndarray, y: np.ndarray, weight: np.ndarray, *, logistic: bool) -> Linear:
    """Ridge in closed form, or L2-logistic by Newton steps, penalty 1 on standardised columns.

    A quick fit for estimates that are repeated dozens of times (`causal.gates.refutation`), not for effects.
    """
    centre = np.average(Z, axis=0, weights=weight)
    scale = np.sqrt(np.average((Z - centre) ** 2, axis=0, weights=weight))
    scale = np.where(scale > 1e-12, scale, 1.0)
    D = np.column_stack([standardised(Z, centre, scale), np.ones(len(Z))])
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
