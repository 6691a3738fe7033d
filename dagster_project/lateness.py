"""Whether a night's list has come: no asset comes of it."""

import dagster as dg

from dagster_project.partitions import night_of, nights
from dagster_project.policies import RETRY


# Without the pool and the warehouse's lock: behind a night that runs too long, it would see that it is late only when
# it no longer is.
@dg.op(retry_policy=RETRY)
def look_for_list(context: dg.OpExecutionContext) -> None:
    """Raise an alert, once, where the night's list is not published."""
    from contracts.settings import settings
    from jobs.lateness import raise_if_late

    night = night_of(context)
    is_late = raise_if_late(night.data_source, night.run_date, run_id=context.run_id, config=settings())
    context.log.info(f"The list of {night.run_date} for {night.data_source} is {'late' if is_late else 'published'}.")


@dg.job(
    name="lateness",
    partitions_def=nights,
    executor_def=dg.in_process_executor,
    description="An alert where a night's list is not published.",
)
def lateness_job() -> None:
    """One source's list of one night."""
    look_for_list()
