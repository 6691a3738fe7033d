"""The gates in their order, what each means for the verdict, and `run_gates`, which asks them.

| # | gate | hard | a fail means | asked of |
|---|---|---|---|---|
| 0 | design | if arms of a trial lost different shares | too few people or events, or features decide who was offered: the fallback rule ranks, no other gate is asked | all rows |
| 1 | overlap | no | too many people without comparables | all rows |
| 2 | balance | if a feature came after the offer | weighting leaves a measured difference | rows in support |
| 3 | placebo_outcome | yes | a hidden difference of the groups: blocked | rows in support |
| 4 | negative_controls | no | systematic error large enough to falsify sizes | rows in support |
| 5 | refutation | unless randomised | the estimate is an artefact of the method: blocked | a sample of them |
| 6 | sensitivity | no | a trifling hidden confounder would explain the effect away | rows in support |
| 7 | heterogeneity | no | the ranking is backwards | people kept aside |
| 8 | beats_simple_rules | no | a simple rule ranks better | people kept aside |
| 9 | calibration | yes | predictions are reversed or overstated: blocked | people kept aside |
| 10 | value_at_capacity | no | outreach to the top does harm | people kept aside |
| 11 | equity | no | a group's places follow from an error of the model | people kept aside |
| 12 | stability | no | most of the list is the seed's doing | rows in support |

A failed hard gate blocks: the estimate is not to be believed, nothing new goes out. Any other failed gate, or one of
`result.MUST_PASS` without a pass, leaves the ranking to the program's fallback rule. `inconclusive` of the rest hinders
nothing: it is the normal answer of data that cannot tell (no placebo was measured, no groups were given).
"""

from __future__ import annotations

from collections.abc import Callable

from causal.gates.context import GateContext
from causal.gates.controls import negative_controls
from causal.gates.design import balance, design, overlap
from causal.gates.equity import equity
from causal.gates.placebo import placebo_outcome
from causal.gates.ranking import beats_simple_rules, calibration, heterogeneity, value_at_capacity
from causal.gates.refutation import refutation
from causal.gates.result import GateResult
from causal.gates.sensitivity import sensitivity
from causal.gates.stability import stability
from causal.stopwatch import Stopwatch

Gate = Callable[[GateContext], GateResult]

GATES: dict[str, Gate] = {
    "design": design,
    "overlap": overlap,
    "balance": balance,
    "placebo_outcome": placebo_outcome,
    "negative_controls": negative_controls,
    "refutation": refutation,
    "sensitivity": sensitivity,
    "heterogeneity": heterogeneity,
    "beats_simple_rules": beats_simple_rules,
    "calibration": calibration,
    "value_at_capacity": value_at_capacity,
    "equity": equity,
    "stability": stability,
}

GATE_NAMES = tuple(GATES)

_HARD_WHEN_SKIPPED = frozenset({"placebo_outcome", "refutation", "calibration"})
_NEEDS_EVALUATION = frozenset({"heterogeneity", "beats_simple_rules", "calibration", "value_at_capacity", "equity"})


def run_gates(
    ctx: GateContext, *, skip: frozenset[str] = frozenset(), watch: Stopwatch | None = None
) -> list[GateResult]:
    """Every gate of GATES, in order, each timed as `gate_<name>`. Gates that cannot be asked are `inconclusive` and say why."""
    clock = watch or Stopwatch()
    results: list[GateResult] = []
    for name, gate in GATES.items():
        if name != "design" and results[0].status == "fail":
            results.append(_not_asked(ctx, name, "Not looked at, because the design gate failed."))
        elif name in skip:
            results.append(_not_asked(ctx, name, "Not looked at in this run."))
        elif name in _NEEDS_EVALUATION and ctx.evaluation is None:
            results.append(_not_asked(ctx, name, "Too few comparable people were kept aside to tell."))
        else:
            with clock.step(f"gate_{name}"):
                results.append(gate(ctx))
    return results


def _not_asked(ctx: GateContext, name: str, why: str) -> GateResult:
    return GateResult(name, ctx.trial.arm, "inconclusive", name in _HARD_WHEN_SKIPPED, None, None, why)
