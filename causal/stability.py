"""Has a distribution moved: the population stability index, here for frames in memory."""

from __future__ import annotations

import numpy as np

# Usual reading: below .1 stable, .1 to .25 watch, above .25 moved.
WATCH, MOVED = 0.1, 0.25
FLOOR = 1e-4


def bin_edges(reference: np.ndarray, n_bins: int = 10) -> np.ndarray:
    """Inner quantile edges of the finite reference values; fewer when values repeat."""
    finite = reference[np.isfinite(reference)]
    if len(finite) == 0:
        return np.empty(0)
    return np.unique(np.quantile(finite, np.linspace(0, 1, n_bins + 1)[1:-1]))


def shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Share of values per bin, the last bin being "missing"; sums to 1 (all zero without values)."""
    finite = np.isfinite(values)
    place = np.where(finite, np.searchsorted(edges, np.where(finite, values, 0.0), side="left"), len(edges) + 1)
    return np.bincount(place, minlength=len(edges) + 2) / max(len(values), 1)


def psi(expected: np.ndarray, actual: np.ndarray) -> float:
    """sum (actual - expected) ln(actual / expected) over bins; shares below 0.0001 are held there."""
    p, q = np.maximum(expected, FLOOR), np.maximum(actual, FLOOR)
    return float(np.sum((q - p) * np.log(q / p)))


def population_stability(reference: np.ndarray, current: np.ndarray, n_bins: int = 10) -> float:
    """PSI of two samples on the reference's quantile bins; missing values are a bin of their own."""
    edges = bin_edges(reference, n_bins)
    return psi(shares(reference, edges), shares(current, edges))


def top_overlap(one: np.ndarray, other: np.ndarray, fraction: float) -> float:
    """Share of the top `fraction` by one score that is in the top by the other; missing scores come last.

    By chance alone it is `fraction`, and so it is where a score is the same for everyone. Ties of one score are in the
    order of the other: who is ranked as equal may be called as well, and no list contradicts another by it. (A lasso
    that kept one yes/no feature ties half of the people; broken by row, it shared 38 % with its own refinement.)
    """
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return fraction
    count = max(round(fraction * len(one)), 1)
    a, b = (-np.nan_to_num(v, nan=-np.inf) for v in (one, other))
    first, second = np.lexsort((b, a))[:count], np.lexsort((a, b))[:count]
    return len(np.intersect1d(first, second)) / count
