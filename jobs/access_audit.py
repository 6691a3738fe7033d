"""`ops.access_audit`: who read identified tables, and about whom nothing: members are never named.

A reading is put on a local journal, on disk, before the first row is read; the next night appends the journals to the
table, each once, also those of doors that are open.
"""

from __future__ import annotations

import datetime as dt
import getpass
import uuid
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from contracts.errors import OutreachError
from contracts.roles import Role
from contracts.settings import Settings, settings
from jobs.journal import Journal, entries, taken

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

_TABLE = "ops.access_audit"
_KIND = "access"


class AuditError(OutreachError):
    """The access record cannot be written, so nothing is read; free the disk or mend the state folder's rights."""


@dataclass(frozen=True)
class Reader:
    """Who reads: a log-in name, in a role, through a door (`sql`, `jdbc`, `explain`, …)."""

    login: str
    role: Role
    door: str


def local_reader(door: str, config: Settings | None = None) -> Reader:
    """The person at this machine, in the role that the settings give."""
    return Reader(getpass.getuser(), (config or settings()).role, door)


def record_access(
    reader: Reader, *, engine: str, tables: tuple[str, ...], is_identified: bool, statement: str | None = None
) -> None:
    """Put one reading on record; returns when it is on disk.

    Raises:
        AuditError: it cannot be recorded.
    """
    entry: dict[str, Any] = {
        "entry_id": uuid.uuid4().hex,
        "accessed_at": dt.datetime.now(dt.UTC).isoformat(),
        "login": reader.login,
        "role": reader.role.value,
        "door": reader.door,
        "engine": engine,
        "tables": list(tables),
        "is_identified": is_identified,
        "statement": statement,
    }
    try:
        _journal().write(entry)
    except OSError as error:
        raise AuditError(
            "The access record cannot be written, so nothing was read.",
            actual=type(error).__name__,
            todo=f"free the disk, or mend the rights of {settings().home / _KIND}.",
        ) from error


def append_accesses(spark: SparkSession) -> int:
    """Append what was journalled until now; returns how many rows."""
    waiting = taken(_KIND)
    if not waiting:
        return 0
    from contracts.catalog import contract
    from jobs.delta import append_idempotent, ensure_tables, rows_of_contract

    table = contract(_TABLE)
    if ensure_tables(spark, [table]):
        spark.sql(f"alter table {_TABLE} set tblproperties ('delta.appendOnly' = 'true')")
    count = 0
    for path in waiting:
        rows = [_row(entry) for entry in entries(path)]
        if rows:
            append_idempotent(rows_of_contract(spark, table, rows), _TABLE, f"access-{path.stem}", 1)
        path.unlink(missing_ok=True)
        count += len(rows)
    return count


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        **entry,
        "access_id": entry["entry_id"],
        "accessed_at": dt.datetime.fromisoformat(entry["accessed_at"]),
    }


@cache
def _journal() -> Journal:
    return Journal(_KIND)
