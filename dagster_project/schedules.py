"""When things run, in the plan's time zone: lists before the working day, training in the quiet of Sunday."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import dagster as dg

from contracts.settings import settings
from dagster_project.jobs import nightly_job, training_job
from dagster_project.partitions import Night


def _nights(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    zone = ZoneInfo(settings().timezone)
    today = context.scheduled_execution_time.astimezone(zone).date()
    for source in settings().nightly_sources:
        night = Night(today, source)
        yield dg.RunRequest(run_key=f"{night.key}", partition_key=night.key)


@dg.schedule(
    job=nightly_job,
    cron_schedule="0 3 * * *",
    execution_timezone=settings().timezone,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every night at 03:00: land, transform, score, allocate, publish the day's list.",
)
def nightly(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One run per configured source for the day that begins."""
    yield from _nights(context)


@dg.schedule(
    job=training_job,
    cron_schedule="0 22 * * 0",
    execution_timezone=settings().timezone,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every Sunday at 22:00: train the programs, judge them by the gates, register what passed.",
)
def weekly_training(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One training per configured source as of the day."""
    yield from _nights(context)
