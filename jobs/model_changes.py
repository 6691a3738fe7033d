"""A decision and what follows from it: the row of `ops.model_decision` and the cards drawn again.

What serves is changed by the decision alone. What follows can fail without undoing it; it is then made up for by the
next night or the next look at the card, and the caller is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from contracts.errors import ModelUnavailableError
from jobs.decision_table import record_decisions
from jobs.decisions import Decision, approve, person, promote, roll_back
from jobs.ledger import safe_message
from jobs.model_card.write import redraw_card
from jobs.registry import RegisteredModel, model_version
from jobs.session import spark_session


@dataclass(frozen=True)
class Changed:
    """A decision as taken; `notes` say what did not follow yet."""

    decision: Decision
    notes: tuple[str, ...]


def approve_model(model: RegisteredModel, note: str, by: str | None) -> Changed:
    """A person approves a version; see `jobs.decisions.approve`."""
    return _followed(approve(model, person(by), note))


def promote_model(model: RegisteredModel, note: str, by: str | None) -> Changed | None:
    """A person promotes a version; None when it serves already. See `jobs.decisions.promote`."""
    decision = promote(model, person(by), note)
    return None if decision is None else _followed(decision)


def roll_back_model(name: str, reason: str, by: str | None, to: int | Literal["previous", "none"]) -> Changed:
    """A person takes the champion off; see `jobs.decisions.roll_back`."""
    return _followed(roll_back(name, person(by), reason, to))


def _followed(decision: Decision) -> Changed:
    notes = []
    for version in dict.fromkeys((decision.version, decision.previous)):
        if version is None:
            continue
        try:
            redraw_card(model_version(decision.name, version))
        except ModelUnavailableError as error:
            notes.append(error.what)
        except Exception as error:  # the decision is taken; its card is drawn again when somebody looks
            notes.append(f"The card of {decision.name}/{version} is not drawn again yet ({safe_message(error)}).")
    try:
        record_decisions(spark_session())
    except Exception as error:  # the decision stands in the registry; the next night appends it
        notes.append(f"ops.model_decision gets its row with the next night ({safe_message(error)}).")
    return Changed(decision, tuple(notes))
