"""OpenLineage events of a run: START when it begins; COMPLETE, FAIL or ABORT with all it read and wrote when it ends.

https://openlineage.io/docs/spec/object-model, https://openlineage.io/docs/spec/run-cycle
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo

from openlineage.client import facet_v2 as f
from openlineage.client.event_v2 import (
    InputDataset,
    Job,
    JobEvent,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
)

from contracts.settings import settings
from jobs.code_version import code_version
from jobs.lineage import facets
from jobs.lineage.naming import Kind, kind, namespace
from jobs.lineage.work import Read, Work, Write

_SPACE = uuid.UUID("3f0c6c0e-8f6c-5a3e-9f5b-1d7a4c2e6b90")


@dataclass(frozen=True)
class RunId:
    """A run of a job: `id` is a UUID."""

    id: str
    job: str


@dataclass(frozen=True)
class Context:
    """Which run an event belongs to.

    Attributes:
        run: the run itself.
        parent: the step or night that started it; None for a night.
        root: the night.
        data_source, run_date: of the night, where it has one.
    """

    run: RunId
    parent: RunId | None = None
    root: RunId | None = None
    data_source: str | None = None
    run_date: dt.date | None = None

    def child(self, job: str, run_id: str) -> Context:
        """A run that this one starts."""
        return Context(RunId(run_id, job), self.run, self.root or self.run, self.data_source, self.run_date)


def as_uuid(text: str) -> str:
    """A run id of ours as a UUID; one that is none (`adhoc`) gets its own."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return str(uuid.uuid5(_SPACE, text))


def attempt_id(run_id: str, job: str, data_source: str | None, attempt: int) -> str:
    """Run id of one attempt at a step: the same from wherever it is asked, and another for each attempt.

    Args:
        run_id: of the night.
        job: name of the step's job.
        data_source: of the step.
        attempt: from 1.
    """
    return str(uuid.uuid5(_SPACE, "|".join((run_id, job, data_source or "", str(attempt)))))


def start(context: Context, work: Work, at: dt.datetime) -> RunEvent:
    """A run begins; what it reads and writes is told when it ends."""
    return _run_event(RunState.START, context, work, at, {})


def complete(context: Context, work: Work, at: dt.datetime) -> RunEvent:
    """A run ended well."""
    return _run_event(RunState.COMPLETE, context, work, at, {}, is_end=True)


def fail(context: Context, work: Work, at: dt.datetime, message: str) -> RunEvent:
    """A run failed; the message holds no data (`jobs.ledger.safe_message`)."""
    error: dict[str, f.RunFacet] = {"errorMessage": f.error_message_run.ErrorMessageRunFacet(message, "PYTHON")}
    return _run_event(RunState.FAIL, context, work, at, error, is_end=True)


def abort(context: Context, work: Work, at: dt.datetime) -> RunEvent:
    """A run's process was killed."""
    return _run_event(RunState.ABORT, context, work, at, {})


def design(work: Work, at: dt.datetime) -> JobEvent:
    """What a job that did not run would read and write: nothing was new for it."""
    return JobEvent(
        eventTime=_time(at),
        producer=producer(),
        job=_job(work),
        inputs=_inputs(work.inputs),
        outputs=_outputs(work.writes.values()),
    )


def parent_of(event: Mapping[str, Any]) -> str | None:
    """Run id of the run that started the one an event (as JSON) tells of."""
    found = event.get("run", {}).get("facets", {}).get("parent", {}).get("run", {}).get("runId")
    return None if found is None else str(found)


def data_source_of(event: Mapping[str, Any]) -> str | None:
    """The source that an event (as JSON) is about; None where it is about all."""
    tags = event.get("run", {}).get("facets", {}).get("tags", {}).get("tags", ())
    return next((str(tag["value"]) for tag in tags if tag["key"] == "data_source"), None)


@cache
def producer() -> str:
    """What made the events: this code at its version."""
    found = f"urn:outreach-uplift:{code_version().replace('+', ':')}"
    f.set_producer(found)
    return found


def _run_event(
    state: RunState, context: Context, work: Work, at: dt.datetime, more: dict[str, f.RunFacet], *, is_end: bool = False
) -> RunEvent:
    producer()
    return RunEvent(
        eventTime=_time(at),
        producer=producer(),
        eventType=state,
        run=Run(context.run.id, {**_run_facets(context), **more}),
        job=_job(work),
        inputs=_inputs(work.inputs) if is_end else [],
        outputs=_outputs(work.writes.values()) if is_end else [],
    )


def _time(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _run_facets(context: Context) -> dict[str, f.RunFacet]:
    found: dict[str, f.RunFacet] = {"processing_engine": _engine()}
    if context.run_date is not None:
        found["nominalTime"] = f.nominal_time_run.NominalTimeRunFacet(*_night(context.run_date))
    if context.data_source is not None:
        tag = f.tags_run.TagsRunFacetFields("data_source", context.data_source, "OUTREACH")
        found["tags"] = f.tags_run.TagsRunFacet([tag])
    if context.parent is not None:
        root = context.root or context.parent
        found["parent"] = f.parent_run.ParentRunFacet(
            run=f.parent_run.Run(context.parent.id),
            job=f.parent_run.Job(namespace(), context.parent.job),
            root=f.parent_run.Root(run=f.parent_run.RootRun(root.id), job=f.parent_run.RootJob(namespace(), root.job)),
        )
    return found


def _night(day: dt.date) -> tuple[str, str]:
    """The date in the plan's time zone, as instants."""
    zone = ZoneInfo(settings().timezone)
    begins = (dt.datetime.combine(d, dt.time(), zone) for d in (day, day + dt.timedelta(days=1)))
    first, last = (_time(moment) for moment in begins)
    return first, last


@cache
def _engine() -> f.RunFacet:
    return f.processing_engine_run.ProcessingEngineRunFacet(version("pyspark"), "spark", version("openlineage-python"))


def _job(work: Work) -> Job:
    is_dbt = work.job.startswith("dbt.") and work.job.count(".") > 1
    kinds = f.job_type_job.JobTypeJobFacet("BATCH", "DBT" if is_dbt else "OUTREACH", "MODEL" if is_dbt else "STEP")
    found: dict[str, f.JobFacet] = {"jobType": kinds}
    if work.description:
        found["documentation"] = f.documentation_job.DocumentationJobFacet(work.description)
    if work.sql:
        found["sql"] = f.sql_job.SQLJobFacet(work.sql, "spark")
    return Job(namespace(), work.job, found)


def _inputs(reads: Iterable[Read]) -> list[InputDataset]:
    """Inputs; only what no job writes is described here, the others are where they are written."""
    found = []
    for read in reads:
        is_source = kind(read.dataset) in (Kind.FILES, Kind.SEED)
        told = facets.described(read.dataset, _NOTHING) if is_source else facets.identity(read.dataset)
        if read.version is not None:
            told["version"] = facets.version(read.version)
        found.append(InputDataset(namespace(), read.dataset, facets.input_facets(read), facets=told))
    return found


def _outputs(writes: Iterable[Write]) -> list[OutputDataset]:
    found = []
    for write in writes:
        told = facets.described(write.dataset, write.lineage)
        if any(write.lineage.columns.values()) or write.lineage.rows:
            told["columnLineage"] = facets.column_lineage(write.lineage)
        if write.version is not None:
            told["version"] = facets.version(write.version)
        found.append(OutputDataset(namespace(), write.dataset, facets.output_facets(write), facets=told))
    return found


_NOTHING: Any = Write("").lineage
