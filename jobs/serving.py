"""What serves each program tonight: the champion if it may score here, else the program's fallback rule, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from contracts.errors import RegistryError
from jobs.decisions import Decision, trail
from jobs.fitness import unfit
from jobs.registry import RegisteredModel, champion, latest, model_name


@dataclass(frozen=True)
class Serving:
    """How a program is ranked tonight.

    Attributes:
        verdict: `publish` ranks by effect, `fallback` by the program's rule, `blocked` calls nobody.
        sentence: why, in one sentence; it stands in every row.
        model: what scores, None when no model may.
        is_alarming: a person should know: a model that was to serve cannot.
    """

    verdict: str
    sentence: str
    model: RegisteredModel | None = None
    is_alarming: bool = False

    @property
    def model_version(self) -> str:
        """As published."""
        return self.model.label if self.model else "none"


def serving(data_source: str, program: str, night: date = date.max) -> Serving:
    """What serves a program of a source on a night. Never raises for a model or registry that cannot be used.

    A model that was trained on what became known after the night does not score it: its list would owe to outcomes that
    nobody knew.
    """
    try:
        model = champion(data_source, program)
        if model is None:
            if (taken_off := trail(model_name(data_source, program)).taken_off()) is not None:
                return _rolled_back(taken_off)
            trained = latest(data_source, program)
            return _without_champion(None if trained is not None and _is_later(trained, night) else trained)
    except RegistryError as error:
        return Serving("fallback", f"No model scores tonight: {error.what}", is_alarming=True)
    if _is_later(model, night):
        learnt = model.tags["trained_as_of"]
        return Serving("fallback", f"{model.label} learnt from what was known on {learnt}, after this night.")
    if (why := unfit(model)) is not None:
        return refused(model, why)
    return Serving(model.verdict, model.tags["verdict_sentence"], model)


def refused(model: RegisteredModel, why: str) -> Serving:
    """The fallback rule in place of a champion that cannot be used.

    Args:
        model: the champion.
        why: a phrase without a full stop.
    """
    return Serving("fallback", f"{model.label} does not score tonight: {why}.", is_alarming=True)


def _is_later(model: RegisteredModel, night: date) -> bool:
    as_of = model.tags.get("trained_as_of")
    return as_of is not None and date.fromisoformat(as_of) > night


def _rolled_back(decision: Decision) -> Serving:
    """A person chose the rule, which needs no estimate: gates of later trainings, also blocking ones, do not take that
    choice back. The reason given stays out of rows that many read; it is in `ops.model_decision`."""
    return Serving("fallback", f"No model is to serve: the last was taken off on {decision.decided_at:%Y-%m-%d}.")


def _without_champion(trained: RegisteredModel | None) -> Serving:
    if trained is None:
        return Serving("fallback", "No model has been trained yet.")
    if trained.verdict != "publish":  # no approval would let it rank
        return Serving(trained.verdict, trained.tags["verdict_sentence"])
    return Serving("fallback", f"{trained.label} waits for approval.")
