"""What a night's report holds: aggregates whose small counts are already hidden, nothing about one person.

`None` as a count means hidden (see `jobs.report.suppression`); nothing that is drawn from these objects can show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True)
class Count:
    """A labelled number of people; None is hidden."""

    label: str
    count: int | None


@dataclass(frozen=True)
class Breakdown:
    """A group of people in parts that add up to it; `total` is None when the whole group is too small."""

    title: str
    rows: tuple[Count, ...]
    total: int | None

    @property
    def has_hidden(self) -> bool:
        """Whether the reader must be told that counts are hidden."""
        return any(row.count is None for row in self.rows)


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95% limits, in the unit that the field holding it names; positive is benefit."""

    value: float
    lower: float | None
    upper: float | None

    def scaled(self, factor: float, shift: float = 0.0) -> Interval:
        """`factor * x + shift` of the estimate and its limits; `factor` must not be negative."""

        def of(x: float | None) -> float | None:
            return None if x is None else factor * x + shift

        return Interval(factor * self.value + shift, of(self.lower), of(self.upper))


@dataclass(frozen=True)
class Reason:
    """How many of those called share a reason; `is_nearly_all` where the exact count would expose the few others."""

    words: str
    count: int | None
    is_nearly_all: bool


@dataclass(frozen=True)
class Gate:
    """One test of the model as a sentence; status is `pass`, `fail` or `inconclusive`."""

    title: str
    status: str
    is_hard: bool
    sentence: str


@dataclass(frozen=True)
class FlowStep:
    """Person-trials left after a step of the cohort, rounded to 10."""

    words: str
    remaining: int | None
    offered: int | None


@dataclass(frozen=True)
class Curve:
    """Benefit per person of all members when the first `share` of a ranking are offered, at each share."""

    ranking: str
    points: tuple[tuple[float, Interval], ...]


@dataclass(frozen=True)
class Balance:
    """Standardised difference of the arms in one covariate, before and after weighting."""

    words: str
    before: float
    after: float


@dataclass(frozen=True)
class ChanceBin:
    """Person-trials whose chance of an offer starts at `lower`, by arm, rounded to 10; None is hidden."""

    lower: float
    offered: int | None
    not_offered: int | None


@dataclass(frozen=True)
class GroupCalled:
    """Share of a group of members kept aside that would be called, by the model and by risk; None: too small to tell."""

    dimension: str
    name: str
    by_model: float | None
    by_risk: float | None


@dataclass(frozen=True)
class Evidence:
    """What is known of a model from people kept aside in its training.

    Attributes:
        is_served: it is the model that made tonight's list (else only the latest training, for information).
        ate: average benefit of an offer per person, in the outcome's unit.
        rankings: benefit per person among the top of each ranking, by `model`, `baseline_risk` and `random`.
        gain_over: paired difference, model minus the other ranking, in the same measure.
        groups: benefit per person by fifth of predicted benefit, lowest first; empty where not estimated.
        curves: by `model`, `baseline_risk`, `random`; empty where a training kept none.
        deciles: (predicted, measured) benefit per person by tenth of predicted benefit, lowest first.
        balance: covariates that differ most, before or after weighting, the largest first.
        overlap: chances of an offer in steps of 0.05.
        called_by_group: for whom the list would be, by group.
        reach: share of people whom `rankings`, `gain_over` and `called_by_group` count as called; None: not on record.
    """

    trained_as_of: date
    model_version: str
    learner: str
    verdict_sentence: str
    is_served: bool
    trial_count: int | None
    offered_count: int | None
    ate: Interval | None
    rankings: tuple[tuple[str, Interval], ...]
    gain_over: tuple[tuple[str, Interval], ...]
    groups: tuple[Interval, ...]
    gates: tuple[Gate, ...]
    flow: tuple[FlowStep, ...]
    curves: tuple[Curve, ...] = ()
    deciles: tuple[tuple[float, Interval], ...] = ()
    balance: tuple[Balance, ...] = ()
    overlap: tuple[ChanceBin, ...] = ()
    called_by_group: tuple[GroupCalled, ...] = ()
    reach: float | None = None

    @property
    def is_refuted(self) -> bool:
        """A test that must not fail has failed: its numbers are not to be believed, and so not printed."""
        return any(gate.is_hard and gate.status == "fail" for gate in self.gates)

    def said_by(self, gate: Gate) -> str:
        """A gate's sentence; none of the other tests of a refuted model, for it would tell the model's effects."""
        return gate.sentence if gate.is_hard or not self.is_refuted else ""


@dataclass(frozen=True)
class Changes:
    """Who came onto the list and who left it since the last night; all None when one is too small to show."""

    previous_night: date
    entered: int | None
    left: int | None
    stayed: int | None


@dataclass(frozen=True)
class PastWindow:
    """A month of nights whose outcomes are complete: members offered against the random holdout.

    Attributes:
        start: first of the month.
        offered, held_out: members, rounded to 10; None is hidden.
        realized: benefit per person; None where an arm is too small.
        predicted: as published on those nights; None where no model estimated it.
        is_alarm: enough of the last windows exclude what was predicted.
    """

    start: date
    offered: int | None
    held_out: int | None
    realized: Interval | None
    predicted: float | None
    is_alarm: bool


@dataclass(frozen=True)
class Plan:
    """What the report prints of a program's configuration."""

    key: str
    title: str
    offer: str
    unit: str
    better: str
    usd_per_unit: float
    cooldown_days: int
    capacity: int
    holdout_share: float
    explore_share: float
    largest_chance_of_harm: float | None
    fallback_reason: str
    teams: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scarce:
    """A team's hours or the budget. How much was used is left out: with the minutes of a call it would tell small counts.

    Attributes:
        limit: hours, or dollars.
        price: what one more would be worth in dollars; None when nothing that is ranked by effect uses it.
    """

    name: str
    unit: str
    limit: float
    price: float | None


@dataclass(frozen=True)
class ProgramNight:
    """One program tonight.

    Attributes:
        called: people to be called, those drawn at random below the cut included.
        benefit_each: benefit per person called by rank, measured on people kept aside; None when none is claimed.
        benefit: the same over all called by rank, each times the share that the channel is assumed to keep.
        value_usd: the same in planning dollars, less the cost of the contacts.
        estimated: the model's own estimates of everybody called, added up; None when no benefit is claimed.
        marginal_value_usd: what one more offer would be worth, its place, minutes and dollars given.
        decisions: every member looked at, by what was decided.
        by_risk: those called by rank, by fifth of predicted risk among all who could be; None where unknown or too few.
        past: months that have run out, oldest first.
        teams: hours of the teams that make its calls, and what one more would bring.
    """

    plan: Plan
    verdict: str
    verdict_sentence: str
    model_version: str
    called: int | None
    benefit_each: Interval | None
    benefit: Interval | None
    value_usd: Interval | None
    estimated: float | None
    marginal_value_usd: float | None
    decisions: Breakdown
    who: tuple[Breakdown, ...]
    reasons: tuple[Reason, ...]
    changes: Changes | None
    evidence: Evidence | None
    by_risk: Breakdown | None = None
    past: tuple[PastWindow, ...] = ()
    teams: tuple[Scarce, ...] = ()


@dataclass(frozen=True)
class SetAside:
    """Rows of one input that broke a rule; `rows` None: fewer than 11."""

    table: str
    rule: str
    rows: int | None


@dataclass(frozen=True)
class Quality:
    """What the night's audits and files left out; `is_recorded` False: no audit is on record for this night."""

    is_recorded: bool
    set_aside: tuple[SetAside, ...]
    parked: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class NightReport:
    """Everything that the page of one night and source shows."""

    data_source: str
    run_date: date
    made_at: datetime
    run_id: str
    feature_version: str
    contract_version: str
    code_version: str
    programs: tuple[ProgramNight, ...]
    scarce: tuple[Scarce, ...]
    quality: Quality
