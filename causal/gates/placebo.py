"""An effect on something that happened before the treatment is a hidden difference between the groups."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from causal.gates.context import GateContext
from causal.gates.result import GateResult

MAX_SHARE_OF_CLAIM = 0.25
# An effect below 2 % of a standard deviation is not a hidden difference worth stopping a program for.
SMALLEST_MATERIAL = 0.02
# Where chance decided, a difference is chance too, unless the logged chances are wrong: at .05 every twentieth
# sound trial would be blocked.
ALPHA_RANDOMIZED = 0.001


def placebo_outcome(ctx: GateContext) -> GateResult:
    """Fails when an interval (Bonferroni over placebos) excludes 0 by a material part of the claimed effect."""
    arm, found = ctx.trial.arm, ctx.placebos
    if not found:
        said = "No outcome from before the offer was given, so hidden differences could not be looked for."
        return GateResult("placebo_outcome", arm, "inconclusive", True, None, MAX_SHARE_OF_CLAIM, said)
    assert ctx.ate is not None
    claim = abs(ctx.ate.value) / max(float(np.std(ctx.trial.y)), 1e-300)
    limit = max(MAX_SHARE_OF_CLAIM * claim, SMALLEST_MATERIAL)
    level = ctx.alpha if ctx.trial.design != "randomized" else ALPHA_RANDOMIZED
    critical = float(norm.ppf(1 - level / (2 * len(found))))
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
    said = f"Before any offer the groups did not differ materially in {', '.join(f'`{f.name}`' for f in found)} after adjustment."
    return GateResult("placebo_outcome", arm, "pass", True, size, limit, said)
