"""Old files leave the warehouse: each night writes core anew, and Delta by itself deletes nothing of what went before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from contracts.views import VIEWS
from jobs.delta import tables_of_layers
from jobs.ledger import step
from jobs.session import spark_session
from jobs.terminal import counted

_AT_ONCE = 4


@dataclass(frozen=True)
class Vacuumed:
    """What left one table: files of old versions, or of writes that were killed."""

    table: str
    files: int
    bytes: int


def vacuum_warehouse() -> list[Vacuumed]:
    """Delete the files that no recent version of any table of the warehouse needs; the tables that lost some.

    Recent are the versions of the last seven days, or of a table's own `delta.deletedFileRetentionDuration`. A longer `RETAIN` here
    would promise too much: Delta forgets after that time when a file was replaced, and then goes by the file's own age. Current rows
    are never touched; what a night of long ago knew comes again from the raw tables, whose rows all stay.
    """
    spark = spark_session()

    def vacuum(table: str) -> Vacuumed:
        spark.sql(f"VACUUM {table}")
        # Others may have appended meanwhile.
        history = spark.sql(f"DESCRIBE HISTORY {table} LIMIT 20").where("operation LIKE 'VACUUM %'").orderBy("version")
        told: dict[str, int] = {}
        for row in history.select("operationMetrics").collect():
            told |= {key: int(value) for key, value in row[0].items()}
        return Vacuumed(table, told["numDeletedFiles"], told["sizeOfDataToDelete"])

    with step("vacuum") as record, ThreadPoolExecutor(_AT_ONCE) as pool:
        # Else a store without a log of its own keeps no record of what was deleted, and by whom.
        spark.conf.set("spark.databricks.delta.vacuum.logging.enabled", "true")
        tables = [name for name in tables_of_layers(spark) if name not in VIEWS]
        done = list(pool.map(vacuum, tables))
        files, size = sum(each.files for each in done), sum(each.bytes for each in done)
        record.message = f"{counted(files, 'file')} ({size / 1e6:,.0f} MB) deleted from {counted(len(done), 'table')}"
    return [each for each in done if each.files]
