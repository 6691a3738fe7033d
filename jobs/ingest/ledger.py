"""`ops.input_file`: which files were met, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from pyspark.sql.connect.session import SparkSession

from contracts.catalog import contract
from jobs.delta import append
from jobs.ingest.report import FileOutcome

TABLE = "ops.input_file"


class Entry(NamedTuple):
    """What is on record of a file."""

    file_sha256: str
    file_name: str
    entity: str
    status: str


def known(spark: SparkSession, source: str, hashes: Sequence[str]) -> frozenset[Entry]:
    """What is on record for `hashes`."""
    if not hashes:
        return frozenset()
    rows = (
        spark.table(TABLE)
        .where(f"data_source = '{source}'")
        .where("file_sha256 IN ({})".format(", ".join(f"'{value}'" for value in hashes)))
        .select(*Entry._fields)
        .distinct()
        .collect()
    )
    return frozenset(Entry(*row) for row in rows)


def record(
    spark: SparkSession,
    source: str,
    outcomes: Iterable[tuple[FileOutcome, date]],
    moment: datetime,
    run_id: str,
) -> None:
    """Append one row per file, in one commit; nothing where there are none."""
    rows = [
        (
            source, file.entity, file.file_name, file.file_sha256, file_date, file.size_bytes, file.rows,
            file.status, file.reason, file.drift.to_json(), moment, run_id,
        )
        for file, file_date in outcomes
    ]  # fmt: skip
    if not rows:
        return
    ledger = contract(TABLE)
    by_name = {c.name: c.spark_type for c in ledger.columns}
    names = ("data_source", "entity", "file_name", "file_sha256", "file_date", "size_bytes", "row_count",
             "status", "reason", "drift", "ingested_at", "run_id")  # fmt: skip
    schema = ", ".join(f"`{name}` {by_name[name]}" for name in names)
    append(spark.createDataFrame(rows, schema).select(*ledger.column_names), TABLE, run_id)
