"""The YAML of `outreach study` as a typed object; nothing here touches data.

Belongs here: field names, defaults, cross-field rules, and the translation of pydantic's errors into
`ConfigError`s that name the field. Does not belong here: reading data (`jobs.study`) or estimation (`causal`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from contracts.errors import ConfigError
from contracts.unique_keys import UniqueKeyLoader

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

LearnerName = Literal[
    "constant",
    "linear_dr",
    "relative_lasso",
    "lasso_bayes",
    "bayes_r",
    "forest_dr",
    "causal_forest",
    "x_learner",
    "dr_boosted",
]
LEARNERS: tuple[str, ...] = get_args(LearnerName)
Level = str | int | float | bool


# A flag or a text in place of a number is a slip, not a number.
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Probability = Annotated[_Number, Field(gt=0, lt=1)]


class _Part(BaseModel):
    # Column names such as 2019 are numbers in YAML.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class TreatmentSpec(_Part):
    """Which column says what was offered, and which of its values are arms."""

    column: str
    control: Level
    treated: Annotated[list[Level], Field(min_length=1)]

    @model_validator(mode="after")
    def _arms_are_distinct(self) -> TreatmentSpec:
        names = [str(v) for v in self.treated]
        for field, values in (("control", [str(self.control)]), ("treated", names)):
            if not all(value.strip() for value in values):
                raise ValueError(f"{field}: an arm is a value; rows whose field is empty are left out")
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
    usd_per_unit: Annotated[_Number, Field(ge=0)] | None = None


class CovariateSpec(_Part):
    """`include` omitted means every column that has no other role.

    Placebo outcomes, negative controls and the cluster are covariates only where `include` names them; a placebo outcome
    is then left out of its own check.
    """

    include: list[str] | None = None
    exclude: list[str] = []


class RandomizedColumn(_Part):
    """A column holds every row's probability of the treated arm; empty where nobody randomised."""

    column: str


class RandomizedArms(_Part):
    """One probability per arm, control included."""

    arms: dict[str, _Probability]

    @model_validator(mode="after")
    def _sum_to_one(self) -> RandomizedArms:
        total = sum(self.arms.values())
        # 0.33, 0.33 and 0.33 are meant as thirds.
        if abs(total - 1.0) > 0.015:
            raise ValueError(f"arms: the probabilities must sum to 1, they sum to {total:g}")
        return self


def _kind_of_probability(value: Any) -> str:
    if isinstance(value, RandomizedArms) or (isinstance(value, Mapping) and "arms" in value):
        return "by_arms"
    return "by_column" if isinstance(value, RandomizedColumn | Mapping) else "by_number"


def _kind_of_assignment(value: Any) -> str:
    return "by_chance" if isinstance(value, Randomized | Mapping) else "by_people"


class Randomized(_Part):
    """A number (probability of the treated arm), a column of probabilities, or one probability per arm."""

    randomized: Annotated[
        Annotated[_Probability, Tag("by_number")]
        | Annotated[RandomizedColumn, Tag("by_column")]
        | Annotated[RandomizedArms, Tag("by_arms")],
        Discriminator(_kind_of_probability),
    ]


class SplitSpec(_Part):
    """Share of clusters kept aside for evaluation."""

    test_fraction: Annotated[_Number, Field(ge=0.1, le=0.9)] = 0.5


class BudgetSpec(_Part):
    """Share of people whom the capacity reaches."""

    fraction: Annotated[_Number, Field(gt=0, le=1)] = 0.2


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
    assignment: Annotated[
        Annotated[Literal["observational"], Tag("by_people")] | Annotated[Randomized, Tag("by_chance")],
        Discriminator(_kind_of_assignment),
    ] = "observational"
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
        if clash := {self.treatment.column, self.outcome.column} & set(self.groups):
            raise ValueError(f"groups: `{min(clash)}` is the treatment or the outcome")
        roles: dict[str, str] = {}
        for field, column in self._roles():
            if column in roles:
                raise ValueError(f"{field}: `{column}` is already {roles[column]}")
            roles[column] = field
        for field in ("placebo_outcomes", "negative_controls"):
            columns: list[str] = getattr(self, field)
            for i, column in enumerate(columns):
                if column in roles or column in columns[:i]:
                    raise ValueError(f"{field}: `{column}` is already {roles.get(column, 'in this list')}")
        if isinstance(self.assignment, Randomized):
            if isinstance(self.assignment.randomized, RandomizedArms):
                missing = {str(v) for v in [self.treatment.control, *self.treatment.treated]} - set(
                    self.assignment.randomized.arms
                )
                if missing:
                    raise ValueError(f"assignment.randomized.arms: no probability for {sorted(missing)}")
            elif len(self.treatment.treated) > 1:
                raise ValueError("assignment.randomized: several arms need one probability per arm (arms: {...})")
        return self

    def _roles(self) -> list[tuple[str, str]]:
        """(field, column) of every role that a column can have only one of."""
        found = [
            ("treatment.column", self.treatment.column),
            ("outcome.column", self.outcome.column),
            ("unit_id", self.unit_id),
            ("cluster", None if self.cluster == self.unit_id else self.cluster),
            ("weights", self.weights),
        ]
        if isinstance(self.assignment, Randomized) and isinstance(self.assignment.randomized, RandomizedColumn):
            found.append(("assignment.randomized.column", self.assignment.randomized.column))
        return [(field, column) for field, column in found if column is not None]

    @property
    def never_covariates(self) -> frozenset[str]:
        """Columns that may not be adjusted for."""
        return frozenset(column for field, column in self._roles() if field != "cluster")

    @property
    def role_columns(self) -> frozenset[str]:
        """Columns that are not covariates unless the study names them."""
        return frozenset([column for _, column in self._roles()] + self.placebo_outcomes + self.negative_controls)


def parse_study(raw: Mapping[str, Any], *, source: str = "study") -> StudySpec:
    """Validate a mapping. Raises `ConfigError` that names the first wrong field and counts the others."""
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{source} is not a mapping of fields.", expected="`name: ...` and so on")
    try:
        return StudySpec.model_validate(_without_nulls(raw))
    except RecursionError:
        raise ConfigError(f"{source} holds fields within fields without end.") from None
    except ValidationError as error:
        raise _named(error, source) from None


def load_study(path: Path) -> StudySpec:
    """Read and validate one YAML file. Raises `ConfigError`."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)
    except FileNotFoundError:
        raise ConfigError(f"The study file {path.name} does not exist.", todo="check the path.") from None
    except OSError as error:
        raise ConfigError(f"The study file {path.name} cannot be read.", actual=error.strerror) from None
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(f"The study file {path.name} is not valid YAML.", actual=f"{line}{error.problem}") from None
    except RecursionError:
        raise ConfigError(
            f"The study file {path.name} is not valid YAML.", actual="fields within fields without end"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"The study file {path.name} is not valid YAML.", actual=str(error).split("\n")[0]) from None
    return parse_study(raw, source=path.name)


class _Loader(UniqueKeyLoader):
    """YAML whose `yes`, `no`, `on`, `off`, dates and codes stay words: they may be names of arms."""


# As in YAML 1.2: `010` is a word (1.1: eight) and `1e3` a number.
_NUMBERS = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(0|[1-9][0-9_]*)$"),
    "tag:yaml.org,2002:float": re.compile(
        r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
    ),
}
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, _NUMBERS.get(tag, pattern))
        for tag, pattern in found
        if not (tag == "tag:yaml.org,2002:bool" and first in "yYnNoO") and tag != "tag:yaml.org,2002:timestamp"
    ]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _without_nulls(raw: Mapping[Any, Any]) -> dict[str, Any]:
    """A field left empty is a field left out."""
    return {str(k): _without_nulls(v) if isinstance(v, Mapping) else v for k, v in raw.items() if v is not None}


def _named(error: ValidationError, source: str) -> ConfigError:
    """First wrong field as `field: reason`, and how many others there are; an unknown field before what it leaves missing."""
    problems: dict[tuple[str, ...], tuple[str, str | None]] = {}
    for item in error.errors():
        path, message, expected = _problem(item)
        problems.setdefault(path, (message, expected))
    # A union complains of the whole field too when something in it is wrong.
    fields = [p for p in problems if not any(p == other[: len(p)] for other in problems if other != p)]
    first = max(fields, key=lambda path: (problems[path][0] == _PLAIN["extra_forbidden"], len(path)))
    message, expected = problems[first]
    where = f"`{'.'.join(first)}`: " if first else ""
    count = len(fields) - 1
    more = f" ({count} further problem{'s' if count > 1 else ''}.)" if count else ""
    return ConfigError(f"{source}: {where}{message}.{more}", expected=expected, todo="mend that field of the study.")


def _problem(item: ErrorDetails) -> tuple[tuple[str, ...], str, str | None]:
    """Path of a field without the names of union branches, what is wrong with it, and what may stand there."""
    path = tuple(str(p) for p in item["loc"] if not _is_union_branch(p))
    if path[:1] == ("treatment",) and path[-1] in _LEVEL_TYPES:
        return path[:-1], "must be text, a number or a flag", None
    if path in _FORMS:
        return path, *_FORMS[path]
    message = _PLAIN.get(item["type"], item["msg"].removeprefix("Value error, "))
    if named := re.match(r"([a-z_.]+): (.*)", message):
        path, message = (*path, *named[1].split(".")), named[2]
    if item["type"] == "model_type":
        return path, message, ", ".join(f"`{name}`" for name in _fields(path)) or None
    return path, message, _known_fields(path) if item["type"] == "extra_forbidden" else None


def _known_fields(path: tuple[str, ...]) -> str | None:
    """The fields nearest to an unknown one, or else all that its part of the study has."""
    if path[0] == "assignment":
        return _FORMS["assignment",][1]
    names = _fields(path[:-1])
    near = get_close_matches(path[-1], names, n=1, cutoff=0.7)
    return " or ".join(f"`{name}`" for name in near or names) or None


def _fields(path: tuple[str, ...]) -> list[str]:
    """Names of the fields that a part of a study has."""
    part: Any = StudySpec
    for name in path:
        part = part.model_fields[name].annotation if name in getattr(part, "model_fields", {}) else None
    return list(getattr(part, "model_fields", {}))


_LEVEL_TYPES = frozenset(kind.__name__ for kind in get_args(Level))
# What may stand in a field of which pydantic would name one branch only.
_FORMS: dict[tuple[str, ...], tuple[str, str]] = {
    ("assignment",): (
        "must say who or what decided",
        "`observational`, `{randomized: 0.5}`, `{randomized: {column: p_treated}}` or "
        "`{randomized: {arms: {none: 0.5, mail: 0.5}}}`",
    ),
    ("learners",): ("must be `auto` or a list", "`[...]` with some of " + ", ".join(LEARNERS)),
}
_PLAIN = {
    "missing": "is missing",
    "extra_forbidden": "is no field of a study",
    "model_type": "must hold fields of its own",
    "list_type": "must be a list",
    "string_type": "must be text",
    "too_short": "must not be empty",
}


def _is_union_branch(part: int | str) -> bool:
    text = str(part)
    return "[" in text or text.startswith("by_")
