"""An effect on something that happened before the treatment is a hidden difference between the groups."""

from __future__ import annotations

from scipy.stats import norm

from causal.gates.context import GateContext
from causal.gates.material import MAX_SHARE_OF_CLAIM, claim, level, material
from causal.gates.result import GateResult
from causal.gates.words import figure


def placebo_outcome(ctx: GateContext) -> GateResult:
    """Fails when an interval (Bonferroni over placebos) excludes 0 by a material part of the claimed effect."""
    arm, found = ctx.trial.arm, ctx.placebos
    if not found:
        said = "No outcome from before the offer was given, so hidden differences could not be looked for."
        return GateResult("placebo_outcome", arm, "inconclusive", True, None, MAX_SHARE_OF_CLAIM, said)
    limit = material(ctx)
    critical = float(norm.ppf(1 - level(ctx) / (2 * len(found))))
    worst = max(found, key=lambda f: abs(f.standardised) / max(f.standardised_se, 1e-300))
    size, half = abs(worst.standardised), critical * worst.standardised_se
    if size > half and size > limit:
        said = (
            f"Before any offer, `{worst.name}` already differed by {figure(worst.estimate.value)} between the groups after "
            "adjustment: people were chosen for reasons that the data do not hold."
        )
        return GateResult("placebo_outcome", arm, "fail", True, size, limit, said)
    if half > max(claim(ctx), limit) and size <= half:
        said = f"The check on `{worst.name}` is too imprecise to rule out hidden differences as large as the effect."
        return GateResult("placebo_outcome", arm, "inconclusive", True, size, limit, said)
    said = f"Before any offer the groups did not differ materially in {', '.join(f'`{f.name}`' for f in found)} after adjustment."
    return GateResult("placebo_outcome", arm, "pass", True, size, limit, said)
