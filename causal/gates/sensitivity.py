"""How strong a confounder that nobody measured would have to be, held against the strongest one that was."""

from __future__ import annotations

from causal.gates.context import GateContext
from causal.gates.result import GateResult, Status

# A hidden confounder a tenth as strong as the strongest measured one is to be expected in any observational data.
FRAGILE = 0.1


def sensitivity(ctx: GateContext) -> GateResult:
    """Soft. Value: robustness value of the effect; threshold: the strength of the strongest measured confounder.

    pass: a hidden confounder as strong as that would not explain the effect away. inconclusive: it would, or the effect
    cannot be told from none anyway. fail: one a tenth as strong would do. Randomised: nothing chooses but chance; pass.
    """
    arm, found = ctx.trial.arm, ctx.sensitivity
    assert found is not None
    benchmark = found.benchmark
    threshold = None if benchmark is None else benchmark.strength
    e = (
        ""
        if found.e_value is None
        else f" (E-value {found.e_value.value:.2f}, of its interval {found.e_value.at_limit:.2f})"
    )

    def answer(status: Status, said: str) -> GateResult:
        return GateResult("sensitivity", arm, status, False, found.robustness, threshold, said)

    if ctx.trial.design == "randomized":
        return answer(
            "pass", f"Chance decided who was offered, so no hidden reason for choosing can explain the effect{e}."
        )
    if found.robustness_at_limit == 0:
        return answer(
            "inconclusive", f"The average effect cannot be told from none, so there is nothing to explain away{e}."
        )
    if benchmark is None or found.multiple is None:
        return answer("inconclusive", f"No measured feature tells how strong a hidden one might be{e}.")
    needed = (
        f"A hidden reason for choosing would have to explain {found.robustness:.1%} of what is left of both the choice "
        f"and the outcome to undo the effect"
    )
    times = f"{found.multiple:.1f} times" if found.multiple < 100 else "over 100 times"
    others = len(benchmark.alike)
    alike = f" with the {f'{others} features' if others > 1 else 'feature'} like it" if others else ""
    compared = f"{times} the strength of `{benchmark.name}`{alike}, the strongest one measured{e}"
    if found.multiple < FRAGILE:
        return answer("fail", f"{needed}: only {compared}.")
    held = benchmark.adjusted.value * found.effect.value > 0
    return answer("pass" if held else "inconclusive", f"{needed}: {compared}.")
