"""Does ranking by the predicted effect help, on rows that the model has not seen? All tests are one-sided."""

from __future__ import annotations

from dataclasses import replace

from scipy.stats import norm

from causal.aipw import Estimate
from causal.evaluation.rules import Evaluation
from causal.gates.context import GateContext
from causal.gates.result import GateResult, Status
from causal.gates.words import figure, share

# A prediction that promises a quarter more spread than it delivers is over-confident beyond sampling noise.
SMALLEST_SLOPE = 0.8
# Blocking needs more evidence than doubt: with no heterogeneity a slope is as often below as above zero.
REVERSED_Z = -2.576
# Share of those reached.
MOST_HARMED = 0.5


def heterogeneity(ctx: GateContext) -> GateResult:
    """Held-out AUTOC above zero: some people benefit more and the model finds them."""
    found = _evaluation(ctx).metrics["learner"]["autoc"].estimate
    low = one_sided_low(found, ctx.alpha)
    said = {
        "pass": "On people kept aside, those ranked higher did benefit more than the average.",
        "fail": "On people kept aside, those ranked higher benefited less than the average: the ranking is backwards.",
        "inconclusive": "On people kept aside, the ranking by benefit could not be told from a random one.",
    }
    return _one_sided("heterogeneity", ctx, low, found, said)


def beats_simple_rules(ctx: GateContext) -> GateResult:
    """Paired gain over ranking by baseline risk (area between the Qini curves) and over no ranking (at the budget)."""
    result = _evaluation(ctx)
    pairs = {
        "ranking by risk": result.differences["qini:baseline_risk"],
        "no ranking": result.differences["gain:constant"],
    }
    lows = {k: one_sided_low(v, ctx.alpha) for k, v in pairs.items()}
    weakest = min(lows, key=lambda k: lows[k] / max(pairs[k].se, 1e-300))
    said = {
        "pass": "Ranking all people kept aside by benefit beat both ranking them by risk and no ranking.",
        "fail": f"Ranking by benefit did worse than {weakest} on people kept aside.",
        "inconclusive": f"Ranking by benefit was not clearly better than {weakest} on people kept aside.",
    }
    return _one_sided("beats_simple_rules", ctx, lows[weakest], pairs[weakest], said)


def calibration(ctx: GateContext) -> GateResult:
    """Hard. Fails when predictions are reversed, or clearly promise more difference than there is."""
    result = _evaluation(ctx)
    arm, slope = ctx.trial.arm, result.blp.slope
    if slope is None:
        said = "The model predicts the same benefit for everyone, so there is nothing to calibrate."
        return GateResult("calibration", arm, "inconclusive", True, None, SMALLEST_SLOPE, said)
    status: Status
    if slope.z < REVERSED_Z:
        status, said = "fail", "People predicted to benefit more benefited less."
    elif slope.ci_low > 0 and slope.ci_high < SMALLEST_SLOPE:
        status, said = "fail", f"The model overstates differences: real ones are {slope.value:.0%} of those predicted."
    elif result.gates is not None and result.gates.top_minus_bottom.z < REVERSED_Z:
        status, said = "fail", "The fifth of people predicted to benefit most benefited less than the last fifth."
    elif slope.ci_low > 0:
        status = "pass"
        size = "can be of the size predicted"
        if slope.ci_low > 1:
            size = "are larger than predicted (the model is cautious)"
        elif slope.ci_high < 1:
            size = "are smaller than predicted"
        said = (
            f"Differences in benefit {size}: {slope.value:.2f} times as large"
            f" (95% interval {slope.ci_low:.2f} to {slope.ci_high:.2f})."
        )
    else:
        status, said = "inconclusive", "There is too little evidence of differences in benefit to check their size."
    return GateResult("calibration", arm, status, True, slope.value, SMALLEST_SLOPE, said)


def value_at_capacity(ctx: GateContext) -> GateResult:
    """Mean benefit of the people whom the capacity reaches, above zero. No pass where the model expects harm for most of
    them: nobody is called who is expected to be harmed, so it is not their outreach that would follow.
    """
    result = _evaluation(ctx)
    found = result.metrics["learner"]["top_fraction_effect"].estimate
    low = one_sided_low(found, ctx.alpha)
    top = f"the top {share(result.called)}"
    if result.fraction == 1 and result.supported < 1:
        top += ", all who have comparable people,"
    said = {
        "pass": f"Outreach to {top} helps: {figure(found.value)} per person, {result.share_harmed:.0%} expected harmed.",
        "fail": f"Outreach to {top} does harm: {figure(found.value)} per person.",
        "inconclusive": f"Whether outreach to {top} helps is not clear: {figure(found.value)} per person,"
        f" 95% interval {figure(found.ci_low)} to {figure(found.ci_high)}.",
    }
    judged = _one_sided("value_at_capacity", ctx, low, found, said)
    if judged.status != "pass" or result.share_harmed <= MOST_HARMED:
        return judged
    unlike = (
        f"Outreach to {top} helped people kept aside, {figure(found.value)} per person, but the model expects harm for"
        f" {result.share_harmed:.0%} of them and would not have them called."
    )
    return replace(judged, status="inconclusive", sentence=unlike)


def one_sided_low(found: Estimate, alpha: float) -> float:
    """Lower end of the one-sided (1 - alpha) interval."""
    return found.value - float(norm.ppf(1 - alpha)) * found.se


def _one_sided(name: str, ctx: GateContext, low: float, found: Estimate, said: dict[str, str]) -> GateResult:
    high = 2 * found.value - low
    status: Status = "pass" if low > 0 else "fail" if high < 0 else "inconclusive"
    return GateResult(name, ctx.trial.arm, status, False, found.value, 0.0, said[status])


def _evaluation(ctx: GateContext) -> Evaluation:
    assert ctx.evaluation is not None
    return ctx.evaluation
