"""The YAML of `outreach study` as a typed object; nothing here touches data.

Belongs here: field names, defaults, cross-field rules, and the translation of pydantic's errors into
`ConfigError`s that name the field. Does not belong here: reading data (`jobs.study`) or estimation (`causal`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.errors import ConfigError

LEARNERS = ("constant", "linear_dr", "bayes_r", "forest_dr", "causal_forest", "x_learner", "dr_boosted")
LearnerName = Literal["constant", "linear_dr", "bayes_r", "forest_dr", "causal_forest", "x_learner", "dr_boosted"]
Level = str | int | float | bool


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TreatmentSpec(_Part):
    """Which column says what was offered, and which of its values are arms."""

    column: str
    control: Level
    treated: Annotated[list[Level], Field(min_length=1)]

    @model_validator(mode="after")
    def _arms_are_distinct(self) -> TreatmentSpec:
        names = [str(v) for v in self.treated]
        if len(set(names)) != len(names):
            raise ValueError("treated: the same arm is listed twice")
        if str(self.control) in names:
            raise ValueError("control: the control value is also listed under treated")
        return self


class OutcomeSpec(_Part):
    """What is measured after the index date, in which direction it is good, and what one unit costs."""

    column: str
    better: Literal["lower", "higher"]
    unit: str | None = None
    usd_per_unit: Annotated[float, Field(ge=0)] | None = None


class CovariateSpec(_Part):
    """`include` omitted means every column that has no other role."""

    include: list[str] | None = None
    exclude: list[str] = []


class RandomizedColumn(_Part):
    """A column holds every row's probability of the treated arm; empty where nobody randomised."""

    column: str


class RandomizedArms(_Part):
    """One probability per arm, control included."""

    arms: dict[str, Annotated[float, Field(gt=0, lt=1)]]

    @model_validator(mode="after")
    def _sum_to_one(self) -> RandomizedArms:
        total = sum(self.arms.values())
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"arms: the probabilities must sum to 1, they sum to {total:g}")
        return self


class Randomized(_Part):
    """A number (probability of the treated arm), a column of probabilities, or one probability per arm."""

    randomized: Annotated[float, Field(gt=0, lt=1)] | RandomizedColumn | RandomizedArms


class SplitSpec(_Part):
    """Share of clusters kept aside for evaluation."""

    test_fraction: Annotated[float, Field(ge=0.1, le=0.9)] = 0.5


class BudgetSpec(_Part):
    """Share of people whom the capacity reaches."""

    fraction: Annotated[float, Field(gt=0, le=1)] = 0.2


class StudySpec(_Part):
    """One study: who, which treatment, which outcome, what may confound, how much capacity.

    `groups` are columns by which fairness is reported (numbers with many values in quarters). They stay covariates unless
    `covariates` leaves them out.
    """

    name: Annotated[str, Field(min_length=1)]
    data: str | None = None
    table: str | None = None
    unit_id: str | None = None
    treatment: TreatmentSpec
    outcome: OutcomeSpec
    covariates: CovariateSpec = CovariateSpec()
    cluster: str | None = None
    weights: str | None = None
    assignment: Literal["observational"] | Randomized = "observational"
    placebo_outcomes: list[str] = []
    negative_controls: list[str] = []
    groups: list[str] = []
    split: SplitSpec = SplitSpec()
    budget: BudgetSpec = BudgetSpec()
    learners: Literal["auto"] | Annotated[list[LearnerName], Field(min_length=1)] = "auto"

    @model_validator(mode="after")
    def _one_input_and_known_arms(self) -> StudySpec:
        if self.data is not None and self.table is not None:
            raise ValueError("data: give either data or table, not both")
        if self.outcome.column == self.treatment.column:
            raise ValueError("outcome.column: is the treatment column")
        if clash := {self.treatment.column, self.outcome.column} & set(self.groups):
            raise ValueError(f"groups: `{min(clash)}` is the treatment or the outcome")
        if isinstance(self.assignment, Randomized):
            if isinstance(self.assignment.randomized, RandomizedArms):
                missing = {str(v) for v in [self.treatment.control, *self.treatment.treated]} - set(
                    self.assignment.randomized.arms
                )
                if missing:
                    raise ValueError(f"assignment.randomized.arms: no probability for {sorted(missing)}")
            elif isinstance(self.assignment.randomized, float) and len(self.treatment.treated) > 1:
                raise ValueError("assignment.randomized: several arms need one probability per arm (arms: {...})")
        return self

    @property
    def role_columns(self) -> frozenset[str]:
        """Columns that can never be covariates."""
        roles = [self.treatment.column, self.outcome.column, self.unit_id, self.cluster, self.weights]
        if isinstance(self.assignment, Randomized) and isinstance(self.assignment.randomized, RandomizedColumn):
            roles.append(self.assignment.randomized.column)
        return frozenset([c for c in roles if c] + self.placebo_outcomes + self.negative_controls)


def parse_study(raw: Mapping[str, Any], *, source: str = "study") -> StudySpec:
    """Validate a mapping. Raises `ConfigError` that names the first wrong field and counts the others."""
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{source} is not a mapping of fields.", expected="`name: ...` and so on")
    try:
        return StudySpec.model_validate(dict(raw))
    except ValidationError as error:
        raise _named(error, source) from None


def load_study(path: Path) -> StudySpec:
    """Read and validate one YAML file. Raises `ConfigError`."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"The study file {path.name} does not exist.", todo="check the path.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"The study file {path.name} is not valid YAML.", actual=str(error).split("\n")[0]) from None
    return parse_study(raw, source=path.name)


def _named(error: ValidationError, source: str) -> ConfigError:
    """First error as `field: reason`; union branch names are left out of the path."""
    problems = []
    for item in error.errors():
        path = [str(p) for p in item["loc"] if not _is_union_branch(p)]
        message = item["msg"].removeprefix("Value error, ")
        problems.append((".".join(path), message))
    # The deepest path is the most specific one when a union reports every branch.
    field, message = max(problems, key=lambda p: p[0].count(".")) if len(problems) > 1 else problems[0]
    where = f"`{field}`: " if field else ""
    more = f" ({len(problems) - 1} further problems.)" if len(problems) > 1 else ""
    return ConfigError(f"{source}: {where}{message}.{more}", todo="mend that field of the study.")


def _is_union_branch(part: int | str) -> bool:
    text = str(part)
    return "[" in text or text in {"Randomized", "RandomizedArms", "RandomizedColumn", "float", "constrained-float"}
