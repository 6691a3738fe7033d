"""An effect on something that happened before the treatment is a hidden difference between the groups."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import norm

from causal.gates.context import GateContext
from causal.gates.material import MAX_SHARE_OF_CLAIM, claim, level, material
from causal.gates.result import GateResult
from causal.gates.words import figure
from causal.placebo import PlaceboEstimate


def placebo_outcome(ctx: GateContext) -> GateResult:
    """Fails when the interval of any (Bonferroni over placebos) excludes 0 and its effect is a material part of the claimed one.

    inconclusive: none is known well enough to tell, or one that is not differs by more than the claim. Value: the largest of
    those that decide, in standard deviations.
    """
    arm, found = ctx.trial.arm, ctx.placebos
    if not found:
        said = "No outcome from before the offer was given, so hidden differences could not be looked for."
        return GateResult("placebo_outcome", arm, "inconclusive", True, None, MAX_SHARE_OF_CLAIM, said)
    limit = material(ctx)
    critical = float(norm.ppf(1 - level(ctx) / (2 * len(found))))
    half = {f.name: critical * f.standardised_se for f in found}
    # Each is asked by itself: a small difference that is known well does not hide a large one that is known less well.
    shown = [f for f in found if abs(f.standardised) > max(half[f.name], limit)]
    vague = [f for f in found if half[f.name] > max(claim(ctx), limit) and abs(f.standardised) <= half[f.name]]
    if shown:
        worst = max(shown, key=lambda f: abs(f.standardised))
        said = (
            f"Before any offer, `{worst.name}` already differed by {figure(worst.estimate.value)} between the groups after "
            "adjustment: people were chosen for reasons that the data do not hold."
        )
        return GateResult("placebo_outcome", arm, "fail", True, abs(worst.standardised), limit, said)
    clear = [f for f in found if f not in vague]
    suspect = [f for f in vague if abs(f.standardised) > max(claim(ctx), limit)]
    too_vague = f"{_named(vague)} {'is' if len(vague) == 1 else 'are'} too imprecise to rule out hidden differences as large as the effect."
    if suspect or not clear:
        size = max(abs(f.standardised) for f in suspect or vague)
        seen = f"the groups differed by more than the effect in {_named(suspect)}; " if suspect else ""
        said = f"Before any offer, {seen}{too_vague}"
        return GateResult("placebo_outcome", arm, "inconclusive", True, size, limit, said)
    size = max(abs(f.standardised) for f in clear)
    said = f"Before any offer the groups did not differ materially in {_named(clear)} after adjustment."
    if size > limit:
        said = f"Before any offer, differences in {_named(clear)} after adjustment were within chance and smaller than the effect."
    if vague:
        said += f" {too_vague[0].upper()}{too_vague[1:]}"
    return GateResult("placebo_outcome", arm, "pass", True, size, limit, said)


def _named(placebos: Sequence[PlaceboEstimate]) -> str:
    return ", ".join(f"`{f.name}`" for f in placebos)
