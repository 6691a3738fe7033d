"""Outreach programs as typed configuration: what is offered, to whom, for what outcome, within what capacity."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from contracts.errors import ConfigError
from contracts.monitoring import Monitoring
from contracts.tables.core import EVENT_TYPES
from contracts.tables.shapes import CHANNELS
from contracts.unique_keys import UniqueKeyLoader

_FILE = Path(__file__).with_name("programs.yaml")
# A training judges no smaller and no larger share of the ranking than these, whatever the capacity reaches.
LEAST_REACH, MOST_REACH = 0.1, 0.5

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]


class Frozen(BaseModel):
    """Base of configuration objects: immutable, unknown fields and infinite numbers refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Outcome(Frozen):
    """The clinical outcome an offer should change; dollars are derived from it, never the target (Obermeyer 2019)."""

    event_types: tuple[str, ...] = Field(min_length=1, description="Events of `core.outcome_event` that count.")
    measure: Literal["count", "days"] = Field(
        description="Events that start in the horizon, or days of events within it."
    )
    horizon_days: int = Field(gt=0, description="Follow-up from time zero.")
    better: Literal["lower", "higher"]
    unit: str = Field(description="Plain words, as printed in reports.")
    usd_per_unit: float = Field(gt=0, description="Planning value of one unit of benefit.")

    @property
    def sign(self) -> float:
        """What turns an effect into a benefit, positive is good."""
        return -1.0 if self.better == "lower" else 1.0

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

    @field_validator("overlapping")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression ({error})") from None
        return value

    @property
    def feature(self) -> str:
        """The feature measured."""
        return self.measure.split(" - ")[0].strip()

    @property
    def less(self) -> tuple[str, ...]:
        """Features taken off it."""
        return tuple(part.strip() for part in self.measure.split(" - ")[1:])


class Team(Frozen):
    """Who makes the contacts, for one program or several."""

    hours_per_night: float | None = Field(None, gt=0, description="Working time a night; None: not a limit.")
    languages: tuple[Language, ...] | None = Field(
        None, min_length=1, description="ISO 639-1 codes of what the team speaks; None: every language (interpreters)."
    )


class Channel(Frozen):
    """One way of offering a program.

    Attributes:
        effect_share: how much of the program's estimated effect an offer through this channel is assumed to keep. An
            assumption of the plan, not a finding: the effect is estimated for offers as they were made, most of them
            through the program's first channel. So the first has 1, and no channel may claim more than was measured.
    """

    team: str
    minutes: float = Field(gt=0, description="Of the team's time per contact.")
    cost_usd: float = Field(ge=0, description="Per contact.")
    effect_share: float = Field(1.0, gt=0, le=1)
    languages: tuple[Language, ...] | None = Field(
        None, min_length=1, description="Where the channel has fewer languages than its team, e.g. text templates."
    )


class Program(Frozen):
    """One program. Days are calendar days in the plan's time zone; SQL is over `features.member_feature`."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Part of the names of models, files and columns.")
    title: str
    offer: str = Field(description="What the member is offered, in one sentence.")
    outcome: Outcome
    eligibility: str = Field(description="SQL: who the program is for.")
    placebos: tuple[PastMeasure, ...] = Field(
        min_length=1, description="The same outcome in windows before time zero that nobody chooses members by."
    )
    min_lookback_days: int = Field(90, ge=0, description="Enrolled days needed in the year before time zero.")
    grace_days: int = Field(
        ge=0, description="An offer within so many days of the index date makes the member treated."
    )
    washout_days: int = Field(
        ge=0, description="No offer of the same program within so many days before the index date."
    )
    cooldown_days: int = Field(ge=0, description="No new offer so many days after the last.")
    runout_days: int = Field(ge=0, description="Claims run-out after the horizon before an index date may train.")
    training_months: int = Field(18, gt=0, description="Monthly index dates looked back on.")
    channels: dict[str, Channel] = Field(
        min_length=1, description="Ways of offering it. The first is the usual one, through which exploration is made."
    )
    capacity_per_night: int = Field(gt=0, description="Offers of the program in a day, through all channels together.")
    holdout_share: float = Field(
        gt=0, lt=0.5, description="Persistent random share that is never offered, to measure truth."
    )
    explore_share: float = Field(ge=0, lt=0.5, description="Share of capacity offered at random below the cut.")
    rank_by: Literal["expected_value", "lower_limit"] = Field(
        "expected_value",
        description="Rank by the expected net value, or, more cautiously, by what it is at the end of the effect's 95 % interval that promises least; who has no interval is then not offered the program.",
    )
    largest_chance_of_harm: float | None = Field(
        None,
        gt=0,
        le=0.5,
        description="Nobody is offered the program whose chance of a harmful effect, by its estimate and interval, is above this; nor who has no interval. None: an expected benefit is enough. Only where the ranking is by effect.",
    )
    fallback: str = Field(description="SQL: rank by this, descending, when no estimate of effect may be used.")
    fallback_reason: str

    @field_validator("channels")
    @classmethod
    def _known_channels(cls, channels: dict[str, Channel]) -> dict[str, Channel]:
        if unknown := set(channels) - set(CHANNELS):
            raise ValueError(f"unknown channels {sorted(unknown)}; known: {', '.join(CHANNELS)}")
        first = next(iter(channels))
        if channels[first].effect_share != 1:
            raise ValueError(f"effect_share of the first channel, {first}, must be 1")
        return channels

    @property
    def first_channel(self) -> str:
        """The usual way of offering the program."""
        return next(iter(self.channels))

    @property
    def explored_per_night(self) -> int:
        """Places that are drawn at random below the cut."""
        return round(self.capacity_per_night * self.explore_share)

    @property
    def ranked_per_night(self) -> int:
        """Places that are filled by rank."""
        return self.capacity_per_night - self.explored_per_night

    @property
    def cost_per_contact_usd(self) -> float:
        """Of an offer through the first channel."""
        return self.channels[self.first_channel].cost_usd


class Programs(Frozen):
    """All programs, and what they share.

    Attributes:
        holdout_salt: changing it re-draws every persistent holdout.
        monitoring: limits of the alarms.
        negative_controls: for every program; at least 20 that vary are needed for their gate to speak.
    """

    holdout_salt: str = Field(min_length=1)
    monitoring: Monitoring = Monitoring()
    negative_controls: tuple[PastMeasure, ...] = ()
    nightly_budget_usd: float | None = Field(None, gt=0, description="For all contacts of a night; None: not a limit.")
    teams: dict[str, Team]
    programs: dict[str, Program] = Field(min_length=1)

    @model_validator(mode="after")
    def _teams_fit(self) -> Self:
        for key, program in self.programs.items():
            for name, channel in program.channels.items():
                field = f"programs.{key}.channels.{name}"
                team = self.teams.get(channel.team)
                if team is None:
                    known = ", ".join(self.teams)
                    raise ValueError(f"field {field}.team: no team is called {channel.team}; known: {known}")
                if team.hours_per_night is not None and channel.minutes > 60 * team.hours_per_night:
                    raise ValueError(f"field {field}.minutes: one contact takes longer than {channel.team} has a night")
                if team.languages is not None and not set(channel.languages or ()) <= set(team.languages):
                    raise ValueError(f"field {field}.languages: more than {channel.team} speaks")
        return self

    @property
    def past_features(self) -> tuple[str, ...]:
        """Features that placebo outcomes and negative controls are measured by, each once."""
        past = [*self.negative_controls, *(measure for p in self.programs.values() for measure in p.placebos)]
        return tuple(dict.fromkeys(name for measure in past for name in (measure.feature, *measure.less)))

    def languages(self, program: str, channel: str) -> tuple[str, ...] | None:
        """What a program's channel speaks; None: every language."""
        offered = self.programs[program].channels[channel]
        return offered.languages or self.teams[offered.team].languages


def load_programs(path: Path = _FILE) -> Programs:
    """Read and check a programs file.

    Raises:
        ConfigError: unreadable, or a field is missing, unknown or out of range; the message names it.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)
        for key, entry in document["programs"].items():
            entry["key"] = key
        return Programs.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise ConfigError(
            f"{path.name}: field {where}: {what}." if where else f"{path.name}: {what}.",
            todo="mend the field; contracts/programs.py documents it",
        ) from error
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
        raise ConfigError(f"{path.name}: {line}{error.problem}.", todo="mend the line") from error
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path.name} is not a programs file ({type(error).__name__}).",
            expected="`holdout_salt` and the maps `teams` and `programs`",
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
