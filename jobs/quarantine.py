"""Sets refused rows aside in `ops.quarantine`, each once however often it is delivered."""

from __future__ import annotations

import datetime as dt
import threading

from pyspark.sql import DataFrame
from pyspark.sql.connect import functions as F

from contracts.catalog import contract as contract_of
from contracts.compile.literals import sql_string
from contracts.model import TableContract
from jobs.delta import append
from jobs.row_flags import row_json_sql
from jobs.row_key import row_key_sql

_TABLE = "ops.quarantine"

# An append that reads the table conflicts with one that commits meanwhile (seen: two tables of a layer at once).
_appending = threading.Lock()


def quarantine_rows(classified: DataFrame, contract: TableContract, run_id: str, table_version: int | None) -> None:
    """Append the bad rows that are not in quarantine yet.

    Args:
        classified: rows with `__rules` and `__bad`, as `jobs.row_flags.classified` gives them.
        contract: of the table that refuses them.
        run_id: of the audit.
        table_version: Delta version in which they stand, None when they were never written.
    """
    entries = _entries(classified.where("__bad"), contract, run_id, table_version)
    known = classified.sparkSession.table(_TABLE).where(F.col("table_name") == contract.name).select("quarantine_id")
    fresh = entries.join(known, "quarantine_id", "left_anti").select(*contract_of(_TABLE).column_names)
    with _appending:
        append(fresh, _TABLE, run_id)


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
