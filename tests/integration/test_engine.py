"""The real engine: one server for all who start at once, private, and back with its tables after any end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from deltalake import DeltaTable

from contracts.settings import Settings
from jobs.engine import launch
from jobs.engine.lifecycle import answers, engine_status, ensure_engine, stop_engine
from jobs.engine.paths import engine_paths
from jobs.engine.probe import spark_version
from jobs.engine.state import EngineState, engine_process, read_state

START = [sys.executable, "-m", "jobs.engine", "start"]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An engine of its own, as these tests end it by force; its path has a space, as a user's may."""
    config = Settings(home=tmp_path_factory.mktemp("engine") / "state folder", engine_memory="1g")
    yield config
    stop_engine(config)


@pytest.fixture(scope="module")
def env(config: Settings) -> dict[str, str]:
    return {**os.environ, "OUTREACH_HOME": str(config.home), "OUTREACH_ENGINE_MEMORY": "1g"}


@pytest.fixture
def engine(config: Settings) -> EngineState:
    return ensure_engine(config)


def launched(config: Settings, seconds: float = 60.0) -> EngineState:
    """The half-started server, as soon as it is on record."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = read_state(engine_paths(config).launching)
        if state is not None:
            return state
        time.sleep(0.02)
    raise AssertionError("no server was launched")


def test_starter_killed_while_starting_leaves_one_engine(config: Settings, env: dict[str, str]) -> None:
    """The half-started server of a killed starter is replaced; two starters at once then share one server."""
    first = subprocess.Popen(START, env=env)
    orphan = launched(config)
    first.kill()
    first.wait()
    assert engine_process(orphan) is not None, "the server ended with its starter"

    both = [subprocess.Popen(START, env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [starter.communicate(timeout=400)[0] for starter in both]
    state = read_state(engine_paths(config).state)
    assert [starter.returncode for starter in both] == [0, 0]
    assert state is not None
    assert all(f"pid {state.pid}," in output for output in outputs)
    assert state.pid != orphan.pid
    assert engine_process(orphan) is None
    assert engine_process(state) is not None, "the server ended with its starter"


def test_engine_is_private(config: Settings, engine: EngineState) -> None:
    paths = engine_paths(config)
    process = psutil.Process(engine.pid)
    listening = {c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert listening
    assert {ip.removeprefix("::ffff:") for ip in listening} <= {"127.0.0.1", "::1"}
    assert paths.token.read_text() not in " ".join(process.cmdline())
    readable = [path for path in paths.root.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert readable == [], "these files of the engine can be read by other users"


def test_only_the_token_opens_the_engine(engine: EngineState) -> None:
    assert spark_version(f"{engine.endpoint}/;token=guess") is None
    assert spark_version(engine.endpoint) is None


def test_tables_and_sessions_survive_a_crash(config: Settings, env: dict[str, str], engine: EngineState) -> None:
    script = """
import json, os, signal, sys
from contracts.settings import settings
from jobs.engine.state import read_state
from jobs.session import remote_env, spark_session

spark = spark_session()
assert spark_session() is spark
spark.sql("create database if not exists core")
spark.sql("create table core.kept as select id, 'x' + 1 as number from range(10)")
provider = spark.sql("describe detail core.kept").first()["format"]
os.kill(read_state(settings().engine_dir / "engine.json").pid, 9)
again = spark_session()
row = again.sql("select count(*) as n, count(number) as m, current_timezone() as zone from core.kept").first()
print(json.dumps({"format": provider, "n": row.n, "m": row.m, "zone": row.zone, "same": again is spark}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=env,
        cwd=config.home,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "format": "delta",
        "n": 10,
        "m": 0,
        "zone": "UTC",
        "same": False,
    }
    assert {path.name for path in config.home.iterdir()} == {"engine", "warehouse"}, (
        "the engine wrote into its caller's folder"
    )


def test_cancelled_statements_leave_the_metastore_open(env: dict[str, str], engine: EngineState) -> None:
    """Each may lose its connection to the metastore; a pool of eight was then empty for good."""
    script = """
import threading, time
from jobs.session import spark_session

spark = spark_session()
def ask(number):
    spark.addTag(f"number-{number}")
    try:
        spark.sql("select count(*) from core.kept").collect()
    except Exception as error:
        assert "OPERATION_CANCELED" in str(error) or "interrupt" in str(error).lower(), error
for number in range(40):
    asking = threading.Thread(target=ask, args=(number,), daemon=True)
    asking.start()
    time.sleep(number % 10 / 100)
    spark.interruptTag(f"number-{number}")
    asking.join(30)
    assert not asking.is_alive(), f"statement {number} waits"
print(spark.table("core.kept").count())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.split() == ["10"], done.stderr[-3000:]


def test_a_session_from_the_environment_alone_opens_the_same_tables(env: dict[str, str], engine: EngineState) -> None:
    """What dbt does: a plain builder that knows nothing of this project but `SPARK_REMOTE`."""
    script = """
import os, subprocess, sys
from jobs.session import remote_env
child = "from pyspark.sql import SparkSession as S; print(S.builder.getOrCreate().table('core.kept').count())"
sys.exit(subprocess.run([sys.executable, "-c", child], env={**os.environ, **remote_env()}).returncode)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["10"]


def test_port_in_use_is_left_for_another(config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    stop_engine(config)
    real, tried = launch.free_port, []
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]

        def port() -> int:
            tried.append(real() if tried else taken)
            return tried[-1]

        monkeypatch.setattr(launch, "free_port", port)
        state = ensure_engine(config)
    assert tried[0] == taken
    assert state.port == tried[1]
    assert answers(state, engine_paths(config))


def test_a_frozen_engine_is_unresponsive_and_can_be_stopped(config: Settings, engine: EngineState) -> None:
    process = psutil.Process(engine.pid)
    process.send_signal(signal.SIGSTOP)
    assert engine_status(config).condition == "unresponsive"
    process.send_signal(signal.SIGCONT)
    assert stop_engine(config)
    assert not stop_engine(config)
    assert engine_process(engine) is None
    leftover = [path for path in Path(config.home / "engine").glob("*.json")]
    assert leftover == []


def test_a_copied_state_folder_has_tables_of_its_own(
    config: Settings, engine: EngineState, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A metastore holds absolute places: the copy's engine read and wrote the original's tables."""
    fill = """
spark.sql("create schema if not exists core")
spark.sql("create or replace table core.copied (id int, kind string) partitioned by (kind) comment 'kept'")
spark.sql("insert into core.copied values (1, 'a')")"""
    look = """
spark.sql("insert into core.copied values (2, 'b')")
spark.sql("create or replace table core.copied_too as select * from core.copied")
print([spark.table(name).count() for name in ("core.copied", "core.copied_too")])
print(spark.sql("describe detail core.copied").select("description", "partitionColumns").first())"""

    def run(home: Path, script: str) -> str:
        head = "from jobs.session import spark_session\nspark = spark_session()"
        done = subprocess.run(
            [sys.executable, "-c", head + script],
            env={**os.environ, "OUTREACH_HOME": str(home), "OUTREACH_ENGINE_MEMORY": "1g"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    run(config.home, fill)
    stop_engine(config)
    seed = config.home / "warehouse/core.db/ref_drug_code/_delta_log"
    seed.mkdir(parents=True)
    marker = config.home / "dbt/seeds.sha256"
    marker.parent.mkdir(exist_ok=True)
    marker.write_text("loaded")
    copy = Settings(home=tmp_path_factory.mktemp("copy") / "o'clock", engine_memory="1g")
    shutil.copytree(config.home, copy.home)
    try:
        found = run(copy.home, look)
        assert "[2, 2]" in found
        assert "description='kept', partitionColumns=['kind']" in found
        # What dbt drops before it loads it is not registered at its place, but loaded again.
        assert not (copy.home / "warehouse/core.db/ref_drug_code").exists()
        assert not (copy.home / "dbt/seeds.sha256").exists()
        note = engine_paths(copy).metastore / "warehouse"
        assert note.read_text() == copy.warehouse_url
    finally:
        stop_engine(copy)
    assert seed.is_dir()
    assert DeltaTable(config.home / "warehouse/core.db/copied").count() == 1, (
        "the copy's engine wrote the original's tables"
    )
