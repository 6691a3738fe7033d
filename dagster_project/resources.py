"""The one resource of every run: the lakehouse, held by one run at a time, its ledger written when the run ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import dagster as dg

from contracts.settings import settings

LAKEHOUSE = "lakehouse"


@dg.resource(description="Holds the warehouse for the run and writes the run ledger at its end, also when it fails.")
def lakehouse(context: dg.InitResourceContext) -> Iterator[None]:
    """Wait for the run that holds the warehouse, then hold it.

    The pool queues runs of the daemon; runs of the command line do not pass through its queue, hence the file lock.
    """
    from filelock import FileLock, Timeout

    from jobs.ledger import run

    started = context.dagster_run
    lock = FileLock(settings().made_home() / "lakehouse.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        dg.get_dagster_logger().info("Another run holds the warehouse; waiting for it.")
        lock.acquire()
    try:
        tags = started.tags if started else {}
        day, source = tags.get("dagster/partition/date"), tags.get("dagster/partition/source")
        night = date.fromisoformat(day) if day else None
        with run(
            started.job_name if started else "adhoc", context.run_id or "adhoc", data_source=source, run_date=night
        ):
            yield None
    finally:
        lock.release()
