"""Can these rows answer the question at all: arms, events, overlap, balance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import t as student

from causal.aipw import effective_clusters
from causal.encoding import correlations
from causal.gates.context import GateContext
from causal.gates.result import GateResult, Status
from causal.gates.words import share
from causal.support import MIN_UNEXPLAINED, unexplained_share
from causal.trial import Attrition

MAX_TRIMMED = 0.10
MAX_IMBALANCE = 0.10
# Shares of outcomes not known may differ by this much between arms. If those lost are a standard deviation off the rest, a gap
# moves the effect by as many standard deviations: half of what balance allows.
MAX_ATTRITION_GAP = 0.05
# A p-value, over all features together, that chance does not make: the feature was measured after the offer, or nobody drew lots.
BEYOND_CHANCE = 1e-6
# A feature that goes with the outcome like this within both arms is the outcome, in other words or another unit.
MAX_LIKENESS = 0.999
# One that goes with it like this over both arms together, so that there is not even an effect between them, is it where lots were drawn.
A_COPY = 1 - 1e-9


def design(ctx: GateContext) -> GateResult:
    """Follow-up complete, nobody lost by arm, arms and events large enough, people in both arms alike once chances are known.

    Fails softly (the fallback rule ranks), but for a trial whose arms lost different shares of their people: chance decided
    who was offered and not who was left, so no estimate is to be believed.
    """
    trial = ctx.trial
    people = [len(np.unique(trial.cluster[trial.t == arm])) for arm in (0, 1)]
    for problem in (_too_early, _lost_by_arm, _too_few_people, _too_few_events, _nothing_to_learn):
        found = problem(ctx)
        if found is not None:
            return found
    how = {"randomized": "chance decided", "mixed": "chance decided for some", "observational": "people decided"}
    said = f"{trial.counted(people[1])} were offered and {people[0]} were not; {how[trial.design]} who was"
    said += "." if trial.follow_up is None else "; every follow-up and its claims run-out are complete."
    said += "" if trial.attrition is None else f" {_lost(trial.attrition)}"
    return GateResult("design", trial.arm, "pass", False, float(min(people)), float(ctx.min_arm), said)


def _failed(ctx: GateContext, value: float, threshold: float, said: str, *, hard: bool = False) -> GateResult:
    return GateResult("design", ctx.trial.arm, "fail", hard, value, threshold, said)


def _too_early(ctx: GateContext) -> GateResult | None:
    seen = ctx.trial.follow_up
    late = 0 if seen is None else (seen.complete_on - seen.seen_on).days
    if late <= 0:
        return None
    said = (
        f"The last follow-up with its claims run-out ends {late} days after the outcomes were read: too early to tell."
    )
    return _failed(ctx, float(late), 0.0, said)


def _lost_by_arm(ctx: GateContext) -> GateResult | None:
    found = ctx.trial.attrition
    if found is None or not _lost_differently(found) or ctx.trial.design == "observational":
        return None
    said = f"{_lost(found)} Chance does not explain the gap, and who was left is no longer a random choice."
    return _failed(ctx, abs(found.offered - found.control), MAX_ATTRITION_GAP, said, hard=True)


def _lost_differently(attrition: Attrition) -> bool:
    """Whether one arm lost more of its people than the other, by more than chance and enough to matter."""
    gap = abs(attrition.offered - attrition.control)
    return gap > MAX_ATTRITION_GAP and gap > 3 * attrition.gap_se


def _lost(attrition: Attrition) -> str:
    return (
        f"The outcome of {attrition.offered:.1%} of those offered and of {attrition.control:.1%} of the others is not known; "
        "they are left out."
    )


def _too_few_people(ctx: GateContext) -> GateResult | None:
    """By what their weights and sizes leave of them: a thousand people of whom one has all the weight are one."""
    trial = ctx.trial
    people = [len(np.unique(trial.cluster[trial.t == arm])) for arm in (0, 1)]
    left = [effective_clusters(trial.weight[trial.t == arm], trial.cluster[trial.t == arm]) for arm in (0, 1)]
    smallest = float(min(left))
    if smallest >= ctx.min_arm:
        return None
    arm = int(left[1] <= left[0])
    which = "offered" if arm else "comparison"
    said = f"Only {trial.counted(people[arm])} in the {which} group; at least {ctx.min_arm} are needed to learn from."
    if people[arm] >= ctx.min_arm:
        said = (
            f"Unequal weights or sizes leave as much to learn from as {trial.counted(int(smallest))} of one weight would, of the "
            f"{people[arm]} in the {which} group; at least {ctx.min_arm} are needed."
        )
    return _failed(ctx, float(int(smallest)), float(ctx.min_arm), said)


def _too_few_events(ctx: GateContext) -> GateResult | None:
    trial = ctx.trial
    if trial.outcome_kind != "binary" and not np.std(trial.y) > 0:
        return _failed(ctx, 0.0, 0.0, "The outcome is the same for everyone.")
    if trial.outcome_kind == "continuous":
        return None
    events = int((trial.y > 0).sum())
    common = min(events, int((trial.y == 0).sum())) if trial.outcome_kind == "binary" else events
    if common >= ctx.min_events:
        return None
    people = "person" if common == 1 else "people"
    said = f"Only {common} {people} had (or, where nearly all had, lacked) the outcome; {ctx.min_events} are needed."
    return _failed(ctx, float(common), float(ctx.min_events), said)


def _nothing_to_learn(ctx: GateContext) -> GateResult | None:
    if ctx.encoder is not None and not ctx.encoder.names:
        return _failed(ctx, 0.0, 1.0, "No feature varies, so nobody can be ranked.")
    if ctx.nuisances is None or ctx.inside is None:
        return None
    unexplained = unexplained_share(ctx.nuisances.propensity[ctx.inside], ctx.trial.weight[ctx.inside])
    if unexplained >= MIN_UNEXPLAINED:
        return None
    said = f"The features decide who was offered ({1 - unexplained:.0%} of it): nobody has comparable people."
    return _failed(ctx, unexplained, MIN_UNEXPLAINED, said)


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
    """Largest weighted standardised mean difference, levels of text that have no indicator included (`causal.levels`); sampling
    noise alone does not fail it.

    Hard where a feature cannot have been there before the offer: one that lots have not made alike, or that is the outcome.
    Adjusting for what the offer changed hides the effect.
    """
    assert ctx.nuisances is not None
    assert ctx.inside is not None
    assert ctx.Z is not None
    assert ctx.encoder is not None
    later = _beyond_chance(ctx) or _is_the_outcome(ctx)
    if later is not None:
        return later
    assert ctx.merged is not None
    trial, keep, merged = ctx.trial, ctx.inside, ctx.merged
    t, e, Z = trial.t[keep], ctx.nuisances.propensity[keep], merged.beside(ctx.Z, keep)
    w = trial.weight[keep] * np.where(t == 1, 1 / e, 1 / (1 - e))
    gap, noise = standardised_differences(Z, t, w)
    worst = int(np.argmax(gap))
    value = float(gap[worst])
    beyond_noise = bool((gap > MAX_IMBALANCE + 3 * noise).any())
    status: Status = "pass" if value < MAX_IMBALANCE else "fail" if beyond_noise else "inconclusive"
    known = len(ctx.encoder.names)
    if worst < known:
        said = f"After weighting, offered and not offered differ most in `{ctx.encoder.names[worst]}`: {value:.2f} standard deviations."
    else:
        said = (
            f"`{merged.columns[worst - known]}` has levels too many or too rare to be adjusted for one by one, those of "
            f"{share(merged.shares[worst - known])} of people. How often each was offered sets offered and not offered {value:.2f} standard "
            "deviations apart: group the levels by what matters, in a column of fewer."
        )
    return GateResult("balance", trial.arm, status, False, value, MAX_IMBALANCE, said)


def _beyond_chance(ctx: GateContext) -> GateResult | None:
    """The feature in which rows assigned by lot differ more than lots can have made them, if there is one."""
    assert ctx.Z is not None
    assert ctx.encoder is not None
    trial = ctx.trial
    drawn = ~np.isnan(trial.known_propensity) & (trial.weight > 0)
    t, e, Z, cluster = trial.t[drawn], trial.known_propensity[drawn], ctx.Z[drawn], trial.cluster[drawn]
    if not 0 < t.sum() < len(t):
        return None
    w = trial.weight[drawn] * np.where(t == 1, 1 / e, 1 / (1 - e))
    gap, noise = standardised_differences(Z, t, w)
    freedom = min(len(np.unique(cluster[t == arm])) for arm in (0, 1)) - 1
    if freedom < 1:
        return None
    limit = float(student.isf(BEYOND_CHANCE / Z.shape[1] / 2, freedom))
    for j in np.argsort(-gap, kind="stable"):
        # Errors by cluster take a pass over the rows, and are seldom smaller: only for features that are suspect without.
        if gap[j] <= limit * noise[j] / 2:
            return None
        off = _gap_in_errors(Z[:, j], t, w, cluster)
        if off > limit:
            said = (
                f"`{ctx.encoder.names[j]}` differs between offered and not offered by {off:.0f} standard errors. Lots do not do "
                "that: it was measured after the offer and must not be adjusted for, or nobody drew lots."
            )
            return GateResult("balance", trial.arm, "fail", True, float(gap[j]), MAX_IMBALANCE, said)
    return None


def _gap_in_errors(z: np.ndarray, t: np.ndarray, w: np.ndarray, cluster: np.ndarray) -> float:
    """Absolute difference of the arms' weighted means over its error by cluster, were the arms alike.

    The error is taken around the mean of both arms: around its own, an arm that happens to hold none of a rare kind of
    people has none, and fifty of them in the other would look like a miracle.
    """
    share = w / np.where(t == 1, w[t == 1].sum(), w[t == 0].sum())
    influence = np.where(t == 1, share, -share) * (z - np.average(z, weights=w))
    # Sums by cluster around zero, which is their mean where arms are alike.
    _, code = np.unique(cluster, return_inverse=True)
    spread = float(np.sqrt(np.sum(np.bincount(code, weights=influence) ** 2)))
    return abs(float(influence.sum())) / spread if spread > 0 else 0.0


def _is_the_outcome(ctx: GateContext) -> GateResult | None:
    """The feature that is the outcome, if there is one.

    Where lots were drawn, what was before may go with the outcome as closely as it likes: a large effect on a feature shows in
    `_beyond_chance`, and of a small one only a copy over both arms together tells.
    """
    assert ctx.Z is not None
    assert ctx.encoder is not None
    trial = ctx.trial
    drawn = trial.design == "randomized"
    groups = [np.full(trial.n, True)] if drawn else [trial.t == arm for arm in (0, 1)]
    likeness = np.min([correlations(ctx.Z[rows], trial.y[rows]) for rows in groups], axis=0)
    limit = A_COPY if drawn else MAX_LIKENESS
    j = int(np.argmax(likeness))
    if likeness[j] <= limit:
        return None
    said = (
        f"`{ctx.encoder.names[j]}` all but equals the outcome (correlation {likeness[j]:.4f}"
        f"{'' if drawn else ' in both groups'}): it was measured with it and must not be adjusted for."
    )
    return GateResult("balance", trial.arm, "fail", True, float(likeness[j]), limit, said)


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
    """Absolute weighted mean differences over the pooled unweighted deviation, and their approximate errors.

    The deviation is that within the arms; of everybody where nobody differs within them, as in a copy of the arms.
    """
    one, zero = t == 1, t == 0
    means = [np.average(Z[g], axis=0, weights=w[g]) for g in (one, zero)]
    spread = np.sqrt((Z[one].var(axis=0) + Z[zero].var(axis=0)) / 2)
    spread = np.where(spread > 1e-12, spread, Z.std(axis=0))
    spread = np.where(spread > 1e-12, spread, np.inf)
    effective = [w[g].sum() ** 2 / np.sum(w[g] ** 2) for g in (one, zero)]
    return np.abs(means[0] - means[1]) / spread, np.full(Z.shape[1], np.sqrt(sum(1 / n for n in effective)))
