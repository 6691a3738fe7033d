"""The event log with kept connections holds what Dagster's own would, and other processes can read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


RULES = [f"rule_{i}" for i in range(20)]


@dg.multi_asset(
    name="judged",
    specs=[dg.AssetSpec("night", partitions_def=dg.StaticPartitionsDefinition(["monday"]))],
    check_specs=[dg.AssetCheckSpec(rule, asset="night") for rule in RULES],
)
def judged():
    yield dg.MaterializeResult(
        "night", check_results=[dg.AssetCheckResult(check_name=rule, passed=True) for rule in RULES]
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


def test_the_newest_materialization_is_the_newest_whoever_wrote_it(home: Path) -> None:
    key = dg.AssetKey("counted")
    with dg.DagsterInstance.from_config(str(home)) as mine, dg.DagsterInstance.from_config(str(home)) as other:

        def newest() -> list[str]:
            """As kept in memory, and as Dagster's own storage reads it from the file."""
            theirs = SqliteEventLogStorage(str(home / "history" / "runs"))
            kept, read = (log.fetch_materializations(key, limit=1) for log in (mine.event_log_storage, theirs))
            assert kept == read
            return [record.run_id for record in kept.records]

        assert newest() == []
        for instance in (mine, mine, other, mine, other):
            assert newest() == newest()
            run = dg.materialize([counted], instance=instance)
            assert newest() == [run.run_id]
        mine.wipe_assets([key])
        assert newest() == []


def test_what_all_checks_of_a_table_ask_is_read_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name in ("fetch_materializations", "has_table"):
        original = getattr(SqliteEventLogStorage, name)

        def counted_call(self: object, *given: object, _name: str = name, _original: Any = original) -> Any:
            asked.append(_name)
            return _original(self, *given)

        monkeypatch.setattr(SqliteEventLogStorage, name, counted_call)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert dg.materialize([judged], instance=instance, partition_key="monday").success
        stored = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("night"), RULES[-1]), 5
        )
    (evaluation,) = [record.event.dagster_event.asset_check_evaluation_data for record in stored if record.event]
    assert evaluation.target_materialization_data is not None, "the check does not know what it judged"
    assert 1 <= asked.count("fetch_materializations") <= 3
    assert asked.count("has_table") < len(RULES) / 2
