"""How wrong are estimates that should be zero, and what is left of an effect once that is allowed for?

Schuemie, Ryan, DuMouchel, Suchard & Madigan (2014, Statistics in Medicine 33:209-218): the estimates of outcomes that
the treatment cannot have changed are draws of N(mu, sigma^2) plus sampling error; mu and sigma, fitted by maximum
likelihood, describe the study's systematic error, and an effect is judged against that instead of against zero.

Two things differ from the paper, both because our controls are measured on the same people as the outcome. Sampling
errors are then correlated, so their whole covariance enters the likelihood (a diagonal one gives the paper's fit: a
test holds it against brute force). And mu, learnt from a few dozen controls, is itself uncertain: its error widens the
calibrated interval, which is the prediction interval of a random-effects meta-analysis (Higgins, Thompson &
Spiegelhalter 2009) and covers 95 % where the paper's plug-in covers less (`tests/causal/test_negative_controls.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import chi2, norm
from scipy.stats import t as student

from causal.aipw import Estimate


@dataclass(frozen=True)
class EmpiricalNull:
    """Systematic error of a study, in the unit of the estimates it was fitted to.

    Attributes:
        mean, sd: mu and sigma.
        mean_se: standard error of mu, the spread sigma included.
        weights: of each control in mu, (k,); they sum to 1.
        p_value: of no systematic error at all (mu = sigma = 0), by likelihood ratio.
        k: controls.
    """

    mean: float
    sd: float
    mean_se: float
    weights: np.ndarray
    p_value: float
    k: int

    @property
    def size(self) -> float:
        """Root mean square of the systematic error."""
        return float(np.hypot(self.mean, self.sd))


@dataclass(frozen=True)
class Calibrated:
    """An effect after the systematic error is allowed for; `estimate` has the calibrated value, error and interval."""

    estimate: Estimate
    p_value: float


def fit_null(estimates: np.ndarray, covariance: np.ndarray) -> EmpiricalNull:
    """Maximum-likelihood N(mu, sigma^2) of the errors behind `estimates`.

    Args:
        estimates: (k,), k >= 2.
        covariance: of their sampling errors, (k, k); a vector (k,) is taken as their variances.
    """
    sampling = np.diag(covariance) if covariance.ndim == 1 else covariance
    spectrum, rotation = np.linalg.eigh(sampling)
    spectrum = np.maximum(spectrum, 1e-12 * max(float(spectrum[-1]), 1e-300))
    y, one = rotation.T @ estimates, rotation.T @ np.ones(len(estimates))

    def mean(extra: float) -> float:
        return float(np.sum(one * y / (spectrum + extra)) / np.sum(one**2 / (spectrum + extra)))

    def loss(extra: float, centre: float) -> float:
        """Minus twice the log likelihood, without its constant."""
        return float(np.sum(np.log(spectrum + extra) + (y - centre * one) ** 2 / (spectrum + extra)))

    # The likelihood in sigma may have a maximum at 0 and another above it: a grid finds the right one.
    top = float(np.var(estimates) + spectrum[-1])
    grid = np.r_[0.0, np.geomspace(1e-6 * top, 4 * top, 60)]
    at = int(np.argmin([loss(s, mean(s)) for s in grid]))
    low, high = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    found = minimize_scalar(lambda s: loss(s, mean(s)), bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    extra = float(found.x) if found.fun < loss(0.0, mean(0.0)) else 0.0
    ratio = max(loss(0.0, 0.0) - loss(extra, mean(extra)), 0.0)
    precision = float(np.sum(one**2 / (spectrum + extra)))
    return EmpiricalNull(
        mean=mean(extra),
        sd=float(np.sqrt(extra)),
        mean_se=float(precision**-0.5),
        weights=rotation @ (one / (spectrum + extra)) / precision,
        p_value=_boundary_p(ratio),
        k=len(estimates),
    )


def calibrate(
    found: Estimate, null: EmpiricalNull, shared: np.ndarray | None = None, alpha: float = 0.05
) -> Calibrated:
    """The effect less the mean systematic error, its error widened by what of that is not known.

    Args:
        found: effect in the controls' unit.
        null: from `fit_null`.
        shared: covariance of the effect's sampling error with each control's, (k,); None = none.
    """
    together = 0.0 if shared is None else 2 * float(null.weights @ shared)
    variance = found.se**2 + null.sd**2 + null.mean_se**2 - together
    se = float(np.sqrt(max(variance, 0.0)))
    value = found.value - null.mean
    # Student's t with k - 2 degrees: sigma is estimated. Without any spread to estimate it is the normal.
    spread = null.sd > 0 and null.k > 2
    critical = float(student.ppf(1 - alpha / 2, null.k - 2) if spread else norm.ppf(1 - alpha / 2))
    z = abs(value) / se if se > 0 else np.inf
    p = 2 * float(student.sf(z, null.k - 2) if spread else norm.sf(z))
    return Calibrated(Estimate(value, se, value - critical * se, value + critical * se, found.n), p)


def _boundary_p(ratio: float) -> float:
    """Half chi-squared with 1 and half with 2 degrees of freedom: sigma lies on the edge of its range (Self & Liang 1987)."""
    return float(0.5 * chi2.sf(ratio, 1) + 0.5 * chi2.sf(ratio, 2))
