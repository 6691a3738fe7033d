"""The jobs: what the command line, the schedules and the sensors all run.

Jobs run in one process: Spark does the parallel work behind the endpoint, and a process per step would pay
the imports of dbt, EconML and MLflow again each time (seconds each on 2 cores).
"""

from __future__ import annotations

import dagster as dg

from dagster_project.partitions import months, nights

_night_groups = dg.AssetSelection.groups("raw", "staging", "core", "features", "outreach")

ingest_job = dg.define_asset_job(
    "ingest",
    selection=dg.AssetSelection.groups("raw"),
    executor_def=dg.in_process_executor,
    description="Land delivered files into `raw`.",
)

nightly_job = dg.define_asset_job(
    "nightly",
    selection=_night_groups,
    partitions_def=nights,
    executor_def=dg.in_process_executor,
    description="From delivered files to tonight's published list.",
)

trained_night_job = dg.define_asset_job(
    "trained_night",
    selection=_night_groups | dg.AssetSelection.groups("training"),
    partitions_def=nights,
    executor_def=dg.in_process_executor,
    description="Train as of the night, then publish it: a source's first night, or one after a change of definitions.",
)

training_job = dg.define_asset_job(
    "training",
    selection=dg.AssetSelection.groups("raw", "staging", "core", "training"),
    partitions_def=nights,
    executor_def=dg.in_process_executor,
    description="Build cohorts, train the programs, judge them by the gates, register what passed.",
)

month_report_job = dg.define_asset_job(
    "month_report",
    selection=dg.AssetSelection.groups("reports"),
    partitions_def=months,
    executor_def=dg.in_process_executor,
    description="The page on a month's models.",
)
