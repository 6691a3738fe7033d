"""Bayesian linear regression that expects most coefficients to be next to nothing and a few to be large: the horseshoe.

    y_i = b_0 + x_i' beta + noise_i / sqrt(w_i),   noise_i ~ N(0, sigma2)
    beta_j ~ N(0, sigma2 tau_b lambda_j),   sqrt(lambda_j) ~ C+(0, 1),   sqrt(tau_b) ~ C+(0, tau_0)   for j in block b
(Carvalho, Polson & Scott 2010), columns standardised. Blocks are kinds of difference (lines, steps, bends, products), each
with a scale of its own. One normal variance per block would say "all a little": where few features make an effect differ,
it errs more and its intervals are wider.

The prior scale is that of Piironen & Vehtari (2017), tau_0 = EXPECTED_ODDS / sqrt(n): that many coefficients are expected to
matter for each one that does not. Drawn by the Gibbs steps of Makalic & Schmidt (2016) from sums of squares and products, so
that a draw's time does not grow with the rows. Intervals of the posterior cover right on average over x and over functions
like the prior's, not at every single x.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from scipy.linalg import cho_factor, solve_triangular
from threadpoolctl import threadpool_limits

EXPECTED_ODDS = 0.2
DRAWS, BURN_IN = 250, 100
# Prior variance of the intercept and bounds of those of the coefficients, in units of sigma2: no matrix is singular.
_FLAT, _BOUNDS = 1e6, (1e-20, 1e6)


@dataclass(frozen=True)
class Posterior:
    """Of (intercept, coefficients).

    Attributes:
        mean: (1 + d,).
        root: covariance = root root', (1 + d, r). Of few draws it has fewer columns than coefficients, which is what a
            variance costs.
    """

    mean: np.ndarray
    root: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """(1 + d, 1 + d)."""
        return self.root @ self.root.T

    def level(self, X: np.ndarray) -> np.ndarray:
        """Posterior mean of the function (without noise) for rows of coefficients' columns (n, d); (n,)."""
        return self.mean[0] + X @ self.mean[1:]

    def predict(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean and variance of the function; (n,) each."""
        spread = X @ self.root[1:] + self.root[0]
        return self.level(X), np.einsum("ij,ij->i", spread, spread)

    def of_unscaled(self, centre: np.ndarray, spread: np.ndarray) -> Posterior:
        """The same function of columns that were not standardised; centre and spread of each, (d,)."""

        def unscaled(coefficients: np.ndarray) -> np.ndarray:
            slopes = (coefficients[1:].T / spread).T
            return np.concatenate([coefficients[:1] - centre @ slopes, slopes])

        return Posterior(unscaled(self.mean), unscaled(self.root))


def fit_posterior(
    blocks: Sequence[np.ndarray], y: np.ndarray, weight: np.ndarray, inflation: float, seed: int
) -> Posterior:
    """Draw the posterior and keep its mean and the root of its covariance.

    Args:
        blocks: columns of each block, (n, d_b), d_b >= 0; with mean 0 and spread 1, or all 0 and then left out.
        y: target, (n,).
        weight: precision of each row up to a factor, (n,), not negative.
        inflation: at least 1; rows that hang together count as n / inflation independent ones.
        seed: of the draws.
    """
    w = weight / weight.mean() / inflation
    root = np.sqrt(w)
    X = np.column_stack([np.ones(len(y)), *blocks])
    X *= root[:, None]
    gram, cross = X.T @ X, X.T @ (root * y)
    centre = float(np.average(y, weights=w))
    spread = float(np.average((y - centre) ** 2, weights=w))
    mean = np.zeros(len(gram))
    mean[0] = centre
    if spread <= 0:
        return Posterior(mean, np.zeros((len(gram), 0)))
    told = np.flatnonzero(np.diag(gram) > 0)
    block = np.repeat(np.arange(len(blocks)), [part.shape[1] for part in blocks])[told[1:] - 1]
    within = np.unique(block, return_inverse=True)[1]
    square = float(np.sum(w * y * y))
    chain = _chain(gram[np.ix_(told, told)], cross[told], square, within, spread, np.random.default_rng(seed))
    # Matrices are too small to share: beside other work, threads make this many times slower.
    with threadpool_limits(limits=1, user_api="blas"):
        means, drawn = (np.array(kept) for kept in zip(*islice(chain, BURN_IN, BURN_IN + DRAWS), strict=True))
        deviations = np.asarray(np.linalg.qr(drawn - drawn.mean(axis=0), mode="r"))
    mean[told] = means.mean(axis=0)
    root = np.zeros((len(gram), len(deviations)))
    root[told] = deviations.T / np.sqrt(DRAWS - 1)
    return Posterior(mean, root)


def _chain(
    gram: np.ndarray, cross: np.ndarray, square: float, block: np.ndarray, spread: float, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Conditional mean and draw of (intercept, coefficients), without end.

    Every random number is drawn before it is scaled by the state: the chain is a smooth function of the data, and
    rounding does not grow into other results.

    Args:
        gram, cross, square: weighted sums of squares and products of (1, columns) and the target.
        block: the block of every column, numbered from 0, all in use.
        spread: variance of the target, where the noise starts.
    """
    size, n = len(block), gram[0, 0]
    columns = np.bincount(block)
    sigma2, least = spread, EXPECTED_ODDS**2 / n
    local, local_mix = np.ones(size), np.ones(size)
    overall, overall_mix = np.full(len(columns), least), np.full(len(columns), 1 / least)
    diagonal = np.diag_indices(size + 1)
    gram = np.asfortranarray(gram)  # as LAPACK factors it in place: half of a draw's time
    while True:
        prior = np.clip(local * overall[block], *_BOUNDS)
        precision = gram.copy(order="F")
        precision[diagonal] += 1 / np.r_[_FLAT, prior]
        root, _ = cho_factor(precision, lower=True, overwrite_a=True, check_finite=False)
        half = solve_triangular(root, cross, lower=True, check_finite=False)
        noise = np.sqrt(sigma2) * rng.standard_normal(size + 1)
        both = solve_triangular(root, np.column_stack([half, half + noise]), lower=True, trans=1, check_finite=False)
        mean, drawn = both.T
        residual = square - 2 * drawn @ cross + drawn @ gram @ drawn
        sigma2 = (residual + np.sum(drawn[1:] ** 2 / prior)) / 2 / rng.gamma((n + size) / 2)
        squared = drawn[1:] ** 2 / (2 * sigma2)
        local = (1 / local_mix + squared / overall[block]) / rng.standard_exponential(size)
        local_mix = (1 + 1 / local) / rng.standard_exponential(size)
        within = np.bincount(block, squared / local, minlength=len(columns))
        overall = (1 / overall_mix + within) / rng.gamma((columns + 1) / 2)
        overall_mix = (1 / least + 1 / overall) / rng.standard_exponential(len(columns))
        yield mean, drawn
