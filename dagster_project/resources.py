"""The one resource of every run: the lakehouse, held by one run at a time, its ledger written when the run ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from contracts.settings import settings
from dagster_project.partitions import night_in
from dagster_project.policies import INTERRUPTS

if TYPE_CHECKING:
    from filelock import BaseFileLock

LAKEHOUSE = "lakehouse"


@dg.resource(description="Holds the warehouse for the run and writes the run ledger at its end, also when it fails.")
def lakehouse(context: dg.InitResourceContext) -> Iterator[None]:
    """Wait for the run that holds the warehouse, then hold it.

    The pool queues runs of the daemon; runs of the command line do not pass through its queue, hence the file lock.
    """
    from filelock import FileLock

    from jobs.ledger import run

    started = context.dagster_run
    lock = FileLock(settings().made_home() / "lakehouse.lock", mode=0o600)
    _acquire(lock)
    try:
        night, source = night_in(started.tags if started else {})
        with run(
            started.job_name if started else "adhoc", context.run_id or "adhoc", data_source=source, run_date=night
        ) as ending:
            yield None
            ending.failure = _failure(context)
    finally:
        lock.release()


def _acquire(lock: BaseFileLock) -> None:
    """Take the lock, saying so where that means to wait. The wait is no part of the handling of an error: who interrupts
    it is told of nothing else."""
    from filelock import Timeout

    from jobs.ledger import console

    try:
        lock.acquire(timeout=0)
    except Timeout:
        console().print("Another run holds the warehouse; waiting for it to end.", soft_wrap=True)
    if not lock.is_locked:
        lock.acquire()


def _failure(context: dg.InitResourceContext) -> str | None:
    """Why a run does not end well, as far as is known when resources are given back: an interrupt is being handled then,
    and failed steps are in the event log."""
    if isinstance(sys.exception(), INTERRUPTS):
        return "The run was stopped before its end."
    if context.instance is None or context.run_id is None:
        return None
    for entry in context.instance.all_logs(context.run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        # Only our own words: the text of another error may hold data.
        said = entry.get_dagster_event().step_failure_data.user_failure_data
        return f"Step {entry.step_key} failed" + (f": {said.description}" if said and said.description else ".")
    return None
