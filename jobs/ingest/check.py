"""From a delivered file to rows that Spark can append: what it holds, whether it is sound, where the server finds it."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql.connect.session import SparkSession

from contracts.errors import InputFileError
from contracts.settings import settings
from contracts.sources import Source
from jobs.ingest.classify import Matched, classify
from jobs.ingest.delivery import Delivery
from jobs.ingest.floating import refuse_inexact_identifiers
from jobs.ingest.header import Header, csv_header, parquet_header
from jobs.ingest.load import Ready
from jobs.ingest.report import IGNORED, LANDED, LEFT, PARKED, FileOutcome
from jobs.ingest.stage import Stage
from jobs.ingest.stage_csv import stage_csv

# An upload may stall for a moment and looks like a damaged file then.
_SETTLED_SECONDS = 60


@dataclass(frozen=True)
class Checked:
    """A file whose header was read; `header` and `matched` are there when it is to be landed."""

    delivery: Delivery
    outcome: FileOutcome
    header: Header | None = None
    matched: Matched | None = None


def check(source: Source, delivery: Delivery) -> Checked:
    """Read the header and tell the entity. A bad file is an outcome, not an exception."""
    blank = FileOutcome(delivery.name, "unknown", PARKED, file_sha256=delivery.sha256, size_bytes=delivery.size)
    rows: int | None = None
    try:
        if delivery.is_parquet:
            header, rows = parquet_header(delivery.path)
        else:
            header = csv_header(delivery.path)
        matched = classify(source, delivery.names, header.names, header.notes)
        refuse_inexact_identifiers(delivery.path, header, matched)
    except (InputFileError, OSError) as error:
        return Checked(delivery, refused(blank, delivery, error))
    if not delivery.is_unchanged:
        return Checked(delivery, left(delivery.name))
    told = blank.but(entity=matched.layout.entity, drift=matched.drift, rows=rows)
    if rows == 0:  # Spark writes empty parts as a matter of course
        return Checked(delivery, told.but(status=IGNORED, reason="no rows"))
    return Checked(delivery, told.but(status=LANDED), header, matched)


def refused(outcome: FileOutcome, delivery: Delivery, error: InputFileError | OSError) -> FileOutcome:
    """What becomes of a file that is bad: parked, or left where it may still be on its way."""
    if not delivery.is_unchanged:
        return left(delivery.name)
    if isinstance(error, OSError):
        return left(delivery.name, unreadable(error))
    if delivery.is_in(settings().landing) and delivery.seconds_since_written < _SETTLED_SECONDS:
        return left(delivery.name, f"perhaps still on its way, written less than {_SETTLED_SECONDS} s ago. {error}")
    return outcome.but(status=PARKED, reason=str(error))


def left(
    name: str, reason: str = "it changed or went away while it was read; perhaps it is still on its way"
) -> FileOutcome:
    """A file of which nothing is kept: it is met again."""
    return FileOutcome(name, "unknown", LEFT, reason=reason)


def unreadable(error: OSError) -> str:
    """Why, without the path."""
    return f"it cannot be read ({type(error).__name__})"


def make_ready(spark: SparkSession, checked: Checked, stage: Stage) -> Ready:
    """Bring the file to where and how Spark reads it.

    Raises:
        InputFileError: the rows are ragged, damaged or mis-encoded.
    """
    delivery, header, matched = checked.delivery, checked.header, checked.matched
    if header is None or matched is None:
        raise TypeError("only a file that passed its check can be made ready")
    if delivery.is_parquet:
        location, rows = stage.visible(spark, delivery.path, f"{delivery.sha256}.parquet"), checked.outcome.rows or 0
        return Ready(
            delivery, matched, location, header.names, rows,
            is_staged=False, types=header.types, floating=header.floating,
        )  # fmt: skip
    columns = tuple(target or f"extra_{n}" for n, target in enumerate(matched.targets))
    target = stage.folder / f"{delivery.sha256}.parquet"
    rows = stage_csv(delivery.path, header, columns, target)
    return Ready(delivery, matched, stage.visible(spark, target, target.name), columns, rows, is_staged=True)
