"""The Dagster instance in the state folder: run and event storage in SQLite, one run at a time in the pool."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from contracts.settings import settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

_DAGSTER_YAML = """\
# Written by `outreach`; a DAGSTER_HOME of your own is used as it is.
event_log_storage:
  module: dagster_project.event_log
  class: KeptOpenEventLogStorage
  config:
    base_dir: "/dagster/history/runs"
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    default_limit: 1
    granularity: run
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days:
      skipped: 7
      failure: 30
      success: -1
"""
_RUNS = r'^( +base_dir: )".*/dagster/history/runs"$'


def dagster_home() -> str:
    """`DAGSTER_HOME`, made and configured on first use.

    A home given in the environment (a shared Postgres-backed deployment) is left as it is.
    """
    given = os.environ.get("DAGSTER_HOME")
    if given:
        return given
    settings().made_home()
    home = settings().dagster_home
    home.mkdir(exist_ok=True)
    config = home / "dagster.yaml"
    runs = json.dumps(str(home / "history" / "runs"))
    text = config.read_text() if config.exists() else _DAGSTER_YAML
    # The place is another once the state folder was moved or copied; what else was added to the file stays.
    placed = re.sub(_RUNS, lambda found: found[1] + runs, text, flags=re.MULTILINE)
    if not config.exists() or placed != text:
        config.write_text(placed)
    os.environ["DAGSTER_HOME"] = str(home)
    return str(home)


def instance() -> DagsterInstance:
    """The instance that the command line, the daemon and the web server share."""
    from dagster import DagsterInstance

    dagster_home()
    return DagsterInstance.get()
