"""Would another seed have called other people, and how far does the list move from the last champion's?"""

from __future__ import annotations

import numpy as np

from causal.gates.context import GateContext
from causal.gates.result import GateResult, Status
from causal.stability import MOVED, population_stability, top_overlap

# Of the list: below a half most of it is the seed's doing, above this it is the data's.
STABLE, UNSTABLE = 0.7, 0.5


def stability(ctx: GateContext) -> GateResult:
    """Soft. Value: share of the top that a refit with another seed, on the same rows, calls as well.

    fail below UNSTABLE, pass from STABLE. A new model may differ from the last champion for good reasons, so a small
    overlap with its list or moved scores (PSI) alone are `inconclusive`.
    """
    arm, own = ctx.trial.arm, ctx.benefit
    assert own is not None
    assert ctx.reseeded is not None
    if len(own) == 0 or np.ptp(own) == 0:
        said = "The model ranks nobody before anybody, so there is no order that could change."
        return GateResult("stability", arm, "inconclusive", False, None, STABLE, said)
    share = top_overlap(own, ctx.reseeded(), ctx.reach)
    status: Status = "pass" if share >= STABLE else "fail" if share < UNSTABLE else "inconclusive"
    said = f"Fitted again with another seed, the model would call {share:.0%} of the same people."
    if ctx.previous is not None and np.isfinite(ctx.previous).any():
        kept, moved = top_overlap(own, ctx.previous, ctx.reach), population_stability(ctx.previous, own)
        said += f" It shares {kept:.0%} of the list with the model that serves now (scores moved by PSI {moved:.2f})."
        if status == "pass" and (kept < UNSTABLE or moved > MOVED):
            status = "inconclusive"
    return GateResult("stability", arm, status, False, share, STABLE, said)
