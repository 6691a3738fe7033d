"""How much better than chance a ranking finds those who benefit.

With AIPW benefit scores g (higher = more benefit), rank share u in (0, 1] from the top and m(u) = E[g | u]:
    TOC(q)  = E[g | u <= q] - E[g]                      (Yadlowsky et al. 2021)
    AUTOC   = integral of TOC(q) dq                     = E[w(u) g],  w(u) = -ln(u) - 1
    Qini    = integral of q TOC(q) dq                   = E[w(u) g],  w(u) = 1/2 - u
    top     = E[g | u <= b]                             = E[w(u) g],  w(u) = 1{u <= b} / b
    gain    = b TOC(b): benefit per person of the population over treating a random share b
Every metric is the integral of m against its weight, so ties need no convention: tied people share the mean weight
of the ranks that they fill, and a constant score gives exactly the average-effect line (AUTOC = Qini = gain = 0).
Errors are influence functions summed by cluster: no bootstrap, no seed, memory of a few arrays of n.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from causal.aipw import Estimate, clustered_se, estimate
from contracts.errors import DesignError

METRICS = ("autoc", "qini", "top_fraction_effect", "gain")
_BINS = 100


@dataclass(frozen=True)
class RankMetric:
    """One metric of one ranking.

    Attributes:
        name: one of METRICS.
        estimate: value, clustered error and two-sided interval, in outcome units of benefit.
        influence: centred influence values, (n,), for paired comparisons on the same rows.
    """

    name: str
    estimate: Estimate
    influence: np.ndarray

    @property
    def p_one_sided(self) -> float:
        """P-value against "not above zero"; a reversed ranking gets a value near 1."""
        return float(norm.sf(self.estimate.z))


@dataclass(frozen=True)
class Ranking:
    """Rows ordered from highest score to lowest, in blocks of equal score.

    Attributes:
        block: block number of each row (0 = top), (n,).
        upper: rank share at the end of each block; the last is 1.
        mean: weighted mean of g in each block.
        share: weight share of each block.
    """

    gamma: np.ndarray
    cluster: np.ndarray
    weight: np.ndarray
    block: np.ndarray
    upper: np.ndarray
    mean: np.ndarray
    share: np.ndarray


def rank_rows(
    score: np.ndarray, gamma: np.ndarray, cluster: np.ndarray | None = None, weight: np.ndarray | None = None
) -> Ranking:
    """Order rows by score, highest first. Scores and g must be finite: a NaN is an error, not a last rank."""
    score, gamma = np.asarray(score, dtype=float), np.asarray(gamma, dtype=float)
    if score.shape != gamma.shape or score.ndim != 1 or len(score) == 0:
        raise DesignError("Scores and benefits to rank must be two equally long, non-empty vectors.")
    if not (np.isfinite(score).all() and np.isfinite(gamma).all()):
        raise DesignError("A ranking has missing or infinite scores.", todo="leave out-of-support rows out first.")
    w = np.ones(len(score)) if weight is None else np.asarray(weight, dtype=float)
    c = np.arange(len(score)) if cluster is None else cluster
    _, block = np.unique(-score, return_inverse=True)
    mass = np.bincount(block, weights=w)
    keep = mass > 0
    total = mass.sum()
    mean = np.divide(np.bincount(block, weights=w * gamma), mass, out=np.zeros(len(mass)), where=keep)
    upper = np.cumsum(mass) / total
    upper[-1] = 1.0
    return Ranking(gamma, c, w, block, upper, mean, mass / total)


def top_share(score: np.ndarray, weight: np.ndarray, fraction: float) -> np.ndarray:
    """Share of each row within the top `fraction` of the weight; a tie at the cut shares what is left of it."""
    budget = fraction * weight.sum()
    levels, code = np.unique(-score, return_inverse=True)
    mass = np.bincount(code, weights=weight, minlength=len(levels))
    before = np.cumsum(mass) - mass
    share = np.clip((budget - before) / np.where(mass > 0, mass, 1.0), 0.0, 1.0)
    return share[code]


def autoc(ranking: Ranking, alpha: float = 0.05) -> RankMetric:
    """Area under the targeting operator characteristic."""
    return _integrate("autoc", ranking, _xlogx, lambda u: -np.log(np.maximum(u, 1e-300)) - 1, alpha)


def qini(ranking: Ranking, alpha: float = 0.05) -> RankMetric:
    """Area between the Qini curve (benefit per person of the population) and the random line."""
    return _integrate("qini", ranking, lambda u: (u - u**2) / 2, lambda u: 0.5 - u, alpha)


def top_fraction_effect(ranking: Ranking, fraction: float, alpha: float = 0.05) -> RankMetric:
    """Mean benefit of treating the top `fraction`, per person treated."""
    return _integrate(
        "top_fraction_effect",
        ranking,
        lambda u: np.minimum(u, fraction) / fraction,
        lambda u: (u < fraction) / fraction,
        alpha,
    )


def benefit_curve(ranking: Ranking, shares: Sequence[float], alpha: float = 0.05) -> tuple[Estimate, ...]:
    """Benefit per person of the population of treating the top share q, q E[g | u <= q], at each of `shares`.

    The uplift curve that the Qini area is measured under; at q = 1 it is the average effect, whatever the ranking.
    """
    return tuple(
        _integrate(
            "curve",
            ranking,
            lambda u, q=share: np.minimum(u, q),  # type: ignore[misc]
            lambda u, q=share: (u < q).astype(float),  # type: ignore[misc]
            alpha,
        ).estimate
        for share in shares
    )


def gain(ranking: Ranking, fraction: float, alpha: float = 0.05) -> RankMetric:
    """Benefit per person of the population of treating the top `fraction` rather than a random one."""
    return _integrate(
        "gain",
        ranking,
        lambda u: np.minimum(u, fraction) - fraction * u,
        lambda u: (u < fraction).astype(float) - fraction,
        alpha,
    )


def all_metrics(ranking: Ranking, fraction: float, alpha: float = 0.05) -> dict[str, RankMetric]:
    """Every metric of METRICS for one ranking."""
    found = (autoc(ranking, alpha), qini(ranking, alpha), *_at_budget(ranking, fraction, alpha))
    return {m.name: m for m in found}


def paired_difference(a: RankMetric, b: RankMetric, ranking: Ranking, alpha: float = 0.05) -> Estimate:
    """a - b on the same rows, with the error of the difference (their correlation counted)."""
    se = clustered_se(a.influence - b.influence, ranking.cluster, ranking.weight)
    return estimate(a.estimate.value - b.estimate.value, se, len(ranking.gamma), alpha)


def toc_curve(ranking: Ranking, points: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """(q, TOC(q)) at `points` equally spaced shares, for a picture."""
    q = np.arange(1, points + 1) / points
    cumulative = np.concatenate([[0.0], np.cumsum(ranking.mean * ranking.share)])
    at = np.interp(q, np.concatenate([[0.0], ranking.upper]), cumulative)
    return q, at / q - cumulative[-1]


def _at_budget(ranking: Ranking, fraction: float, alpha: float) -> tuple[RankMetric, RankMetric]:
    return top_fraction_effect(ranking, fraction, alpha), gain(ranking, fraction, alpha)


def _xlogx(u: np.ndarray) -> np.ndarray:
    return np.where(u > 0, -u * np.log(np.maximum(u, 1e-300)), 0.0)


def _integrate(
    name: str,
    r: Ranking,
    antiderivative: Callable[[np.ndarray], np.ndarray],
    weight_at: Callable[[np.ndarray], np.ndarray],
    alpha: float,
) -> RankMetric:
    """Value = sum over blocks of mean * (W(upper) - W(lower)); influence by differentiating in each block's mass.

    For a row in block B with m smoothed over bins K of whole blocks:
        influence = dW_B / share_B * (g - m_K) + m_K w(u_K) + sum over later bins of m (w(end) - w(start)) - mean.
    """
    lower = np.concatenate([[0.0], r.upper[:-1]])
    step = antiderivative(r.upper) - antiderivative(lower)
    value = float(np.sum(r.mean * step))
    per_mass = np.divide(step, r.share, out=np.zeros(len(step)), where=r.share > 0)
    bin_of_block = ((lower + r.upper) / 2 * _n_bins(len(r.gamma))).astype(int)
    # Blocks are in order, so bins are numbered by counting changes.
    k = np.concatenate([[0], np.cumsum(np.diff(bin_of_block) > 0)])
    bin_mass = np.bincount(k, weights=r.share)
    bin_mean = np.bincount(k, weights=r.share * r.mean) / np.maximum(bin_mass, 1e-300)
    ends = np.cumsum(bin_mass)
    ends[-1] = 1.0
    w_end = weight_at(ends)
    steps = bin_mean[1:] * np.diff(w_end)
    later = np.concatenate([np.cumsum(steps[::-1])[::-1], [0.0]])
    shift = (bin_mean * w_end + later)[k]
    influence = per_mass[r.block] * (r.gamma - bin_mean[k][r.block]) + shift[r.block]
    influence -= np.average(influence, weights=r.weight)
    return RankMetric(
        name, estimate(value, clustered_se(influence, r.cluster, r.weight), len(r.gamma), alpha), influence
    )


def _n_bins(n: int) -> int:
    """Bins for smoothing m, about n^(1/3): the noise of a bin's mean widens the interval (bins of 30 rows by 2 %), a wide bin
    blurs m.
    """
    return int(np.clip(n ** (1 / 3), 1, _BINS))
