"""What sorts of alerts there are, and where the runbook says what to do about each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

RUNBOOK = "docs/runbook.md"
# Kind of alert, and in one phrase what happened.
ALERT_KINDS: Mapping[str, str] = MappingProxyType({
    "failure": "a run failed",
    "lateness": "a list is late",
    "contract": "a table broke its contract",
    "gate": "a training's gates blocked a program",
    "model": "a model cannot serve or be compared",
    "drift": "features or scores have moved",
    "realized_uplift": "past lists did other than predicted",
})  # fmt: skip


def section(kind: str) -> str:
    """The runbook's section about a kind of alert, as a link; a kind that is none has the page itself."""
    return f"{RUNBOOK}#{kind.replace('_', '-')}" if kind in ALERT_KINDS else RUNBOOK
