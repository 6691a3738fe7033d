"""The whole deployment in one object: `dagster dev -m dagster_project.definitions` or `outreach ui`."""

from __future__ import annotations

from typing import Any

import dagster as dg

from dagster_project.assets.followed import drift_watch, follow_up
from dagster_project.assets.landed import landing
from dagster_project.assets.overlaid import overlay
from dagster_project.assets.pages import model_report, night_report
from dagster_project.assets.published import publication, scoring, views
from dagster_project.assets.shadowed import shadow_scoring
from dagster_project.assets.trained import training
from dagster_project.assets.transformed import core_tables, feature_tables, staging_tables
from dagster_project.jobs import ingest_job, month_report_job, nightly_job, trained_night_job, training_job
from dagster_project.lateness import lateness_job
from dagster_project.resources import LAKEHOUSE, lakehouse
from dagster_project.schedules import daily_lateness, monthly_report, nightly, weekly_training, weekly_vacuum
from dagster_project.sensors import due_training, failed_run, file_arrival
from dagster_project.upkeep import vacuum_job


def build_defs(**overrides: Any) -> dg.Definitions:
    """The definitions; keyword arguments replace whole parts, so that tests patch nothing."""
    parts: dict[str, Any] = {
        "assets": [
            landing,
            staging_tables,
            overlay,
            core_tables,
            feature_tables,
            training,
            scoring,
            publication,
            *views,
            night_report,
            model_report,
            shadow_scoring,
            follow_up,
            drift_watch,
        ],
        "jobs": [ingest_job, nightly_job, trained_night_job, training_job, month_report_job, vacuum_job, lateness_job],
        "schedules": [nightly, daily_lateness, weekly_training, monthly_report, weekly_vacuum],
        "sensors": [file_arrival, due_training, failed_run],
        "resources": {LAKEHOUSE: lakehouse},
        "executor": dg.in_process_executor,
    }
    return dg.Definitions(**{**parts, **overrides})


defs = build_defs()
