"""What stands in `ops.quarantine`, for people: counts per table and rule, and rows by name without their values."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.connect.session import SparkSession

from contracts.compile.literals import sql_string
from contracts.errors import UserError
from contracts.roles import Role
from contracts.settings import Settings
from jobs.access_audit import local_reader, record_access
from jobs.delta import table_exists
from jobs.quarantine import QUARANTINE

_NAMES = ("quarantine_id", "row_key_hash", "rules", "contract_version", "file_name", "file_row_number", "quarantined_at", "status")  # fmt: skip


def quarantine_counts(spark: SparkSession, table: str | None = None) -> list[dict[str, Any]]:
    """Rows `table_name, rule, held, released` per rule; a row that breaks two rules counts under both.

    Args:
        spark: the session.
        table: only this one, `schema.table`.
    """
    if not table_exists(spark, QUARANTINE):
        return []
    found = (
        quarantined(spark, table)
        .selectExpr("table_name", "explode(rules) AS rule", "status")
        .groupBy("table_name", "rule")
    )
    counts = found.pivot("status", ["held", "released"]).count().orderBy("table_name", "rule").fillna(0).collect()
    return [row.asDict() for row in counts]


def quarantined_rows(
    spark: SparkSession, table: str, rule: str | None = None, *, limit: int = 20, with_values: bool = False
) -> list[dict[str, Any]]:
    """Quarantined rows of a table, the newest first: what they break, their file and row in it, a hash of their key.

    Args:
        spark: the session.
        table: `schema.table`.
        rule: only rows that break it.
        limit: of rows.
        with_values: with `row_json`, the row itself, which may identify a member; `open_values` comes first.
    """
    if not table_exists(spark, QUARANTINE):
        return []
    rows = quarantined(spark, table, rule).orderBy("quarantined_at", "quarantine_id", ascending=[False, True])
    names = (*_NAMES, "row_json") if with_values else _NAMES
    return [row.asDict() for row in rows.select(*names).limit(limit).collect()]


def open_values(config: Settings) -> None:
    """Put on record that somebody reads quarantined rows as they are; returns when it is on disk.

    Raises:
        UserError: the role may not.
        AuditError: it cannot be recorded.
    """
    if "core" not in config.role.identified_layers:
        raise UserError(
            f"The role {config.role.value} may not read the values of quarantined rows, which may identify members.",
            expected=f"OUTREACH_ROLE={Role.STEWARD.value}",
            todo="set it for this command, if you are entitled to it (docs/sql.md); without `--values` any role may ask.",
        )
    record_access(local_reader("quarantine", config), engine="spark", tables=(QUARANTINE,), is_identified=True)


def quarantined(spark: SparkSession, table: str | None = None, rule: str | None = None) -> DataFrame:
    """The entries of one table, or of all, that break one rule, or any.

    Raises:
        UserError: `rule` cannot be the name of a rule.
    """
    entries = spark.table(QUARANTINE)
    if table is not None:
        entries = entries.where(f"table_name = {sql_string(table)}")
    if rule is not None:
        if not rule.isidentifier():
            raise UserError(f"{rule} is not the name of a rule.", todo="see `outreach contracts show TABLE`.")
        entries = entries.where(f"array_contains(rules, {sql_string(rule)})")
    return entries
