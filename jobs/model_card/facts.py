"""What a card says of a training, as frozen data whose small counts are already hidden; kept as JSON beside the model.

Decisions are not part of it: they come after training, and are read from the registry whenever the card is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from pydantic import TypeAdapter

from jobs.report.night import Evidence, Interval, Plan


@dataclass(frozen=True)
class TrialAspect:
    """One row of the target-trial table: what the ideal trial would do, and what was done here."""

    aspect: str
    ideal: str
    here: str


@dataclass(frozen=True)
class FeatureFact:
    """One covariate; `share` of what explains the model's differences, None where nothing was explained."""

    name: str
    meaning: str
    unit: str | None
    window: str | None
    share: float | None


@dataclass(frozen=True)
class Metric:
    """One held-out measure of a ranking, or of the model's ranking less another on the same people."""

    ranking: str
    metric: str
    found: Interval


@dataclass(frozen=True)
class Subgroup:
    """What the ranking does to one group of members kept aside; every number None where the group is too small.

    Attributes:
        dimension, name: e.g. `sex` and `female`.
        people: of the group, rounded to 10.
        called, called_by_risk: share that would be called, by the model's ranking and by risk.
        benefit: measured benefit of those called by the model.
        calibration_gap: measured less predicted benefit, less the same in everyone; 0 is fair.
    """

    dimension: str
    name: str
    people: int | None
    called: float | None
    called_by_risk: float | None
    benefit: Interval | None
    calibration_gap: Interval | None


@dataclass(frozen=True)
class Reproduction:
    """All that is needed to train the same model again.

    Attributes:
        tables: (name, Delta version) read by the training.
        contracts, libraries: (name, version) that a scoring process must have too.
    """

    run_id: str
    seed: int
    code_version: str
    feature_version: str
    program_version: str
    python: str
    tables: tuple[tuple[str, int], ...]
    contracts: tuple[tuple[str, str], ...]
    libraries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CardFacts:
    """One trained model.

    Attributes:
        name, version: in the registry.
        data_source: whose members.
        is_simulated: the members of this state folder are simulated.
        plan: the program's settings.
        evidence: cohort, gates and held-out effects, as the nightly report shows them.
        estimand: what is estimated, in one sentence.
        randomised_share: of the person-trials trained on.
        explained: what the shares of `features` explain: `benefit` or `need`; None: nothing.
        explained_r2: how far, on rows that the explanation has not seen.
        subgroups: None where no such table exists.
    """

    name: str
    version: int
    data_source: str
    is_simulated: bool
    trained_at: datetime
    verdict: str
    plan: Plan
    evidence: Evidence
    estimand: str
    trial: tuple[TrialAspect, ...]
    randomised_share: float
    first_index: date | None
    last_index: date | None
    metrics: tuple[Metric, ...]
    explained: str | None
    explained_r2: float | None
    features: tuple[FeatureFact, ...]
    subgroups: tuple[Subgroup, ...] | None
    limits: tuple[str, ...]
    uses: tuple[str, ...]
    misuses: tuple[str, ...]
    reproduction: Reproduction

    @property
    def label(self) -> str:
        """As in `model_version` of published rows."""
        return f"{self.name}/{self.version}"

    @property
    def is_randomised(self) -> bool:
        """Every person-trial trained on had its offer drawn at random."""
        return self.randomised_share >= 1.0


_ADAPTER = TypeAdapter(CardFacts)


def to_json(facts: CardFacts) -> str:
    """The facts as an indented JSON document."""
    return _ADAPTER.dump_json(facts, indent=1).decode()


def read_facts(path: Path) -> CardFacts:
    """The facts of a card written earlier.

    Raises:
        OSError: no such file.
        ValueError: the file is no card, or of another version of this program.
    """
    return _ADAPTER.validate_json(path.read_bytes())
