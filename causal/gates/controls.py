"""Many outcomes that the treatment cannot have changed: how far off are estimates like this one as a rule?"""

from __future__ import annotations

from scipy.stats import norm

from causal.empirical_null import Calibrated, EmpiricalNull, calibrate, fit_null
from causal.gates.context import GateContext
from causal.gates.material import claim, level, material
from causal.gates.result import GateResult, Status
from causal.gates.words import figure, p_value
from causal.negative_controls import NegativeControls

MIN_CONTROLS = 20


def negative_controls(ctx: GateContext) -> GateResult:
    """Soft. Value: size of the systematic error in standard deviations; threshold: what would matter.

    fail: systematic error is shown (likelihood ratio) and material: the published sizes are wrong by as much, whether or
    not the calibrated effect, which the sentence gives, can still be told from none. inconclusive: fewer than
    MIN_CONTROLS controls could be used, or they are too imprecise. pass: no material systematic error is shown.
    """
    arm, found = ctx.trial.arm, ctx.negative_controls
    limit = material(ctx)
    k = 0 if found is None else len(found.estimates)
    if found is None or k < MIN_CONTROLS:
        said = _too_few(k, 0 if found is None else found.given)
        return GateResult("negative_controls", arm, "inconclusive", False, None, limit, said)
    null, calibrated = empirical_calibration(found, ctx.alpha)
    e = calibrated.estimate
    after = (
        f"allowing for it the effect is {figure(e.value)} standard deviations "
        f"({figure(e.ci_low)} to {figure(e.ci_high)}, {p_value(calibrated.p_value)})"
    )
    status: Status
    if null.p_value < level(ctx) and null.size > limit:
        status = "fail"
        survives = e.ci_low > 0 or e.ci_high < 0
        said = (
            f"{k} outcomes that outreach cannot change differ between the groups by {figure(null.size)} standard deviations as "
            f"a rule: a hidden difference; {after}" + ("." if survives else ", which is not clearly any effect.")
        )
    elif float(norm.ppf(1 - level(ctx) / 2)) * null.mean_se > max(claim(ctx), limit):
        status = "inconclusive"
        said = f"{k} outcomes that outreach cannot change are too imprecise to rule out a bias as large as the effect."
    else:
        status, said = (
            "pass",
            f"{k} outcomes that outreach cannot change show no hidden difference that matters; {after}.",
        )
    return GateResult("negative_controls", arm, status, False, null.size, limit, said)


def empirical_calibration(found: NegativeControls, alpha: float = 0.05) -> tuple[EmpiricalNull, Calibrated]:
    """The empirical null of a study's controls and its effect calibrated by it, in standard deviations."""
    null = fit_null(found.standardised, found.covariance)
    return null, calibrate(found.effect, null, found.with_effect, alpha)


def _too_few(k: int, given: int) -> str:
    if given == 0:
        return f"No negative controls were given; {MIN_CONTROLS} are needed to measure systematic error."
    return (
        f"Only {k} of {given} negative controls could be used; {MIN_CONTROLS} are needed to measure systematic error."
    )
