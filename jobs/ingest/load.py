"""Append delivered rows to `raw`, many files of one entity in one commit: a crash leaves all rows of a file or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql.connect import functions as F
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.types import StructType

from contracts.catalog import contract
from contracts.model import TableContract
from jobs.delta import append
from jobs.ingest.classify import Matched
from jobs.ingest.delivery import Delivery
from jobs.ingest.stage_csv import ROW_NUMBER
from jobs.lineage import record as lineage

# More files than this in one query plan of 150 columns each make planning the slowest part.
FILES_PER_COMMIT = 64


@dataclass(frozen=True)
class Ready:
    """A checked file, waiting to be appended.

    Attributes:
        location: Parquet that the Spark server can read.
        columns: its columns as they stand in `location`, in the order of `matched.targets`.
        is_staged: it has `file_row_number` already and is all text (was CSV).
        types, floating: of a Parquet file, see `Header`.
    """

    delivery: Delivery
    matched: Matched
    location: str
    columns: tuple[str, ...]
    rows: int
    is_staged: bool
    types: str = ""
    floating: frozenset[str] = frozenset()

    def text(self, column: str) -> Column:
        """A delivered column as text. What is held as floating point is written as its digits where it is a whole number
        (27, not 27.0 or 1.2345678E7), and is NULL where it is no number: that is how a gap is held there."""
        given = F.col(f"`{column}`")
        if column not in self.floating:
            return given.cast("string")
        is_whole = (F.floor(given) == given) & (F.abs(given) <= F.lit(2.0**53))
        digits = F.when(is_whole, given.cast("bigint").cast("string")).otherwise(given.cast("string"))
        return F.when(~F.isnan(given), digits)

    @property
    def text_schema(self) -> str:
        """Spark schema of a staged file."""
        return ", ".join([*(f"`{name}` string" for name in self.columns), f"{ROW_NUMBER} int"])


def append_files(spark: SparkSession, table: str, files: Sequence[Ready], moment: datetime, run_id: str) -> None:
    """Append the rows of `files` to one raw table in one Delta commit."""
    raw = contract(table)
    frames = [_rows(frame, raw, file, moment) for frame, file in zip(_read(spark, files), files, strict=True)]
    with lineage.unobserved():  # `jobs.lineage.landed` tells it from the layouts: a path's plan knows no columns
        append(reduce(lambda one, other: one.unionAll(other), frames), table, run_id)


def _read(spark: SparkSession, files: Sequence[Ready]) -> Iterator[DataFrame]:
    """Each file as it is. Spark runs a job to find out a schema, so it is asked once per kind of file, not per file."""
    known: dict[str, StructType] = {}
    for file in files:
        if file.is_staged:
            yield spark.read.schema(file.text_schema).parquet(file.location)
        elif file.types in known:
            yield spark.read.schema(known[file.types]).parquet(file.location)
        else:
            frame = spark.read.parquet(file.location)
            known[file.types] = frame.schema
            yield frame


def _rows(frame: DataFrame, raw: TableContract, file: Ready, moment: datetime) -> DataFrame:
    """One file's rows with exactly the raw table's columns."""
    number = F.col(ROW_NUMBER) if file.is_staged else F.expr("cast(_metadata.row_index + 1 as int)")
    delivered = dict(zip(file.matched.targets, file.columns, strict=True))
    landed: dict[str, Column] = {
        "file_name": F.lit(file.delivery.name),
        "file_sha256": F.lit(file.delivery.sha256),
        ROW_NUMBER: number,
        "file_date": _file_date(file, delivered.get("delivered_file_date")),
        "ingested_at": F.lit(moment),
        "extra_columns": _extra(file),
    }
    return frame.select(
        *(
            landed[c.name].alias(c.name)
            if c.name in landed
            else file.text(delivered[c.name]).alias(c.name)
            if c.name in delivered
            else F.lit(None).cast("string").alias(c.name)
            for c in raw.columns
        )
    )


def _file_date(file: Ready, delivered: str | None) -> Column:
    """The row's own date (YYYY-MM-DD, perhaps with a time, or YYYYMMDD), else the file's."""
    own = F.lit(file.delivery.date.isoformat()).cast("date")
    if delivered is None:
        return own
    text = file.text(delivered)
    plain = F.regexp_replace(text, r"^(\d{4})(\d{2})(\d{2})$", "$1-$2-$3")
    return F.coalesce(F.substring(plain, 1, 10).cast("date"), own)


def _extra(file: Ready) -> Column:
    unknown = [c for c, target in zip(file.columns, file.matched.targets, strict=True) if target is None]
    if not unknown:
        return F.lit(None).cast("string")
    names = dict(zip(unknown, file.matched.drift.added, strict=True))
    return F.to_json(F.struct(*(file.text(c).alias(names[c]) for c in unknown)))


@lineage.unobserved()
def landed_hashes(spark: SparkSession, table: str, hashes: Sequence[str]) -> set[str]:
    """Which of `hashes` have rows in `table`; Delta's file statistics skip most of it."""
    wanted = ", ".join(f"'{value}'" for value in hashes)
    return {
        row[0]
        for row in spark.sql(f"SELECT DISTINCT file_sha256 FROM {table} WHERE file_sha256 IN ({wanted})").collect()
    }
