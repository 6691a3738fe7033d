"""Adjusted "effects" on outcomes that the treatment cannot have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from causal.aipw import Estimate, aipw_scores, mean_estimate
from causal.encoding import FeatureEncoder, correlations
from causal.nuisance import cross_fit
from causal.trial import Placebo, Trial, outcome_kind

_SAME_COLUMN = 0.98
MIN_PLACEBO_ARM = 20


@dataclass(frozen=True)
class PlaceboEstimate:
    """Adjusted "effect" on a placebo outcome, and the same in its standard deviations."""

    name: str
    estimate: Estimate
    standardised: float
    standardised_se: float


def placebo_estimates(
    placebos: Mapping[str, Placebo],
    trial: Trial,
    encoder: FeatureEncoder,
    Z: np.ndarray,
    fold: np.ndarray,
    inside: np.ndarray,
    propensity: np.ndarray,
    *,
    seed: int,
    threads: int,
    alpha: float,
) -> tuple[PlaceboEstimate, ...]:
    """AIPW effect on every placebo outcome that varies; features made of it are left out of the adjustment.

    Args:
        placebos: outcomes by name.
        Z, fold, inside: encoded features, cross-fitting fold and support of every row of the trial.
        propensity: of every row by all features; estimated anew where some are left out.
    """
    found = []
    for name, placebo in placebos.items():
        rows = np.isfinite(placebo.values) & inside
        if not has_enough(trial, placebo.values, rows):
            continue
        part, y, use = trial.rows(rows), placebo.values[rows], adjusting(encoder, placebo, Z, rows)
        u, _ = cross_fit(
            only(Z, rows, use), part.t, y, part.weight, part.known_propensity, fold[rows], outcome_kind(y),
            seed=seed + 101, threads=threads, estimated=own_chances(propensity, rows, use),
        )  # fmt: skip
        e = bounded(u.propensity, part.known_propensity)
        average = mean_estimate(aipw_scores(part.t, y, u.mu0, u.mu1, e), part.cluster, part.weight, alpha)
        spread = float(np.std(y))
        found.append(PlaceboEstimate(name, average, average.value / spread, average.se / spread))
    return tuple(found)


def has_enough(trial: Trial, values: np.ndarray, rows: np.ndarray) -> bool:
    """Whether `rows` have people of both arms, and enough of them differ from the commonest value to say anything."""
    t, y = trial.t[rows], values[rows]
    if len(t) < 100 or min(t.sum(), (1 - t).sum()) < MIN_PLACEBO_ARM:
        return False
    _, counts = np.unique(y, return_counts=True)
    return bool(len(y) - counts.max() >= MIN_PLACEBO_ARM)


def adjusting(encoder: FeatureEncoder, placebo: Placebo, Z: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Encoded columns to adjust for, boolean (p,): none that is made of the placebo outcome or is a copy of it."""
    return ~np.isin(np.array(encoder.owners), placebo.exclude) & ~_copies(Z[rows], placebo.values[rows])


def only(Z: np.ndarray, rows: np.ndarray, use: np.ndarray) -> np.ndarray:
    """The rows and columns of Z; one column of zeros where no column is left."""
    return Z[np.ix_(rows, use)] if use.any() else np.zeros((int(rows.sum()), 1))


def own_chances(propensity: np.ndarray, rows: np.ndarray, use: np.ndarray) -> np.ndarray | None:
    """The study's own chances of these rows; None, to be estimated anew, where a column is left out."""
    return propensity[rows] if use.all() else None


def bounded(propensity: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Estimated chances held off 0 and 1, known ones as they are.

    Rows without comparables once the excluded features are gone would dominate the mean.
    """
    return np.where(np.isnan(known), np.clip(propensity, 0.01, 0.99), propensity)


def _copies(Z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Columns that are the placebo outcome itself under another name."""
    return correlations(Z, y) > _SAME_COLUMN
