"""Sets refused rows aside in `ops.quarantine`, each once however often it is delivered."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable
from typing import cast

from pyspark.sql import DataFrame
from pyspark.sql.connect import functions as F
from pyspark.sql.connect.session import SparkSession

from contracts.catalog import contract as contract_of
from contracts.compile.literals import sql_string
from contracts.model import TableContract
from jobs.row_flags import row_json_sql
from jobs.row_key import row_key_sql

QUARANTINE = "ops.quarantine"

# Two merges into one table at once conflict (seen: two tables of a layer).
_merging = threading.Lock()


def quarantine_rows(classified: DataFrame, contract: TableContract, run_id: str, table_version: int | None) -> None:
    """Hold the bad rows: those not in quarantine yet are added, released ones that are refused again are held again.

    Args:
        classified: rows with `__rules` and `__bad`, as `jobs.row_flags.classified` gives them.
        contract: of the table that refuses them.
        run_id: of the audit.
        table_version: Delta version in which they stand, None when they were never written.
    """
    entries = _entries(classified.where("__bad"), contract, run_id, table_version)
    columns = contract_of(QUARANTINE).column_names
    spark = cast(SparkSession, classified.sparkSession)
    with _merging:
        spark.sql(
            f"""MERGE INTO {QUARANTINE} AS held USING {{entries}} AS found
                ON held.table_name = {sql_string(contract.name)} AND held.quarantine_id = found.quarantine_id
                WHEN MATCHED AND held.status = 'released' THEN UPDATE SET {_again(columns)}
                WHEN NOT MATCHED THEN INSERT *""",
            entries=entries.select(*columns),
        )


def _again(columns: Iterable[str]) -> str:
    return ", ".join(f"held.{name} = found.{name}" for name in columns if name not in ("quarantine_id", "table_name"))


def _entries(bad: DataFrame, contract: TableContract, run_id: str, table_version: int | None) -> DataFrame:
    def given(name: str, spark_type: str) -> str:
        source = f"`{name}`" if name in contract.column_names else "NULL"
        return f"CAST({source} AS {spark_type}) AS {name}"

    now = dt.datetime.now(dt.UTC).isoformat(sep=" ", timespec="microseconds")
    table = sql_string(contract.name)
    rows = bad.selectExpr(
        f"{table} AS table_name",
        given("data_source", "STRING"),
        f"{row_json_sql(contract)} AS row_json",
        f"{row_key_sql(contract)} AS row_key_hash",
        "__rules AS rules",
        f"{sql_string(contract.version)} AS contract_version",
        f"CAST({'NULL' if table_version is None else table_version} AS BIGINT) AS table_version",
        given("file_name", "STRING"),
        given("file_sha256", "STRING"),
        given("file_row_number", "BIGINT"),
        f"{sql_string(run_id)} AS run_id",
        f"TIMESTAMP '{now}' AS quarantined_at",
        "'held' AS status",
        "CAST(NULL AS TIMESTAMP) AS released_at",
        "CAST(NULL AS STRING) AS released_run_id",
    )
    numbered = rows.withColumn("__n", F.expr("row_number() OVER (PARTITION BY row_json ORDER BY row_json)"))
    return numbered.withColumn("quarantine_id", F.expr(f"sha2(concat_ws('|', {table}, row_json, __n), 256)")).drop(
        "__n"
    )
