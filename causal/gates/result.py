"""One gate's answer, and the verdict over all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

Status = Literal["pass", "fail", "inconclusive"]
Verdict = Literal["publish", "fallback", "blocked"]

# Without a clear pass of these, nothing shows that ranking by effect helps.
MUST_PASS = ("heterogeneity", "beats_simple_rules", "value_at_capacity")


@dataclass(frozen=True)
class GateResult:
    """Status, what was measured against what, and one sentence for a program manager."""

    name: str
    arm: str
    status: Status
    hard: bool
    value: float | None
    threshold: float | None
    sentence: str


def verdict(results: Iterable[GateResult]) -> Verdict:
    """blocked if a hard gate fails; publish if no gate fails and every gate of MUST_PASS passes; else fallback.

    An inconclusive hard gate (no placebo outcome given, too little power) does not block by itself.
    """
    found = list(results)
    if any(r.hard and r.status == "fail" for r in found):
        return "blocked"
    passed = {r.name for r in found if r.status == "pass"}
    if any(r.status == "fail" for r in found) or not passed.issuperset(MUST_PASS):
        return "fallback"
    return "publish"


def gate_rows(results: Iterable[GateResult]) -> pd.DataFrame:
    """Gates as a frame: name, arm, status, hard, value, threshold, sentence."""
    columns = ["name", "arm", "status", "hard", "value", "threshold", "sentence"]
    return pd.DataFrame([[getattr(r, c) for c in columns] for r in results], columns=columns)
