"""Can these rows answer the question at all: arms, events, overlap, balance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from causal.gates.context import GateContext
from causal.gates.result import GateResult, Status
from causal.support import MIN_UNEXPLAINED, unexplained_share

MAX_TRIMMED = 0.10
MAX_IMBALANCE = 0.10


def design(ctx: GateContext) -> GateResult:
    """Follow-up complete, arms and events large enough to learn from, people in both arms alike once chances are known.

    Fails softly: the fallback rule ranks.
    """
    trial = ctx.trial
    late = _days_too_early(ctx)
    if late > 0:
        said = f"The last follow-up with its claims run-out ends {late} days after the outcomes were read: too early to tell."
        return GateResult("design", trial.arm, "fail", False, float(late), 0.0, said)
    people = [len(np.unique(trial.cluster[trial.t == arm])) for arm in (0, 1)]
    smallest = float(min(people))
    if smallest < ctx.min_arm:
        which = "offered" if people[1] <= people[0] else "comparison"
        said = f"Only {int(smallest)} people in the {which} group; at least {ctx.min_arm} are needed to learn from."
        return GateResult("design", trial.arm, "fail", False, smallest, float(ctx.min_arm), said)
    if trial.outcome_kind != "continuous":
        events = int((trial.y > 0).sum())
        common = min(events, int((trial.y == 0).sum())) if trial.outcome_kind == "binary" else events
        if common < ctx.min_events:
            said = (
                f"Only {common} people had (or, where nearly all had, lacked) the outcome; {ctx.min_events} are needed."
            )
            return GateResult("design", trial.arm, "fail", False, float(common), float(ctx.min_events), said)
    elif np.ptp(trial.y) == 0:
        return GateResult("design", trial.arm, "fail", False, 0.0, 0.0, "The outcome is the same for everyone.")
    if ctx.encoder is not None and not ctx.encoder.names:
        return GateResult("design", trial.arm, "fail", False, 0.0, 1.0, "No feature varies, so nobody can be ranked.")
    if ctx.nuisances is not None and ctx.inside is not None:
        inside = ctx.inside
        unexplained = unexplained_share(ctx.nuisances.propensity[inside], trial.weight[inside])
        if unexplained < MIN_UNEXPLAINED:
            said = f"The features decide who was offered ({1 - unexplained:.0%} of it): nobody has comparable people."
            return GateResult("design", trial.arm, "fail", False, unexplained, MIN_UNEXPLAINED, said)
    how = {"randomized": "chance decided", "mixed": "chance decided for some", "observational": "people decided"}
    said = f"{people[1]} people were offered and {people[0]} were not; {how[trial.design]} who was"
    said += "." if trial.follow_up is None else "; every follow-up and its claims run-out are complete."
    return GateResult("design", trial.arm, "pass", False, smallest, float(ctx.min_arm), said)


def _days_too_early(ctx: GateContext) -> int:
    seen = ctx.trial.follow_up
    return 0 if seen is None else (seen.complete_on - seen.seen_on).days


def overlap(ctx: GateContext) -> GateResult:
    """Share of rows whose chance of an offer leaves nobody to compare them with."""
    assert ctx.nuisances is not None
    assert ctx.bounds is not None
    assert ctx.inside is not None
    e = ctx.nuisances.propensity
    outside = float(np.average(~ctx.inside, weights=ctx.trial.weight))
    extreme = float(np.average((e < 0.1) | (e > 0.9), weights=ctx.trial.weight))
    unexplained = unexplained_share(e, ctx.trial.weight)
    if unexplained < MIN_UNEXPLAINED:
        said = f"The features all but decide who was offered ({1 - unexplained:.0%} of it): few have comparable people."
        return GateResult("overlap", ctx.trial.arm, "fail", False, unexplained, MIN_UNEXPLAINED, said)
    status: Status = "pass" if outside <= MAX_TRIMMED else "fail" if outside > 3 * MAX_TRIMMED else "inconclusive"
    said = (
        f"{outside:.1%} of people have no comparable people in the other group "
        f"(chance of an offer outside {ctx.bounds.low:.3f}-{ctx.bounds.high:.3f}) and get no estimate; "
        f"{extreme:.1%} lie outside 0.1-0.9"
        + (f"; {ctx.nuisances.clipped} estimated chances were held off 0 and 1." if ctx.nuisances.clipped else ".")
    )
    return GateResult("overlap", ctx.trial.arm, status, False, outside, MAX_TRIMMED, said)


def balance(ctx: GateContext) -> GateResult:
    """Largest weighted standardised mean difference; sampling noise alone does not fail it."""
    assert ctx.nuisances is not None
    assert ctx.inside is not None
    assert ctx.Z is not None
    assert ctx.encoder is not None
    trial, keep = ctx.trial, ctx.inside
    t, e, Z = trial.t[keep], ctx.nuisances.propensity[keep], ctx.Z[keep]
    w = trial.weight[keep] * np.where(t == 1, 1 / e, 1 / (1 - e))
    gap, noise = standardised_differences(Z, t, w)
    worst = int(np.argmax(gap))
    name = ctx.encoder.names[worst]
    value = float(gap[worst])
    beyond_noise = bool((gap > MAX_IMBALANCE + 3 * noise).any())
    status: Status = "pass" if value < MAX_IMBALANCE else "fail" if beyond_noise else "inconclusive"
    said = f"After weighting, offered and not offered differ most in `{name}`: {value:.2f} standard deviations."
    return GateResult("balance", trial.arm, status, False, value, MAX_IMBALANCE, said)


def balance_frame(
    names: Sequence[str], Z: np.ndarray, t: np.ndarray, propensity: np.ndarray, weight: np.ndarray
) -> pd.DataFrame:
    """How alike the arms are in every covariate, before and after weighting: the numbers of a love plot.

    Args:
        names: encoded columns of Z.
        Z, t, propensity, weight: rows in support; shapes (n, len(names)), (n,), (n,), (n,).

    Returns:
        covariate, smd_before, smd_after (absolute, in pooled unweighted standard deviations), smd_after_se.
    """
    before, _ = standardised_differences(Z, t, weight)
    after, noise = standardised_differences(Z, t, weight * np.where(t == 1, 1 / propensity, 1 / (1 - propensity)))
    return pd.DataFrame({"covariate": list(names), "smd_before": before, "smd_after": after, "smd_after_se": noise})


def standardised_differences(Z: np.ndarray, t: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Absolute weighted mean differences over the pooled unweighted deviation, and their approximate errors."""
    one, zero = t == 1, t == 0
    means = [np.average(Z[g], axis=0, weights=w[g]) for g in (one, zero)]
    spread = np.sqrt((Z[one].var(axis=0) + Z[zero].var(axis=0)) / 2)
    spread = np.where(spread > 1e-12, spread, np.inf)
    effective = [w[g].sum() ** 2 / np.sum(w[g] ** 2) for g in (one, zero)]
    return np.abs(means[0] - means[1]) / spread, np.full(Z.shape[1], np.sqrt(sum(1 / n for n in effective)))
