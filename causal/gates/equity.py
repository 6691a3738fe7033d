"""Does the list treat groups of people alike for the same benefit?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from causal.equity import (
    MIN_SELECTED,
    NOT_RECORDED,
    OTHER,
    Ranked,
    bonferroni,
    gap_estimate,
    named_groups,
    need_difference,
    selected_by_model,
    selection_log_ratio,
    unnamed_levels,
)
from causal.gates.context import GateContext
from causal.gates.material import material
from causal.gates.result import GateResult
from causal.gates.words import figure

# The four-fifths rule of the US Uniform Guidelines on Employee Selection Procedures (29 CFR 1607.4 D).
FOUR_FIFTHS = 0.8


def equity(ctx: GateContext) -> GateResult:
    """Soft. Looks at every group with enough people, of every attribute given, on people kept aside. Groups of too few are
    counted, never named: their names may be one person's.

    fail: the model promises a group more or less than it measurably got (against everyone; Bonferroni over groups, and
    by a material amount): its places follow from an error. Value: that gap in standard deviations of the outcome.
    inconclusive: a group is selected at clearly less than four fifths of everyone's rate although its members are
    not shown to be in less need: possibly right, but for a person to look at; or there is nothing to look at. Otherwise value: the lowest
    selection ratio.
    """
    arm, people = ctx.trial.arm, ctx.people
    if people is None or people.groups.shape[1] == 0:
        said = "No attributes of people were given, so groups could not be compared."
        return GateResult("equity", arm, "inconclusive", False, None, FOUR_FIFTHS, said)
    if len(people.benefit) == 0 or np.ptp(people.benefit) == 0:
        said = "The model ranks nobody before anybody, so no group can be left out by it."
        return GateResult("equity", arm, "inconclusive", False, None, FOUR_FIFTHS, said)
    named = {str(dimension): named_groups(people, str(dimension)) for dimension in people.groups}
    groups = _groups(named)
    if not groups:
        said = "Every group is too small to look at."
        return GateResult("equity", arm, "inconclusive", False, None, FOUR_FIFTHS, said)
    critical = bonferroni(ctx.alpha, len(groups))
    found = _miscalibrated(ctx, people, groups, critical) or _left_out(ctx, people, groups, critical)
    return replace(found, sentence=found.sentence + _skipped(people, named))


def _groups(named: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Members (boolean (n,)) of each group that can be judged, by its name in words."""
    return {
        f"{dimension} {level}": member
        for dimension, levels in named.items()
        for level, member in levels.items()
        # What is unknown and what is thrown together are no groups of people who share anything.
        if level not in (NOT_RECORDED, OTHER) and not member.all()
    }


def _skipped(people: Ranked, named: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """What was not looked at: small groups by their number, attributes that have no others by name; empty if nothing."""
    useless = [dimension for dimension, levels in named.items() if not levels]
    too_small = sum(unnamed_levels(people, dimension) for dimension, levels in named.items() if levels)
    some = f"{too_small} groups are" if too_small > 1 else "1 group is"
    said = f" {some} too small to look at." if too_small else ""
    return said + "".join(f" `{name}` has no group large enough to look at." for name in useless)


def _miscalibrated(
    ctx: GateContext, people: Ranked, groups: dict[str, np.ndarray], critical: float
) -> GateResult | None:
    spread = max(float(np.std(ctx.trial.y)), 1e-300)
    gaps = {name: gap_estimate(people, member) for name, member in groups.items()}
    limit = material(ctx)
    shown = {k: g for k, g in gaps.items() if abs(g.z) > critical and abs(g.value) / spread > limit}
    if not shown:
        return None
    name = max(shown, key=lambda k: abs(shown[k].z))
    gap = shown[name]
    how = "too little: people in it lose places" if gap.value > 0 else "too much: others lose places to it"
    said = f"The model promises `{name}` {how} (measured less promised benefit, against everyone: {figure(gap.value)} per person)."
    return GateResult("equity", ctx.trial.arm, "fail", False, abs(gap.value) / spread, limit, said)


def _left_out(ctx: GateContext, people: Ranked, groups: dict[str, np.ndarray], critical: float) -> GateResult:
    chosen = selected_by_model(people)
    ratios = {k: selection_log_ratio(people, member, chosen) for k, member in groups.items()}
    # Each is asked by itself: those in least need, who are rightly called least, do not hide another group.
    low = [k for k, r in ratios.items() if r.value + critical * _finite(r.se) < np.log(FOUR_FIFTHS)]
    passed_over = [k for k in low if not _is_in_less_need(people, groups[k], critical)]
    lowest = min(passed_over or ratios, key=lambda k: ratios[k].value)
    ratio = float(np.exp(ratios[lowest].value))
    few = len(np.unique(people.cluster[groups[lowest] & (chosen > 0)])) < MIN_SELECTED
    if passed_over:
        shown = "clearly less than four fifths" if few else f"{ratio:.2f} times"
        said = (
            f"`{lowest}` is called at {shown} everyone's rate although its members are not shown to be in less need; "
            "the model finds less benefit there."
        )
        return GateResult("equity", ctx.trial.arm, "inconclusive", False, None if few else ratio, FOUR_FIFTHS, said)
    said = f"No group of {len(groups)} looked at is promised more or less than it got" + (
        "." if few else f"; `{lowest}` is called least, at {ratio:.2f} times everyone's rate."
    )
    return GateResult("equity", ctx.trial.arm, "pass", False, None if few else ratio, FOUR_FIFTHS, said)


def _is_in_less_need(people: Ranked, member: np.ndarray, critical: float) -> bool:
    """Whether that is shown: two means of equal need differ by chance, and those of one need for all by rounding."""
    found = need_difference(people, member)
    return found.z < -critical and found.value < -1e-9 * float(np.abs(people.need).max())


def _finite(se: float) -> float:
    """An infinite error belongs to a group of whom nobody is called: that is as low as a rate can be."""
    return se if np.isfinite(se) else 0.0
