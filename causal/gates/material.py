"""When is a bias large enough to matter: one yardstick for every gate that looks for one."""

from __future__ import annotations

import numpy as np

from causal.gates.context import GateContext

MAX_SHARE_OF_CLAIM = 0.25
# An effect below 2 % of a standard deviation is not a hidden difference worth stopping a program for.
SMALLEST_MATERIAL = 0.02
# Where chance decided, a difference is chance too, unless the logged chances are wrong: at .05 every twentieth
# sound trial would be stopped.
ALPHA_RANDOMIZED = 0.001


def claim(ctx: GateContext) -> float:
    """Size of the average effect in standard deviations of the outcome."""
    assert ctx.ate is not None
    return abs(ctx.ate.value) / max(float(np.std(ctx.trial.y)), 1e-300)


def material(ctx: GateContext) -> float:
    """Bias in standard deviations from which on it matters: a quarter of the claim, at least SMALLEST_MATERIAL."""
    return max(MAX_SHARE_OF_CLAIM * claim(ctx), SMALLEST_MATERIAL)


def level(ctx: GateContext) -> float:
    """Significance level at which a bias counts as shown."""
    return ALPHA_RANDOMIZED if ctx.trial.design == "randomized" else ctx.alpha
