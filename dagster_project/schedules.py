"""When things run, in the plan's time zone: lists before the working day, training in the quiet of Sunday."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from contracts.settings import settings
from dagster_project.jobs import month_report_job, nightly_job, training_job
from dagster_project.lateness import lateness_job
from dagster_project.partitions import Night
from dagster_project.upkeep import vacuum_job


def _nights(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    today = settings().day_of(context.scheduled_execution_time)
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
    job=lateness_job,
    cron_schedule="0 6 * * *",
    execution_timezone=settings().timezone,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every day at 06:00: an alert where the list that the night should have published is not there.",
)
def daily_lateness(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One look per configured source at the list of the day that begins."""
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


@dg.schedule(
    job=month_report_job,
    cron_schedule="0 6 2 * *",
    execution_timezone=settings().timezone,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="On the 2nd of a month at 06:00: the page on the models of the month before.",
)
def monthly_report(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One page per configured source for the month that is over."""
    today = settings().day_of(context.scheduled_execution_time)
    month = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    for source in settings().nightly_sources:
        key = dg.MultiPartitionKey({"month": month.isoformat(), "source": source})
        yield dg.RunRequest(run_key=str(key), partition_key=key)


@dg.schedule(
    job=vacuum_job,
    cron_schedule="0 12 * * 6",
    execution_timezone=settings().timezone,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every Saturday at 12:00: delete the files that no version of a table of the last seven days needs.",
)
def weekly_vacuum() -> dg.RunRequest:
    """One run for the whole warehouse."""
    return dg.RunRequest()
