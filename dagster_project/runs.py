"""Running a Dagster job from the command line: the same job, instance and records as in the UI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.errors import OutreachError
from dagster_project.instance import instance
from jobs.liveness import is_alive, this_process

if TYPE_CHECKING:
    from dagster import DagsterEvent, DagsterInstance, ExecuteInProcessResult
    from dagster_shared.error import SerializableErrorInfo

    from dagster_project.partitions import Night

_PROCESS_TAG = "outreach/process"


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
    """Mark runs failed whose command-line process is gone (killed, power cut); returns how many.

    Who shares the instance shares the state folder, also from containers: there it is told which processes live.
    """
    import dagster as dg

    closed = 0
    for run in on.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])):
        process = run.tags.get(_PROCESS_TAG)
        if process and not is_alive(process):
            on.report_run_failed(run, "The process that ran it is gone; nothing it had not published is visible.")
            closed += 1
    return closed


def run_job(name: str, night: Night | None = None, run_config: dict[str, Any] | None = None) -> JobOutcome:
    """Execute a job of the definitions in this process, recorded in the instance.

    Args:
        name: a job of `dagster_project.jobs`.
        night: the partition, for partitioned jobs.
        run_config: as in the launchpad.

    Raises:
        KeyboardInterrupt: a person or the system (SIGTERM) stopped it; a step at work was not run again.
    """
    from dagster_project.definitions import defs

    on = instance()
    close_orphans(on)
    quiet = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}  # each step prints a line of its own
    tags = {_PROCESS_TAG: this_process(), "outreach/launched_by": "cli"}
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
    """Within a step, or before the first or between two, of which only the run's own failure tells."""
    from dagster._core.events import RunFailureReason
    from dagster._core.execution.plan.objects import ErrorSource

    return any(
        (event.is_step_failure and event.step_failure_data.error_source is ErrorSource.INTERRUPT)
        or (event.is_job_failure and event.job_failure_data.failure_reason is RunFailureReason.UNEXPECTED_TERMINATION)
        for event in result.all_events
    )


def _first_error(result: ExecuteInProcessResult) -> Exception | None:
    """What the first failed step raised: its class says how the command exits."""
    if result.success:
        return None
    found = next(errors_in(result.all_events), None)
    return found or OutreachError("The run failed before its first step.", todo="see the run in `outreach ui`")


def errors_in(events: Iterable[DagsterEvent]) -> Iterator[OutreachError]:
    """What each failed step of a run raised, or the run before its first, as our own error where it was one."""
    has_told = False  # the end of a run in which a step failed tells of that step once more
    for event in events:
        if event.is_step_failure and event.step_failure_data.error is not None:
            has_told = True
            yield _own_error(f"Step {event.step_key} failed", event.step_failure_data.error)
        if event.is_job_failure and event.job_failure_data.error is not None and not has_told:
            yield _own_error("The run failed before its first step", event.job_failure_data.error)


def _own_error(what: str, told: SerializableErrorInfo) -> OutreachError:
    """An error of our tree from what Dagster keeps of one: the name of its class and its text, and those of its causes."""
    kinds, link = {kind.__name__: kind for kind in _tree(OutreachError)}, told.cause or told
    found: SerializableErrorInfo | None = told
    while found is not None:
        if (kind := kinds.get(found.cls_name or "")) is not None:
            return kind(f"{what}: {found.message.strip().removeprefix(f'{kind.__module__}.{kind.__qualname__}: ')}")
        found = found.cause
    return OutreachError(f"{what}: {(link.message or told.message).strip()}")


def _tree(kind: type[OutreachError]) -> Iterator[type[OutreachError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)
