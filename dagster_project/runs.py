"""Running a Dagster job from the command line: the same job, instance and records as in the UI."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from contracts.errors import OutreachError
from dagster_project.instance import instance

if TYPE_CHECKING:
    from dagster import DagsterInstance, ExecuteInProcessResult

    from dagster_project.partitions import Night

_PID_TAG, _STARTED_TAG = "outreach/pid", "outreach/process_started"


@dataclass(frozen=True)
class JobOutcome:
    """How a run ended.

    Attributes:
        run_id: Dagster's run id, to be found in the UI.
        error: the error of the step that failed, None on success.
    """

    run_id: str
    error: OutreachError | Exception | None


def close_orphans(on: DagsterInstance) -> int:
    """Mark runs failed whose command-line process is gone (killed, power cut); returns how many."""
    import dagster as dg

    closed = 0
    for run in on.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])):
        pid, started = run.tags.get(_PID_TAG), run.tags.get(_STARTED_TAG)
        if pid and not _is_alive(int(pid), float(started or 0)):
            on.report_run_failed(run, "The process that ran it is gone; nothing it had not published is visible.")
            closed += 1
    return closed


def _is_alive(pid: int, started: float) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - started) < 1.0
    except psutil.NoSuchProcess:
        return False


def run_job(name: str, night: Night | None = None, run_config: dict[str, Any] | None = None) -> JobOutcome:
    """Execute a job of the definitions in this process, recorded in the instance.

    Args:
        name: a job of `dagster_project.jobs`.
        night: the partition, for partitioned jobs.
        run_config: as in the launchpad.

    Raises:
        KeyboardInterrupt: a person or the system (SIGTERM) stopped it; the step at work was not run again.
    """
    from dagster_project.definitions import defs

    on = instance()
    close_orphans(on)
    quiet = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}  # each step prints a line of its own
    tags = {
        _PID_TAG: str(os.getpid()),
        _STARTED_TAG: str(psutil.Process().create_time()),
        "outreach/launched_by": "cli",
    }
    result = defs.resolve_job_def(name).execute_in_process(
        instance=on,
        partition_key=night.key if night else None,
        run_config={**quiet, **(run_config or {})},
        tags=tags,
        raise_on_error=False,
    )
    if _was_interrupted(result):
        raise KeyboardInterrupt
    return JobOutcome(result.run_id, _first_error(result))


def _was_interrupted(result: ExecuteInProcessResult) -> bool:
    from dagster._core.execution.plan.objects import ErrorSource

    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return any(failure.error_source is ErrorSource.INTERRUPT for failure in failures)


def _first_error(result: ExecuteInProcessResult) -> Exception | None:
    """What the first failed step raised, as our own error where it was one."""
    if result.success:
        return None
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error is not None:
            info = event.step_failure_data.error
            cause = info.cause or info
            return OutreachError(f"Step {event.step_key} failed: {(cause.message or info.message).strip()}")
    return OutreachError("The run failed before its first step.", todo="see the run in `outreach ui`")
