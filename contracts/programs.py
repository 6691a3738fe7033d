"""Outreach programs as typed configuration: what is offered, to whom, for what outcome, within what capacity."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.errors import ConfigError
from contracts.monitoring import Monitoring
from contracts.tables.core import EVENT_TYPES

_FILE = Path(__file__).with_name("programs.yaml")


class Frozen(BaseModel):
    """Base of configuration objects: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Outcome(Frozen):
    """The clinical outcome an offer should change; dollars are derived from it, never the target (Obermeyer 2019)."""

    event_types: tuple[str, ...] = Field(description="Events of `core.outcome_event` that count.")
    measure: Literal["count", "days"] = Field(
        description="Events that start in the horizon, or days of events within it."
    )
    horizon_days: int = Field(gt=0, description="Follow-up from time zero.")
    better: Literal["lower", "higher"]
    unit: str = Field(description="Plain words, as printed in reports.")
    usd_per_unit: float = Field(gt=0, description="Planning value of one unit of benefit.")

    def model_post_init(self, _: object) -> None:
        if unknown := set(self.event_types) - set(EVENT_TYPES):
            raise ValueError(f"unknown event types {sorted(unknown)}; known: {', '.join(EVENT_TYPES)}")


class PastMeasure(Frozen):
    """Something that happened before time zero, which no offer can have changed: a placebo outcome or negative control.

    Attributes:
        name: as printed in gates and reports.
        measure: a feature, or one less others (`ed_visit_365d_count - ed_visit_90d_count`): an earlier window.
        overlapping: regular expression of the covariates that contain the same days of the same thing. They leave the
            adjustment of this check: adjusting for the measure itself would make its "effect" zero whatever is hidden.
    """

    name: str
    measure: str
    overlapping: str

    @property
    def feature(self) -> str:
        """The feature measured."""
        return self.measure.split(" - ")[0].strip()

    @property
    def less(self) -> tuple[str, ...]:
        """Features taken off it."""
        return tuple(part.strip() for part in self.measure.split(" - ")[1:])


class Program(Frozen):
    """One program. Days are calendar days in the plan's time zone; SQL is over `features.member_feature`."""

    key: str
    title: str
    offer: str = Field(description="What the member is offered, in one sentence.")
    outcome: Outcome
    eligibility: str = Field(description="SQL: who the program is for.")
    placebos: tuple[PastMeasure, ...] = Field(
        min_length=1, description="The same outcome in windows before time zero that nobody chooses members by."
    )
    min_lookback_days: int = Field(90, description="Enrolled days needed in the year before time zero.")
    grace_days: int = Field(
        ge=0, description="An offer within so many days of the index date makes the member treated."
    )
    washout_days: int = Field(
        ge=0, description="No offer of the same program within so many days before the index date."
    )
    cooldown_days: int = Field(ge=0, description="No new offer so many days after the last.")
    runout_days: int = Field(ge=0, description="Claims run-out after the horizon before an index date may train.")
    training_months: int = Field(18, gt=0, description="Monthly index dates looked back on.")
    cost_per_contact_usd: float = Field(ge=0)
    channel: str
    team: str
    capacity_per_night: int = Field(gt=0, description="Offers the team can make in a day.")
    holdout_share: float = Field(
        gt=0, lt=0.5, description="Persistent random share that is never offered, to measure truth."
    )
    explore_share: float = Field(ge=0, lt=0.5, description="Share of capacity offered at random below the cut.")
    fallback: str = Field(description="SQL: rank by this, descending, when no estimate of effect may be used.")
    fallback_reason: str


class Programs(Frozen):
    """All programs, and what they share.

    Attributes:
        holdout_salt: changing it re-draws every persistent holdout.
        monitoring: limits of the alarms.
        negative_controls: for every program; at least 20 that vary are needed for their gate to speak.
    """

    holdout_salt: str
    monitoring: Monitoring = Monitoring()
    negative_controls: tuple[PastMeasure, ...] = ()

    @property
    def past_features(self) -> tuple[str, ...]:
        """Features that placebo outcomes and negative controls are measured by, each once."""
        past = [*self.negative_controls, *(measure for p in self.programs.values() for measure in p.placebos)]
        return tuple(dict.fromkeys(name for measure in past for name in (measure.feature, *measure.less)))

    programs: dict[str, Program]


def load_programs(path: Path = _FILE) -> Programs:
    """Read and check a programs file.

    Raises:
        ConfigError: unreadable, or a field is missing, unknown or out of range; the message names it.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key, entry in document["programs"].items():
            entry["key"] = key
        return Programs.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path.name}: field {where}: {first['msg']}.", todo="mend the field; contracts/programs.py documents it"
        ) from error
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path.name} is not a programs file ({type(error).__name__}).",
            expected="`holdout_salt` and a map `programs`",
        ) from error


@cache
def programs() -> Programs:
    """The shipped programs, read once."""
    return load_programs()


def program(key: str) -> Program:
    """One program by key.

    Raises:
        ConfigError: no such program.
    """
    try:
        return programs().programs[key]
    except KeyError:
        raise ConfigError(f"No program is called {key}.", expected=", ".join(programs().programs)) from None
