"""From a delivered file to rows that Spark can append: what it holds, whether it is sound, where the server finds it."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql.connect.session import SparkSession

from contracts.errors import InputFileError
from contracts.sources import Source
from jobs.ingest.classify import Matched, classify
from jobs.ingest.delivery import Delivery
from jobs.ingest.header import Header, csv_header, parquet_header
from jobs.ingest.load import Ready
from jobs.ingest.report import IGNORED, LANDED, PARKED, FileOutcome
from jobs.ingest.stage import Stage
from jobs.ingest.stage_csv import stage_csv


@dataclass(frozen=True)
class Checked:
    """A file whose header was read; `header` and `matched` are there unless it is to be parked."""

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
    except InputFileError as error:
        return Checked(delivery, blank.but(reason=str(error)))
    told = blank.but(entity=matched.layout.entity, drift=matched.drift, rows=rows)
    if rows == 0:  # Spark writes empty parts as a matter of course
        return Checked(delivery, told.but(status=IGNORED, reason="no rows"))
    return Checked(delivery, told.but(status=LANDED), header, matched)


def make_ready(spark: SparkSession, checked: Checked, stage: Stage) -> Ready:
    """Bring the file to where and how Spark reads it.

    Raises:
        InputFileError: the rows are ragged, damaged or mis-encoded.
    """
    delivery, header, matched = checked.delivery, checked.header, checked.matched
    if header is None or matched is None:
        raise TypeError("only a file that passed its check can be made ready")
    if delivery.is_parquet:
        location, rows = stage.visible(spark, delivery.path), checked.outcome.rows or 0
        return Ready(delivery, matched, location, header.names, rows, is_staged=False, types=header.types)
    columns = tuple(target or f"extra_{n}" for n, target in enumerate(matched.targets))
    target = stage.folder / f"{delivery.sha256}.parquet"
    rows = stage_csv(delivery.path, header, columns, target)
    return Ready(delivery, matched, stage.visible(spark, target), columns, rows, is_staged=True)
