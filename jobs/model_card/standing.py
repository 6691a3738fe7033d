"""Where a model stands now, read from the registry whenever a card is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.decisions import Decision, trail
from jobs.fitness import unfit
from jobs.registry import CHALLENGER, CHAMPION, RegisteredModel, aliased


@dataclass(frozen=True)
class Standing:
    """A version's place, and what was decided about it.

    Attributes:
        verdict: of its gates.
        serves: it is the champion.
        is_latest: it was trained last.
        unfit: why it may not score here, None when it may.
        approval: the approval that holds, None without one.
        decisions: those about this version, and those that took it off.
    """

    verdict: str
    serves: bool
    is_latest: bool
    unfit: str | None
    approval: Decision | None
    decisions: tuple[Decision, ...]

    @property
    def words(self) -> str:
        """In a few words."""
        if self.serves:
            return "Champion: it serves" if self.unfit is None else "Champion, but it may not score"
        if self.is_latest and self.verdict == "blocked":
            return "Challenger: blocked, it may not be approved"
        if self.is_latest:
            return "Challenger: approved, waits to be promoted" if self.approval else "Challenger: waits for approval"
        return "Not in use"


def standing(model: RegisteredModel) -> Standing:
    """Where a version stands now."""
    champion, latest = aliased(model.name, CHAMPION), aliased(model.name, CHALLENGER)
    found = trail(model.name)
    return Standing(
        verdict=model.verdict,
        serves=champion is not None and champion.version == model.version,
        is_latest=latest is not None and latest.version == model.version,
        unfit=unfit(model),
        approval=found.approval(model.version),
        decisions=tuple(d for d in found.decisions if _is_about(d, model.version)),
    )


def _is_about(decision: Decision, version: int) -> bool:
    return decision.version == version or (decision.action == "rollback" and decision.previous == version)
