"""Linear and logistic regression with an L1 penalty chosen by clustered cross-validation.

Everything after one pass over the rows works on sums of squares per fold, so that the whole path of penalties and its
cross-validation cost a few solves of p equations, whatever the number of rows. The logistic link is fitted by
iteratively reweighted least squares, each step a lasso of its own (Friedman, Hastie & Tibshirani 2010).

With 70 treated rows and 25 features an unpenalised outcome model doubles the error of every effect made from it:
this is why no nuisance here has a fixed penalty.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

N_PENALTIES = 30
SMALLEST_PENALTY = 1e-3
_LOGIT_STEPS = 8
# An overcomplete path ends where its error has risen for so many penalties: the least ones cost most.
_AT_A_TIME = 5
# Values are held within five deviations of the training mean: a wild new value must not make a wild prediction.
_CLIP = 5.0
# Log-odds: beyond these a chance is 0 or 1 to the last digit.
_STEEPEST = 700.0


@dataclass(frozen=True)
class Linear:
    """A linear predictor on standardised, clipped columns; `logistic` puts it through the inverse logit."""

    centre: np.ndarray
    scale: np.ndarray
    coef: np.ndarray
    intercept: float
    logistic: bool

    def predict(self, Z: np.ndarray) -> np.ndarray:
        linear = standardised(Z, self.centre, self.scale) @ self.coef + self.intercept
        return 1 / (1 + np.exp(-np.clip(linear, -_STEEPEST, _STEEPEST))) if self.logistic else linear


@dataclass(frozen=True)
class _Sums:
    """Weighted sums of squares and products of one part of the rows; the last column is the intercept."""

    gram: np.ndarray
    cross: np.ndarray
    square: float

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(self.gram + other.gram, self.cross + other.cross, self.square + other.square)

    def loss(self, beta: np.ndarray) -> np.ndarray:
        """Weighted squared error of every column of coefficients (p + 1, k); (k,)."""
        return self.square - 2 * beta.T @ self.cross + np.einsum("ij,ij->j", beta, self.gram @ beta)


def fit_lasso(
    Z: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    fold: np.ndarray,
    *,
    logistic: bool = False,
    overcomplete: bool = False,
) -> Linear:
    """Fit on all rows, at the penalty with the least squared (logistic: working) error on the folds left out.

    Args:
        Z: encoded features, finite, (n, p).
        y: target, (n,); 0/1 when logistic.
        weight: not negative, (n,), some of them positive.
        fold: fold of every row, whole clusters in one fold. A single fold means no cross-validation: the smallest
            penalty is taken.
        overcomplete: for many columns that contain each other. Their path is followed only until its error has risen for
            a while, and a logistic model's penalty is chosen on the first step, whose working response owes nothing to
            the rows left out.
    """
    centre = np.average(Z, axis=0, weights=weight)
    scale = np.sqrt(np.average((Z - centre) ** 2, axis=0, weights=weight))
    scale = np.where(scale > 1e-12, scale, np.inf)
    D = np.column_stack([standardised(Z, centre, scale), np.ones(len(Z))])
    w = weight / weight.mean()
    parts = [np.flatnonzero(fold == k) for k in np.unique(fold)]
    beta = _logit(D, y, w, parts, overcomplete) if logistic else _choose(D, y, w, parts, overcomplete)[0]
    return Linear(centre, scale, beta[:-1], float(beta[-1]), logistic)


def standardised(Z: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Columns in training deviations, clipped; constant columns (infinite scale) become zero."""
    return np.clip((Z - centre) / scale, -_CLIP, _CLIP)


def _logit(D: np.ndarray, y: np.ndarray, w: np.ndarray, parts: list[np.ndarray], overcomplete: bool) -> np.ndarray:
    share = np.clip(np.average(y, weights=w), 1e-6, 1 - 1e-6)
    beta = np.zeros(D.shape[1])
    beta[-1] = np.log(share / (1 - share))
    chosen = None
    for _ in range(_LOGIT_STEPS):
        linear = np.clip(D @ beta, -8, 8)
        p = 1 / (1 + np.exp(-linear))
        curvature = p * (1 - p)
        known = chosen if overcomplete else None
        before = beta
        beta, chosen = _choose(D, linear + (y - p) / curvature, w * curvature, parts, overcomplete, known)
        if np.abs(D[:200] @ (beta - before)).max() < 0.01:
            break
    return beta


def _choose(
    D: np.ndarray, y: np.ndarray, w: np.ndarray, parts: list[np.ndarray], overcomplete: bool, known: int | None = None
) -> tuple[np.ndarray, int]:
    """Coefficients (intercept last) at the penalty chosen by cross-validation over `parts`, and its place on the path."""
    sums = [_sums(D[at], y[at], w[at]) for at in parts]
    whole = sum(sums[1:], start=sums[0])
    penalties = _penalties(whole)
    if len(parts) == 1 or penalties[0] == 0:
        return _Path(whole).on(penalties)[:, -1], len(penalties) - 1
    chosen = (
        _cross_validated(sums, penalties, _AT_A_TIME if overcomplete else len(penalties)) if known is None else known
    )
    return _Path(whole).on(penalties[: chosen + 1])[:, -1], chosen


def _cross_validated(sums: list[_Sums], penalties: np.ndarray, at_a_time: int) -> int:
    """Place of the penalty with the least error on the parts left out, before the error has risen for so many."""
    paths = [_Path(sum(kept[1:], start=kept[0])) for kept in (sums[:i] + sums[i + 1 :] for i in range(len(sums)))]
    loss = np.empty(0)
    for some in np.split(penalties, range(at_a_time, len(penalties), at_a_time)):
        loss = np.r_[loss, sum(left_out.loss(path.on(some)) for left_out, path in zip(sums, paths, strict=True))]
        if len(loss) - 1 - int(np.argmin(loss)) >= at_a_time:
            break
    return int(np.argmin(loss))


def _sums(D: np.ndarray, y: np.ndarray, w: np.ndarray) -> _Sums:
    weighted = D * w[:, None]
    return _Sums(weighted.T @ D, weighted.T @ y, float(np.sum(w * y * y)))


def _penalties(s: _Sums) -> np.ndarray:
    """From the smallest penalty that keeps no feature downwards; per unit of weight, in the target's unit."""
    mass = s.gram[-1, -1]
    strongest = np.abs(s.cross[:-1] - s.gram[:-1, -1] * s.cross[-1] / mass).max(initial=0.0) / mass
    return strongest * np.geomspace(1.0, SMALLEST_PENALTY, N_PENALTIES)


@contextmanager
def unfinished_paths() -> Iterator[None]:
    """Without warnings of a path that ends early.

    The least penalties of nearly collinear columns would take thousands of passes; the folds left out judge what 300 make
    of them, as they judge every other point of the path. Threads share their process's filters and put them back in any
    order, so that whoever starts threads enters this around them.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


class _Path:
    """Coefficients along falling penalties, each started from those of the one before."""

    def __init__(self, s: _Sums) -> None:
        p, mass = len(s.gram) - 1, s.gram[-1, -1]
        self._mean, self._target = s.gram[:-1, -1] / mass, s.cross[-1] / mass
        self._coef = np.zeros(p)
        gram = s.gram[:-1, :-1] / mass - np.outer(self._mean, self._mean)
        cross = s.cross[:-1] / mass - self._mean * self._target
        # A square system with the same sums of squares stands for the rows; the ridge keeps it regular.
        root = np.linalg.cholesky(gram + 1e-6 * np.eye(p))
        self._rows = np.sqrt(p) * root.T
        self._values = np.sqrt(p) * solve_triangular(root, cross, lower=True)

    def on(self, penalties: np.ndarray) -> np.ndarray:
        """Coefficients, intercept last, of every further penalty (p + 1, k)."""
        from sklearn.linear_model import lasso_path

        out = np.zeros((len(self._coef) + 1, len(penalties)))
        if len(self._coef) and penalties[0] > 0:
            with unfinished_paths():
                out[:-1] = lasso_path(
                    self._rows,
                    self._values,
                    alphas=penalties,
                    precompute=True,
                    tol=1e-3,
                    max_iter=300,
                    coef_init=self._coef,
                )[1]
            self._coef = out[:-1, -1].copy()
        out[-1] = self._target - self._mean @ out[:-1]
        return out
