"""What the running step reads and writes, said by the code that does it, and told in events when the step ends.

`jobs.ledger` opens and closes runs and steps; writers call `wrote`, `audited`, ... in between, and `observe` sees what the
driver asks the session for. Nothing here raises, nor does anything when no step is open: lineage that is lost is counted
in the run ledger, and the work goes on.
"""

from __future__ import annotations

import atexit
import datetime as dt
import functools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ParamSpec

from contracts.catalog import catalog
from contracts.settings import settings
from jobs.audit_result import AuditResult
from jobs.lineage.columns import ColumnLineage, Source, merged, of_query, view_of
from jobs.lineage.naming import job as job_name
from jobs.lineage.work import NOTHING, JobLineage, Read, Statistics, Work, Write

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.ledger import StepRecord
    from jobs.lineage.emitter import Delivered, Emitter
    from jobs.lineage.events import Context
    from jobs.lineage.plan import Asked

P = ParamSpec("P")

AUDIT_OUTPUTS = ("ops.contract_result", "ops.quarantine", "ops.table_profile")
LEDGER = JobLineage(
    "write.run_ledger", frozenset(), {"ops.run_ledger": NOTHING}, "Says what every step of a run did and cost."
)


@dataclass
class _Child:
    """A job that a step ran, with its own times."""

    work: Work
    started_at: dt.datetime
    ended_at: dt.datetime


@dataclass
class Step:
    """An open step: its run, what it did so far, the jobs it ran, the rows that the driver asked for."""

    context: Context
    work: Work
    children: list[_Child] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)


@dataclass
class _Run:
    """An open run (a night): its emitter, how often each step was tried, how each last ended, what lineage cost it."""

    context: Context
    emitter: Emitter
    attempts: Counter[tuple[str, str | None]]
    last_status: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


_lock = threading.Lock()
_timing = threading.local()
_run: _Run | None = None
_step: ContextVar[Step | None] = ContextVar("lineage_step", default=None)
_is_observing: ContextVar[bool] = ContextVar("lineage_is_observing", default=True)
# Column lineage of each table as last written by this process, for whoever shows it beside the table (Dagster).
_tables: dict[str, ColumnLineage] = {}


def counted(function: Callable[P, None]) -> Callable[P, None]:
    """Whatever goes wrong in lineage costs one event, is counted as such, and stops nothing; its seconds are summed."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        with _costs():
            function(*args, **kwargs)

    return guarded


@contextmanager
def _costs() -> Iterator[None]:
    """Count what goes wrong within and how long it takes; of nested ones only the outermost is timed."""
    is_outermost = not getattr(_timing, "is_on", False)
    _timing.is_on = True
    began = time.perf_counter()
    try:
        yield
    except Exception as error:
        _not_made(error)
    finally:
        if is_outermost:
            _timing.is_on = False
            if _run is not None:
                _run.seconds += time.perf_counter() - began


def _not_made(error: Exception) -> None:
    step = _step.get()
    if _run is not None:
        _run.emitter.failed_to_make(error, step.work.job if step else _run.context.run.job)


def begin_run(job: str, run_id: str, data_source: str | None, run_date: dt.date | None) -> None:
    """A run of this process begins; the one before it is over."""
    if settings().openlineage_disabled:
        return
    end_run()
    _begin(job, run_id, data_source, run_date)


def _begin(job: str, run_id: str, data_source: str | None, run_date: dt.date | None) -> None:
    global _run
    from jobs.lineage import events
    from jobs.lineage.emitter import make_emitter, night_file

    context = events.Context(
        events.RunId(events.as_uuid(run_id), job_name(job)), data_source=data_source, run_date=run_date
    )
    with _lock:
        _run = _Run(context, make_emitter(data_source, run_date), Counter())
    with _costs():
        _run.attempts.update(earlier_attempts(night_file(data_source, run_date), context.run.id))
        _run.emitter.emit(events.start(context, Work(context.run.job), _now()))


def end_run() -> Delivered | None:
    """The run is over: say how it ended and wait a little for the receiver; what was delivered and what was lost."""
    global _run
    with _lock:
        run, _run = _run, None
    if run is None:  # before any import: at the end of a process none can be made any more
        return None
    from jobs.lineage import events

    began = time.perf_counter()
    try:
        run.emitter.emit(events.design(LEDGER.work(), _now()))
        run.emitter.emit(_last_event(run))
    except Exception as error:
        run.emitter.failed_to_make(error, run.context.run.job)
    delivered = run.emitter.close()
    return replace(delivered, seconds=run.seconds + time.perf_counter() - began)


def _last_event(run: _Run) -> Any:
    """How a run ended: badly where the last try of any step did."""
    from jobs.lineage import events

    failed = sorted(step for step, status in run.last_status.items() if status == "failed")
    work = Work(run.context.run.job)
    if failed:
        return events.fail(run.context, work, _now(), f"failed: {', '.join(failed)}")
    return events.complete(run.context, work, _now())


atexit.register(end_run)


def earlier_attempts(path: Any, run_id: str) -> Counter[tuple[str, str | None]]:
    """How often each step of a run was started before, by another process: its events are in the night's file."""
    from jobs.lineage.events import data_source_of, parent_of
    from jobs.lineage.read_back import read_events

    found: Counter[tuple[str, str | None]] = Counter()
    for event in read_events([path] if path.exists() else []):
        if event.get("eventType") == "START" and parent_of(event) == run_id:
            found[event["job"]["name"], data_source_of(event)] += 1
    return found


def open_step(record: StepRecord) -> Step | None:
    """A step begins; None where lineage is off."""
    if settings().openlineage_disabled:
        return None
    with _costs():
        return _opened(record)
    return None


def _opened(record: StepRecord) -> Step:
    from jobs.lineage import events

    if _run is None:
        _begin(record.job, record.run_id, record.data_source, record.run_date)
    assert _run is not None
    name = job_name(record.step)
    night = replace(_run.context, data_source=record.data_source, run_date=record.run_date)
    _run.attempts[name, record.data_source] += 1
    attempt = _run.attempts[name, record.data_source]
    own = events.attempt_id(night.run.id, name, record.data_source, attempt)
    step = Step(night.child(name, own), Work(name))
    _run.emitter.emit(events.start(step.context, step.work, record.started_at))
    _step.set(step)
    return step


def close_step(step: Step | None, record: StepRecord) -> None:
    """A step ended: its events, and those of the jobs it ran."""
    _step.set(None)
    if step is not None:
        _close(step, record)


@counted
def _close(step: Step, record: StepRecord) -> None:
    from jobs.lineage import events

    if _run is None:
        return
    _run.last_status[record.step] = record.status
    at = record.ended_at or _now()
    for number, child in enumerate(step.children):
        own = events.attempt_id(step.context.run.id, child.work.job, record.data_source, number)
        context = step.context.child(child.work.job, own)
        _run.emitter.emit(events.start(context, child.work, child.started_at))
        _run.emitter.emit(_ended(context, child.work, child.ended_at, None))
    for write in step.work.writes.values():
        _tables[write.dataset] = write.lineage
    error = (record.message or "failed") if record.status == "failed" else None
    _run.emitter.emit(_ended(step.context, step.work, at, error))


def _ended(context: Context, work: Work, at: dt.datetime, error: str | None) -> Any:
    from jobs.lineage import events

    return events.complete(context, work, at) if error is None else events.fail(context, work, at, error)


def columns_of(table: str) -> ColumnLineage | None:
    """Column lineage of a table as this process last wrote it, or as it stands where nothing was new for it."""
    return _tables.get(table)


@contextmanager
def unobserved() -> Iterator[None]:
    """Within it, what the driver asks for is housekeeping (counting rows, comparing tables) and no input of the step."""
    token = _is_observing.set(False)
    try:
        yield
    finally:
        _is_observing.reset(token)


@counted
def asks(relation: Any, views: Mapping[str, Any]) -> None:
    """The driver asked for the rows of a plan: its tables are inputs, and rows that it then makes are made of it."""
    step = _step.get()
    if step is not None and _is_observing.get():
        from jobs.lineage.plan import Asked

        found = Asked(relation, dict(views))
        if tables := found.tables():
            step.asked.append(found)
            for table in sorted(tables):
                step.work.read(Read(table, _version_of(table)))


@counted
def wrote(
    frame: DataFrame, table: str, version: int | None, rows: int | None, audit: AuditResult | None = None
) -> None:
    """A frame was written to a table, or found there already; with what its contract says of the rows."""
    step = _step.get()
    if step is None:
        return
    step.work.write(Write(table, _lineage(frame, step, table), _text(version), _statistics(table, version, rows)))
    for name, known in list(step.work.reads.items()):
        if known.version is None:
            step.work.read(Read(name, _version_of(name)))
    if audit is not None:
        checked(audit)


@counted
def checked(audit: AuditResult) -> None:
    """One table that the step held against its contract, among other things that it did."""
    step = _step.get()
    if step is not None:
        started = _now() - dt.timedelta(seconds=audit.seconds)
        step.children.append(_Child(_audit_work(f"contracts.{audit.table}", [audit]), started, _now()))


def appended(frame: DataFrame, table: str) -> None:
    """Rows were appended to a table: of the step's own doing, unless a contract's enforcement did it."""
    if _is_observing.get():
        wrote(frame, table, None, None)


def _lineage(frame: DataFrame, step: Step, table: str) -> ColumnLineage:
    """Columns where the plan can be read, else the tables in it; that is counted as an event not made."""
    from sqlglot.errors import SqlglotError

    from jobs.lineage.plan import Asked, UnknownPlanError, lineage_of, proto_of, views_of

    try:
        columns = catalog()[table].column_names if table in catalog() else ()
        return lineage_of(frame, step.asked, names_of(table), columns)
    except (SqlglotError, UnknownPlanError) as error:
        _not_made(error)
        return ColumnLineage(tables=Asked(proto_of(frame), views_of(frame)).tables())


def names_of(table: str) -> tuple[str, ...]:
    """Columns that name a table's rows and the run that wrote them."""
    return (*catalog()[table].key, "run_id") if table in catalog() else ()


@counted
def audited(results: Iterable[AuditResult]) -> None:
    """Tables that the step held against their contracts."""
    step = _step.get()
    if step is not None:
        work = _audit_work(step.work.job, list(results))
        step.work.reads, step.work.writes = work.reads, work.writes


def _audit_work(job: str, results: Iterable[AuditResult]) -> Work:
    work = Work(job, "Holds tables against their contracts in one pass each.")
    for audit in results:
        if audit.rows_quarantined and audit.table_version is not None:
            stripped = _statistics(audit.table, audit.table_version, audit.rows_checked - audit.rows_quarantined)
            work.write(Write(audit.table, NOTHING, _text(audit.table_version), stripped))
        work.read(Read(audit.table, _text(audit.table_version), Statistics(audit.rows_checked), audit=audit))
    for table in AUDIT_OUTPUTS:
        work.write(Write(table, version=_version_of(table)))
    return work


@counted
def worked(tell: Callable[[], Iterable[Work]]) -> None:
    """Inputs and outputs of the step that no plan shows: files landed, a model registered, a page written.

    They are given as a function, so that what goes wrong in making them is counted too.
    """
    step = _step.get()
    if step is not None:
        for work in tell():
            for one in work.reads.values():
                step.work.read(one)
            for write in work.writes.values():
                step.work.write(write)


@counted
def used(dataset: str, version: str) -> None:
    """A version of something that is no table was used: the model that scores."""
    step = _step.get()
    if step is not None:
        step.work.read(Read(dataset, version))


@counted
def viewed(sql: str) -> None:
    """A `create view` statement was run."""
    step, name = _step.get(), view_of(sql)
    if step is not None and name is not None:
        step.work.write(Write(name, of_query(sql)))


@counted
def drawn(report: str, version: str | None = None) -> None:
    """A page was drawn of what the driver asked for in this step."""
    step = _step.get()
    if step is not None:
        lineage = merged(on_report(one.lineage()) for one in step.asked)
        step.work.write(Write(report, lineage, version, Statistics(files=1)))


def on_report(lineage: ColumnLineage) -> ColumnLineage:
    """A query's columns as fields of a report: `<table>.<column>`, after the tables whose values they are."""
    fields: dict[str, frozenset[Source]] = {}
    for column, sources in lineage.columns.items():
        for dataset in sorted({source.dataset for source in sources}) or ["constant"]:
            name = f"{dataset.rpartition('.')[2]}.{column}"
            mine = frozenset(source for source in sources if source.dataset == dataset)
            fields[name] = fields.get(name, frozenset()) | mine
    kept = {name: sources for name, sources in fields.items() if sources}
    return ColumnLineage(kept, lineage.rows, lineage.tables)


@counted
def ran(work: Work, started_at: dt.datetime, ended_at: dt.datetime) -> None:
    """A job that the step ran, with times of its own: one model of a dbt run."""
    step = _step.get()
    if step is None:
        return
    for name in list(work.reads):
        work.read(Read(name, _version_of(name)))
    for write in list(work.writes.values()):
        version = _version_of(write.dataset)
        counted = _statistics(write.dataset, None if version is None else int(version), None)
        work.writes[write.dataset] = Write(write.dataset, write.lineage, version, counted)
        _tables[write.dataset] = write.lineage
    step.children.append(_Child(work, started_at, ended_at))


@counted
def stands(tell: Callable[[], Iterable[JobLineage]]) -> None:
    """Jobs that had nothing to do tonight, given as by a function: the graph of the night holds them all the same."""
    if settings().openlineage_disabled or _run is None:
        return
    from jobs.lineage import events

    token = _step.set(None)  # what is built to be told must not count as done by the open step
    try:
        jobs = list(tell())
    finally:
        _step.reset(token)
    for one in jobs:
        for table, lineage in one.outputs.items():
            _tables[table] = lineage
        _run.emitter.emit(events.design(one.work(), _now()))


@counted
def aborted(steps: Iterable[Mapping[str, Any]]) -> None:
    """Steps of processes that were killed, from the journals they left, and the runs that they were of."""
    from jobs.lineage import events

    runs: dict[str, Context] = {}
    for entry in steps:
        if entry.get("lineage_run") is None or _run is None:
            continue
        day = entry.get("run_date")
        run = events.RunId(events.as_uuid(entry["run_id"]), job_name(entry["job"]))
        night = events.Context(
            run, data_source=entry.get("data_source"), run_date=dt.date.fromisoformat(day) if day else None
        )
        runs[run.id] = night
        context = night.child(job_name(entry["step"]), entry["lineage_run"])
        _run.emitter.emit(events.abort(context, Work(context.run.job), _now()))
    for night in runs.values():
        if _run is not None:
            _run.emitter.emit(events.abort(night, Work(night.run.job), _now()))


def _version_of(table: str) -> str | None:
    from jobs.delta import local_version
    from jobs.lineage.naming import Kind, kind

    return _text(local_version(table)) if kind(table) is Kind.TABLE else None


def _statistics(table: str, version: int | None, rows: int | None) -> Statistics | None:
    from jobs.delta import commit_size

    size = None if version is None else commit_size(table, version)
    if size is None:
        return None if rows is None else Statistics(rows)
    return Statistics(size.rows if rows is None else rows, size.bytes, size.files)


def _text(version: int | None) -> str | None:
    return None if version is None else str(version)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
