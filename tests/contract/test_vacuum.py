"""Old files leave, current rows and recent versions stay."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from typer.testing import CliRunner

from contracts.settings import settings
from dagster_project.definitions import defs
from jobs import vacuum
from jobs.delta import only_appended_since, table_version, tables_of_layers
from jobs.query.duck import delta_folder
from jobs.vacuum import Vacuumed, vacuum_warehouse

pytestmark = pytest.mark.timeout(300)

_NAME = "ops.vacuumed"
_DAY = 24 * 3600


def _rewritten(folder: Path, days_ago: list[int]) -> None:
    """Write a table once and then anew for each number of days ago, and let it look as if it had been so."""
    write_deltalake(folder, pa.table({"id": ["first"]}))
    for version, days in enumerate(days_ago, start=1):
        write_deltalake(folder, pa.table({"id": [f"written {days} days ago"]}), mode="overwrite")
        commit = folder / "_delta_log" / f"{version:020}.json"
        actions = [json.loads(line) for line in commit.read_text().splitlines()]
        for action in actions:
            if "remove" in action:
                action["remove"]["deletionTimestamp"] = int((time.time() - days * _DAY) * 1000)
        commit.write_text("\n".join(json.dumps(action) for action in actions))
    for file in folder.glob("*.parquet"):
        os.utime(file, (time.time() - 90 * _DAY,) * 2)


@pytest.fixture
def old(spark: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A table of three versions; the first was replaced ten days ago, the second yesterday. All were written long ago."""
    folder = delta_folder(_NAME, settings())
    _rewritten(folder, [10, 1])
    spark.sql("CREATE SCHEMA IF NOT EXISTS ops")
    spark.sql(f"CREATE TABLE {_NAME} USING delta LOCATION '{folder}'")
    assert _NAME in tables_of_layers(spark)
    # The other tables of the tests' engine would take minutes.
    monkeypatch.setattr(vacuum, "tables_of_layers", lambda spark: [_NAME, "outreach.priority_latest"])
    yield folder
    spark.sql(f"DROP TABLE {_NAME}")  # which leaves the files of a table that has a location
    shutil.rmtree(folder)


def test_files_of_old_versions_leave(spark: Any, old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that only versions of more than a week ago hold, and what a killed write left; nothing else."""
    left, being_written = old / "part-killed.parquet", old / "part-now.parquet"
    for file in (left, being_written):
        file.write_bytes(b"x" * 100)
    os.utime(left, (time.time() - 10 * _DAY,) * 2)
    size = sum(file.stat().st_size for file in DeltaTable(old, version=0).file_uris() for file in [Path(file)]) + 100
    before = table_version(spark, _NAME)

    [told] = vacuum_warehouse()
    assert told == Vacuumed(_NAME, 2, size)
    assert "2 files" in capsys.readouterr().err
    assert not left.exists()
    assert being_written.exists()
    assert [row.id for row in spark.table(_NAME).collect()] == ["written 1 days ago"]
    assert spark.sql(f"SELECT id FROM {_NAME} VERSION AS OF 1").first().id == "written 10 days ago"
    assert only_appended_since(spark, _NAME, before), "an audit would read the whole table again"
    assert vacuum_warehouse() == [], "a second time there is nothing to delete"


def test_the_command_tells_machines(old: Path) -> None:
    from dagster_project.cli import app
    from dagster_project.cli.vacuum import vacuum as command

    app.command("vacuum")(command)
    done = CliRunner().invoke(app, ["vacuum", "--json"])
    assert done.exit_code == 0, done.output
    [deleted] = json.loads(done.stdout.splitlines()[-1])["deleted"]
    assert (deleted["table"], deleted["files"]) == (_NAME, 1)


def test_it_is_scheduled() -> None:
    repository = defs.get_repository_def()
    schedule = repository.get_schedule_def("weekly_vacuum")
    assert (schedule.cron_schedule, schedule.job_name) == ("0 12 * * 6", "vacuum")
    assert repository.get_job("vacuum").resource_defs.keys() >= {"lakehouse"}
