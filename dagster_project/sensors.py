"""Sensors: files that arrive are landed, drift starts a training, a failed run is put on record."""

from __future__ import annotations

import hashlib
import logging
import re

import dagster as dg

from contracts.catalog import catalog
from contracts.errors import ContractError
from contracts.settings import settings
from contracts.tables.shapes import SOURCES
from dagster_project.jobs import ingest_job, nightly_job, trained_night_job, training_job
from dagster_project.partitions import Night, night_in
from dagster_project.runs import errors_in


def _inbox_state(source: str) -> str | None:
    """A fingerprint of the names, sizes and times in a source's inbox; None when it is empty."""
    folder = settings().landing / source
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not files:
        return None
    listing = "\n".join(f"{p.relative_to(folder)} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files)
    return hashlib.sha256(listing.encode()).hexdigest()[:16]


@dg.sensor(
    job=ingest_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Lands files that arrive in `<home>/landing/<source>/`, once per change of the folder.",
)
def file_arrival(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Request one landing run per source whose inbox changed since the last look."""
    seen = dict(part.split("=") for part in (context.cursor or "").split(",") if part)
    now = {source: state for source in SOURCES if (state := _inbox_state(source))}
    changed = [source for source, state in now.items() if seen.get(source) != state]
    if not changed:
        return dg.SkipReason("No inbox has changed.")
    requests = [
        dg.RunRequest(
            run_key=f"{source}-{now[source]}", run_config={"ops": {"landing": {"config": {"sources": [source]}}}}
        )
        for source in changed
    ]
    return dg.SensorResult(run_requests=requests, cursor=",".join(f"{k}={v}" for k, v in now.items()))


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[nightly_job, trained_night_job],
    request_job=training_job,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="After a night: trains before the week is over when drift was alarmed, or a champion may not score.",
)
def due_training(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
    """Request one training of the night's source per new reason.

    Drift is computed within a night, so the end of one is when there is something new to see; the engine is up then.
    """
    from jobs.due import alarms_since, training_due
    from jobs.session import spark_session

    day, source = night_in(context.dagster_run.tags)
    if day is None or source is None:
        return dg.SkipReason("The run was not of one night.")
    due = training_due(source, lambda name, since: alarms_since(spark_session(), name, since))
    if due is None:
        return dg.SkipReason(f"Nothing asks for a training of {source}.")
    # As of today, also after a night of long ago: what has become known since is what asks for the training.
    night = Night(settings().today(), source)
    reasons = "; ".join(due.reasons)
    return dg.RunRequest(
        run_key=f"due-{source}-{due.key}", partition_key=night.key, tags={"outreach/trained_because": reasons[:250]}
    )


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Writes an alert row for every failed run; yesterday's published table stands as it was.",
)
def failed_run(context: dg.RunFailureSensorContext) -> None:
    """Record a failed run in `ops.alert` and the log: each contract that was broken, or else that it failed."""
    from jobs.alerts import record_alert

    run = context.dagster_run
    run_date, source = night_in(run.tags)
    errors = list(errors_in([*context.get_step_failure_events(), context.failure_event]))
    broken = [error for error in errors if isinstance(error, ContractError)]
    for error in broken:
        record_alert(
            kind="contract",
            subject=_table_in(str(error)) or run.job_name,
            run_id=run.run_id,
            message=str(error),
            data_source=source,
            run_date=run_date,
        )
    summary = context.failure_event.message or "no message"
    if not broken or len(broken) < len(errors):
        record_alert(
            kind="failure",
            subject=run.job_name,
            run_id=run.run_id,
            message=summary,
            data_source=source,
            run_date=run_date,
        )
    logging.getLogger(__name__).error("Run %s of %s failed: %s", run.run_id, run.job_name, summary)


def _table_in(message: str) -> str | None:
    """The first table that a message names: Dagster keeps of an error its text alone."""
    return next((name for name in re.findall(r"\b[a-z_]+\.\w+", message) if name in catalog()), None)
