"""The gates in their order; `run_gates` asks each in turn and stops early only when the design cannot be read."""

from __future__ import annotations

from collections.abc import Callable

from causal.gates.context import GateContext
from causal.gates.design import balance, design, overlap
from causal.gates.placebo import placebo_outcome
from causal.gates.ranking import beats_simple_rules, calibration, heterogeneity, value_at_capacity
from causal.gates.refutation import refutation
from causal.gates.result import GateResult

Gate = Callable[[GateContext], GateResult]

GATES: dict[str, Gate] = {
    "design": design,
    "overlap": overlap,
    "balance": balance,
    "placebo_outcome": placebo_outcome,
    "refutation": refutation,
    "heterogeneity": heterogeneity,
    "beats_simple_rules": beats_simple_rules,
    "calibration": calibration,
    "value_at_capacity": value_at_capacity,
}

GATE_NAMES = tuple(GATES)

_HARD_WHEN_SKIPPED = frozenset({"placebo_outcome", "refutation", "calibration"})
_NEEDS_EVALUATION = frozenset({"heterogeneity", "beats_simple_rules", "calibration", "value_at_capacity"})


def run_gates(ctx: GateContext, *, skip: frozenset[str] = frozenset()) -> list[GateResult]:
    """Every gate of GATES, in order. Gates that cannot be asked are `inconclusive` and say why."""
    results: list[GateResult] = []
    for name, gate in GATES.items():
        if name != "design" and results[0].status == "fail":
            results.append(_not_asked(ctx, name, "Not looked at, because the design gate failed."))
        elif name in skip:
            results.append(_not_asked(ctx, name, "Not looked at in this run."))
        elif name in _NEEDS_EVALUATION and ctx.evaluation is None:
            results.append(_not_asked(ctx, name, "Too few comparable people were kept aside to tell."))
        else:
            results.append(gate(ctx))
    return results


def _not_asked(ctx: GateContext, name: str, why: str) -> GateResult:
    return GateResult(name, ctx.trial.arm, "inconclusive", name in _HARD_WHEN_SKIPPED, None, None, why)
