"""What a contract can ask of a table: of each row, of rows together, of the table as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`error` quarantines the row, or blocks where it is about the whole table; `warn` reports."""

    ERROR = "error"
    WARN = "warn"


class Tier(StrEnum):
    """Three tiers of health-data quality: is it well formed, can it be, is it plausible in sum."""

    STRUCTURAL = "structural"
    LOGICAL = "logical"
    ANALYTICAL = "analytical"


class BrokenKey(StrEnum):
    """What NULL or conflicting keys do: `quarantine` rows of dirty inputs, or `block` a table that was derived."""

    QUARANTINE = "quarantine"
    BLOCK = "block"


@dataclass(frozen=True)
class Rule:
    """A rule across the columns of one row.

    Attributes:
        name: snake case, unique within the table.
        sql: Spark SQL boolean over the row; NULL passes, as in a SQL CHECK.
        description: one sentence for a person.
    """

    name: str
    sql: str
    description: str
    severity: Severity = Severity.ERROR
    tier: Tier = Tier.LOGICAL


@dataclass(frozen=True)
class Reference:
    """Each row's `columns` (where not null) must exist in `table` under `to_columns`."""

    columns: tuple[str, ...]
    table: str
    to_columns: tuple[str, ...]
    severity: Severity = Severity.WARN


@dataclass(frozen=True)
class Measure:
    """One number about a table that has to lie between `low` and `high`, both included; None: no limit on that side.

    Attributes:
        name: snake case, unique within the table.
        description: one sentence for a person.
        unit: of the number; `rows` where it counts rows, or groups of rows, that break the rule.
        reference: where the range comes from, e.g. a publication.
        severity: `error` blocks the table.
    """

    name: str
    description: str
    low: float | None = None
    high: float | None = None
    unit: str = "rows"
    reference: str = ""
    severity: Severity = Severity.WARN
    tier: Tier = Tier.ANALYTICAL

    def holds(self, value: float) -> bool:
        """Whether `value` lies in the range; NaN does not."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high) and value == value

    @property
    def expected(self) -> str:
        """The range in words, e.g. `between 150 and 900 visits`."""
        low, high = (None if bound is None else f"{bound:,g}" for bound in (self.low, self.high))
        if low is not None and high is not None:
            return f"{low} {self.unit}" if low == high else f"between {low} and {high} {self.unit}"
        return f"at least {low} {self.unit}" if high is None else f"at most {high} {self.unit}"


@dataclass(frozen=True)
class Survey:
    """One query that answers several measures at once, where a row alone cannot: groups, neighbours, other tables.

    Attributes:
        sql: Spark SQL with one row and one column per measure, named like it; NULL: nothing to measure. `{rows}` stands
            for the audited rows, `{schema.table}` for another table; of both, only the night's source is looked at.
    """

    sql: str
    measures: tuple[Measure, ...]


def none_of(name: str, description: str) -> Measure:
    """A logical rule over several rows: the number that break it should be 0."""
    return Measure(name, description, high=0, tier=Tier.LOGICAL)
