"""An effect on something that happened before the treatment is a hidden difference between the groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from causal.aipw import Estimate, aipw_scores, mean_estimate
from causal.gates.context import GateContext
from causal.gates.result import GateResult
from causal.nuisance import cross_fit
from causal.trial import Placebo, outcome_kind

MAX_SHARE_OF_CLAIM = 0.25
# An effect below 2 % of a standard deviation is not a hidden difference worth stopping a program for.
SMALLEST_MATERIAL = 0.02
_SAME_COLUMN = 0.98


@dataclass(frozen=True)
class PlaceboEstimate:
    """Adjusted "effect" on a placebo outcome, and the same in its standard deviations."""

    name: str
    estimate: Estimate
    standardised: float
    standardised_se: float


def placebo_estimates(ctx: GateContext) -> list[PlaceboEstimate]:
    """AIPW effect on every placebo outcome that varies; its own features are left out of the adjustment."""
    found = [_estimate_one(ctx, name, p) for name, p in ctx.trial.placebos.items()]
    return [f for f in found if f is not None]


def placebo_outcome(ctx: GateContext) -> GateResult:
    """Fails when an interval (Bonferroni over placebos) excludes 0 by a material part of the claimed effect."""
    return judge_placebos(ctx, placebo_estimates(ctx))


def judge_placebos(ctx: GateContext, found: list[PlaceboEstimate]) -> GateResult:
    """The gate, given the estimates."""
    arm = ctx.trial.arm
    if not found:
        said = "No outcome from before the offer was given, so hidden differences could not be looked for."
        return GateResult("placebo_outcome", arm, "inconclusive", True, None, MAX_SHARE_OF_CLAIM, said)
    assert ctx.ate is not None
    claim = abs(ctx.ate.value) / max(float(np.std(ctx.trial.y)), 1e-300)
    limit = max(MAX_SHARE_OF_CLAIM * claim, SMALLEST_MATERIAL)
    critical = float(norm.ppf(1 - ctx.alpha / (2 * len(found))))
    worst = max(found, key=lambda f: abs(f.standardised) / max(f.standardised_se, 1e-300))
    size, half = abs(worst.standardised), critical * worst.standardised_se
    if size > half and size > limit:
        said = (
            f"Before any offer, `{worst.name}` already differed by {worst.estimate.value:.3g} between the groups after "
            "adjustment: people were chosen for reasons that the data do not hold."
        )
        return GateResult("placebo_outcome", arm, "fail", True, size, limit, said)
    if half > max(claim, limit) and size <= half:
        said = f"The check on `{worst.name}` is too imprecise to rule out hidden differences as large as the effect."
        return GateResult("placebo_outcome", arm, "inconclusive", True, size, limit, said)
    said = f"Before any offer the groups did not differ in {', '.join(f'`{f.name}`' for f in found)} after adjustment."
    return GateResult("placebo_outcome", arm, "pass", True, size, limit, said)


def _estimate_one(ctx: GateContext, name: str, placebo: Placebo) -> PlaceboEstimate | None:
    assert ctx.Z is not None and ctx.encoder is not None and ctx.fold is not None
    assert ctx.inside is not None and ctx.nuisances is not None
    rows = np.isfinite(placebo.values) & ctx.inside
    trial = ctx.trial
    y = placebo.values[rows]
    if rows.sum() < 100 or min(trial.t[rows].sum(), (1 - trial.t[rows]).sum()) < 20 or np.ptp(y) == 0:
        return None
    owners = np.array(ctx.encoder.owners)
    use = ~np.isin(owners, placebo.exclude) & ~_copies(ctx.Z[rows], y)
    Z = ctx.Z[np.ix_(rows, use)] if use.any() else np.zeros((int(rows.sum()), 1))
    part = trial.rows(rows)
    known = part.known_propensity
    how = {"seed": ctx.seed + 101, "threads": ctx.threads}
    u, _ = cross_fit(Z, part.t, y, part.weight, known, ctx.fold[rows], outcome_kind(y), **how)
    # Rows without comparables once the excluded features are gone would dominate the mean.
    e = np.clip(u.propensity, 0.01, 0.99) if np.isnan(known).any() else u.propensity
    gamma = aipw_scores(part.t, y, u.mu0, u.mu1, e)
    found = mean_estimate(gamma, part.cluster, part.weight, ctx.alpha)
    spread = float(np.std(y))
    return PlaceboEstimate(name, found, found.value / spread, found.se / spread)


def _copies(Z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Columns that are the placebo outcome itself under another name."""
    spread = Z.std(axis=0)
    centred = (Z - Z.mean(axis=0)) / np.where(spread > 1e-12, spread, np.inf)
    return np.abs(centred.T @ ((y - y.mean()) / y.std()) / len(y)) > _SAME_COLUMN
