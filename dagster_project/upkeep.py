"""Upkeep of the warehouse: no asset comes of it."""

import dagster as dg

from dagster_project.policies import POOL, RETRY
from dagster_project.resources import LAKEHOUSE


@dg.op(pool=POOL, required_resource_keys={LAKEHOUSE}, retry_policy=RETRY)
def vacuum_tables(context: dg.OpExecutionContext) -> None:
    """Delete the files that no recent version of a table needs."""
    from jobs.vacuum import vacuum_warehouse

    for each in vacuum_warehouse():
        context.log.info(f"{each.table}: {each.files} files, {each.bytes} bytes")


@dg.job(
    name="vacuum",
    executor_def=dg.in_process_executor,
    description="Delete the files that no version of a table of the last seven days needs.",
)
def vacuum_job() -> None:
    """Every table of the warehouse."""
    vacuum_tables()
