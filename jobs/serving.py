"""What serves each program tonight: the champion if it may score here, else the program's fallback rule, with the reason."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.errors import RegistryError
from jobs.fitness import unfit
from jobs.registry import RegisteredModel, champion, latest


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


def serving(data_source: str, program: str) -> Serving:
    """What serves a program of a source tonight. Never raises for a model or registry that cannot be used."""
    try:
        model = champion(data_source, program)
        if model is None:
            return _without_champion(latest(data_source, program))
    except RegistryError as error:
        return Serving("fallback", f"No model scores tonight: {error.what}", is_alarming=True)
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


def _without_champion(trained: RegisteredModel | None) -> Serving:
    if trained is None:
        return Serving("fallback", "No model has been trained yet.")
    if trained.verdict != "publish":  # no approval would let it rank
        return Serving(trained.verdict, trained.tags["verdict_sentence"])
    return Serving("fallback", f"{trained.label} waits for approval.")
