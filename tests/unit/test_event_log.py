"""The event log with kept connections holds what Dagster's own would, and other processes can read it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from dagster_project.event_log import OPEN_SHARDS, KeptOpenEventLogStorage

YAML = (
    "event_log_storage: {{module: dagster_project.event_log, class: KeptOpenEventLogStorage,"
    " config: {{base_dir: {home}/history/runs}}}}\ntelemetry: {{enabled: false}}\n"
)


@dg.asset(check_specs=[dg.AssetCheckSpec("holds", asset="counted")])
def counted():
    yield dg.MaterializeResult(
        check_results=[dg.AssetCheckResult(check_name="holds", passed=False, severity=dg.AssetCheckSeverity.WARN)]
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "dagster.yaml").write_text(YAML.format(home=tmp_path))
    return tmp_path


def test_dagsters_own_storage_reads_what_was_written(home: Path) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert isinstance(instance.event_log_storage, KeptOpenEventLogStorage)
        runs = [dg.materialize([counted], instance=instance).run_id for _ in range(2)]
        theirs = SqliteEventLogStorage(str(home / "history" / "runs"))
        for run_id in runs:
            mine = instance.event_log_storage.get_logs_for_run(run_id)
            assert mine == theirs.get_logs_for_run(run_id)
            assert {"ASSET_MATERIALIZATION", "ASSET_CHECK_EVALUATION"} <= {
                str(e.dagster_event_type.value) for e in mine if e.dagster_event
            }
        check = dg.AssetCheckKey(dg.AssetKey("counted"), "holds")
        assert len(theirs.get_asset_check_execution_history(check, limit=10)) == 2


def test_connections_are_bounded_and_closed(home: Path) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        log = instance.event_log_storage
        assert isinstance(log, KeptOpenEventLogStorage)
        for _ in range(OPEN_SHARDS + 2):
            dg.materialize([counted], instance=instance)
        assert len(log.open_shards) <= OPEN_SHARDS
        log.dispose()
        assert not log.open_shards
        assert len(instance.get_runs()) == OPEN_SHARDS + 2
