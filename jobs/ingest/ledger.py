"""`ops.input_file`: which files were met, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from pyspark.sql.connect.session import SparkSession

from contracts.catalog import contract
from jobs.delta import append, rows_of_contract
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
        {
            "data_source": source, "entity": file.entity, "file_name": file.file_name, "file_sha256": file.file_sha256,
            "file_date": file_date, "size_bytes": file.size_bytes, "row_count": file.rows, "status": file.status,
            "reason": file.reason, "drift": file.drift.to_json(), "ingested_at": moment, "run_id": run_id,
        }
        for file, file_date in outcomes
    ]  # fmt: skip
    if rows:
        append(rows_of_contract(spark, contract(TABLE), rows), TABLE, run_id)
