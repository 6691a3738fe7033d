"""A night is a date in the plan's time zone and a source; every partitioned asset shares this one definition.

What is told of a month of nights has partitions of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import dagster as dg

from contracts.errors import UserError
from contracts.settings import settings
from contracts.tables.shapes import SOURCES

FIRST_NIGHT = date(2008, 1, 1)  # the oldest claims that any shipped reader knows (DE-SynPUF)

# Today's list is made before the day is over and tomorrow's the evening before, hence the offset of two.
nights = dg.MultiPartitionsDefinition(
    {
        "date": dg.DailyPartitionsDefinition(FIRST_NIGHT.isoformat(), timezone=settings().timezone, end_offset=2),
        "source": dg.StaticPartitionsDefinition(list(SOURCES)),
    }
)

# A month's page can be made before the month is over.
months = dg.MultiPartitionsDefinition(
    {
        "month": dg.MonthlyPartitionsDefinition(FIRST_NIGHT.isoformat(), timezone=settings().timezone, end_offset=1),
        "source": dg.StaticPartitionsDefinition(list(SOURCES)),
    }
)


@dataclass(frozen=True)
class Night:
    """One partition: which source's members, on which date."""

    run_date: date
    data_source: str

    @property
    def key(self) -> dg.MultiPartitionKey:
        """The Dagster partition key."""
        return dg.MultiPartitionKey({"date": self.run_date.isoformat(), "source": self.data_source})


def night_of(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> Night:
    """The night that a run is for; unpartitioned assets in a nightly run read it from the run's partition.

    Raises:
        UserError: the run has no night.
    """
    key = context.partition_key if context.has_partition_key else None
    if not isinstance(key, dg.MultiPartitionKey):
        raise UserError(
            "This is computed for a night.",
            expected="a partition of date and source",
            todo="pick a partition and run again",
        )
    keys = key.keys_by_dimension
    return Night(date.fromisoformat(keys["date"]), keys["source"])


def night_in(tags: Mapping[str, str]) -> tuple[date | None, str | None]:
    """The date and the source that a run's tags name, each None where they name none."""
    day = tags.get("dagster/partition/date")
    return date.fromisoformat(day) if day else None, tags.get("dagster/partition/source")
