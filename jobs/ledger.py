"""`ops.run_ledger`: what every step of every job did and cost.

Steps are journalled locally as they go and written to Delta once, at the end of the run or when it fails: an append
costs about a second however few its rows. A step prints one line when it ends.
"""

from __future__ import annotations

import datetime as dt
import resource
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from contracts.catalog import contract
from contracts.errors import OutreachError
from jobs.code_version import code_version
from jobs.engine.memory import engine_peak_mb
from jobs.journal import Journal, entries, orphans
from jobs.lineage import record as lineage

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

_TABLE = "ops.run_ledger"
_BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


@dataclass
class StepRecord:
    """One step; set the counts as they become known."""

    run_id: str
    job: str
    step: str
    data_source: str | None
    run_date: dt.date | None
    started_at: dt.datetime
    status: str = "started"
    ended_at: dt.datetime | None = None
    duration_seconds: float | None = None
    rows_in: int | None = None
    rows_out: int | None = None
    rows_quarantined: int | None = None
    peak_memory_mb: float | None = None
    engine_peak_memory_mb: float | None = None
    table_version: int | None = None
    code_version: str = field(default_factory=code_version)
    contract_version: str | None = None
    message: str | None = None
    entry_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    lineage_run: str | None = None

    def skip(self, reason: str) -> None:
        """Say that there was nothing to do."""
        self.status, self.message = "skipped", reason


@dataclass(frozen=True)
class _Run:
    run_id: str
    job: str
    data_source: str | None = None
    run_date: dt.date | None = None


@dataclass
class Ending:
    """How a whole run ended; set `failure` where no error tells it."""

    failure: str | None = None


_lock = threading.Lock()
_current: _Run | None = None


def begin_run(job: str, run_id: str, *, data_source: str | None = None, run_date: dt.date | None = None) -> None:
    """Say which run this process's steps belong to, until the next `begin_run`."""
    global _current
    with _lock:
        _current = _Run(run_id, job, data_source, run_date)
    lineage.begin_run(job, run_id, data_source, run_date)


@contextmanager
def run(job: str, run_id: str, *, data_source: str | None = None, run_date: dt.date | None = None) -> Iterator[Ending]:
    """A whole run: `begin_run`, and the ledger written at its end, also when it fails.

    A run that did not succeed although no step failed leaves a closing row, `run`: it was stopped between two.

    A ledger that cannot be written does not fail the run, nor hide why it failed: the journal stays, and the next
    flush of any process writes it.
    """
    begin_run(job, run_id, data_source=data_source, run_date=run_date)
    tell_of_killed_steps()
    ending = Ending()
    try:
        yield ending
    except BaseException as error:
        ending.failure = safe_message(error)
        raise
    finally:
        if ending.failure is not None:
            _record_failure(ending.failure)
        _record_lineage()
        try:
            flush()
        except Exception as error:
            console().print(f"run ledger kept locally, not written yet: {safe_message(error)}", soft_wrap=True)


@contextmanager
def step(
    name: str,
    *,
    data_source: str | None = None,
    run_date: dt.date | None = None,
    run_id: str | None = None,
    job: str | None = None,
) -> Iterator[StepRecord]:
    """Measure and journal one step of the current run.

    Args:
        name: of the step, e.g. `score`.
        data_source: default the run's.
        run_date: default the run's.
        run_id: default the run's; a process that began no run is a run by itself.
        job: default the run's.
    """
    current = _run_of_process()
    record = StepRecord(
        run_id=run_id or current.run_id,
        job=job or current.job,
        step=name,
        data_source=data_source or current.data_source,
        run_date=run_date or current.run_date,
        started_at=dt.datetime.now(dt.UTC),
    )
    told = lineage.open_step(record)
    record.lineage_run = None if told is None else told.context.run.id
    _journal().write(_plain(record))
    try:
        yield record
    except BaseException as error:
        record.status, record.message = "failed", safe_message(error)
        raise
    finally:
        _end(record)
        lineage.close_step(told, record)


def _record_failure(message: str) -> None:
    """Close a run that did not succeed under the step `run`, unless one of its steps has failed, which tells more."""
    record, path = _step_of_run("run"), journal_path()
    ended = {e["step"]: e["status"] for e in (entries(path) if path.exists() else ()) if e["run_id"] == record.run_id}
    if "failed" in ended.values():
        return
    record.status, record.message = "failed", message
    _end(record)


def _record_lineage() -> None:
    """End the run's lineage and put on record how many events there were and how many were lost."""
    record = _step_of_run("lineage")
    delivered = lineage.end_run()
    if delivered is not None:
        record.rows_out, record.message = delivered.events, str(delivered)
        _end(record)


def _step_of_run(name: str) -> StepRecord:
    current = _run_of_process()
    return StepRecord(current.run_id, current.job, name, current.data_source, current.run_date, dt.datetime.now(dt.UTC))


def _run_of_process() -> _Run:
    global _current
    with _lock:
        if _current is None:
            _current = _Run(uuid.uuid4().hex, "adhoc")
        return _current


def _end(record: StepRecord) -> None:
    record.ended_at = dt.datetime.now(dt.UTC)
    record.duration_seconds = (record.ended_at - record.started_at).total_seconds()
    record.peak_memory_mb = peak_memory_mb()
    record.engine_peak_memory_mb = engine_peak_mb()
    if record.status == "started":
        record.status = "succeeded"
    _journal().write(_plain(record))
    console().print(_line(record), soft_wrap=True)


def peak_memory_mb() -> float:
    """Peak resident memory of this process so far, megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_PER_UNIT / 1e6


def _line(record: StepRecord) -> str:
    rows = record.rows_out if record.rows_out is not None else record.rows_in
    parts = [f"{record.step:<28} {record.status:<9} {record.duration_seconds or 0:8.1f} s"]
    parts.append(f"{rows:>12,} rows" if rows is not None else " " * 17)
    if record.rows_quarantined:
        parts.append(f"{record.rows_quarantined:,} quarantined")
    if record.message:
        parts.append(record.message)
    return "  ".join(parts).rstrip()


def safe_message(error: BaseException) -> str:
    """What may be recorded of an error: our own messages hold no data, of others only the kind is kept."""
    if isinstance(error, OutreachError):
        return str(error)
    condition = getattr(error, "getCondition", None) or getattr(error, "getErrorClass", None)
    kind = condition() if callable(condition) else None
    return type(error).__name__ + (f" [{kind}]" if kind else "")


def flush(spark: SparkSession | None = None) -> int:
    """Write the journalled steps of this process, and of processes that died, to `ops.run_ledger`.

    Each journal is written once, even when this is interrupted between the write and the removal of the journal.

    Returns:
        Number of steps written.
    """
    journal, mine = _journal(), []
    with _lock:
        if journal.path.exists():
            mine.append(journal.path)
            _journal.cache_clear()  # steps that start from here on go to a new journal
    return sum(_write(path, spark) for path in [*mine, *orphans()])


def tell_of_killed_steps() -> None:
    """Close, in lineage, the steps of processes that were killed; their journals stay for `flush`."""
    lineage.aborted(entry for path in orphans() for entry in entries(path) if entry["status"] == "started")


def _write(path: Path, spark: SparkSession | None) -> int:
    from jobs.delta import append_idempotent, ensure_tables, rows_of_contract
    from jobs.session import spark_session

    steps = entries(path)
    if steps:
        session = spark or spark_session()
        table = contract(_TABLE)
        rows = [{c.name: _typed(c.spark_type, entry.get(c.name)) for c in table.columns} for entry in steps]
        ensure_tables(session, [table])
        append_idempotent(rows_of_contract(session, table, rows), _TABLE, f"ledger-{path.stem}", 1)
    path.unlink(missing_ok=True)
    return len(steps)


def _plain(record: StepRecord) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, dt.date) else value for name, value in asdict(record).items()}


def _typed(spark_type: str, value: Any) -> Any:
    if value is None:
        return None
    if spark_type == "timestamp":
        return dt.datetime.fromisoformat(value)
    return dt.date.fromisoformat(value) if spark_type == "date" else value


def journal_path() -> Path:
    """Where this process journals its steps."""
    return _journal().path


@cache
def _journal() -> Journal:
    return Journal()


@cache
def console() -> Console:
    """One line per step on standard error: plain where it is not a terminal."""
    return Console(stderr=True, highlight=False, markup=False)
