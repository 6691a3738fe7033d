"""The engine's life cycle against processes that stand in for its JVM: every way in which the last one can have ended."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from contracts.errors import EngineError, ExitCode
from contracts.settings import Settings
from dagster_project.cli import engine as cli
from jobs.engine import launch, lifecycle
from jobs.engine.lifecycle import EngineCondition, differences, engine_status, ensure_engine, stop_engine
from jobs.engine.paths import EnginePaths, engine_paths
from jobs.engine.report import status_data, status_text
from jobs.engine.state import EngineState, engine_process, read_state, write_state

SLEEP = [sys.executable, "-c", "import time; time.sleep(120)"]


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, engine_memory="2g")


@pytest.fixture
def paths(config: Settings) -> EnginePaths:
    paths = engine_paths(config)
    paths.prepare()
    return paths


@pytest.fixture
def sleeper() -> Iterator[psutil.Process]:
    """A live process that is nobody's engine."""
    child = subprocess.Popen(SLEEP)
    yield psutil.Process(child.pid)
    child.kill()
    child.wait()


def make_state(config: Settings, process: psutil.Process | None = None, **changes: object) -> EngineState:
    current = {
        "pid": process.pid if process else 2**22 + 1,
        "create_time": process.create_time() if process else 1.0,
        "port": 9,
        "memory": config.engine_memory,
        "warehouse": config.warehouse_url,
        "java": "/java (17)",
        "versions": {"spark": lifecycle.version("pyspark"), "delta": lifecycle.DELTA_VERSION},
    }
    return EngineState(**{**current, **changes})  # type: ignore[arg-type]


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_record_round_trips_and_is_private(config: Settings, paths: EnginePaths) -> None:
    state = make_state(config)
    write_state(paths.state, state)
    assert read_state(paths.state) == state
    assert stat.S_IMODE(paths.state.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "\x00\xff"])
def test_damaged_record_means_no_engine(config: Settings, paths: EnginePaths, content: str) -> None:
    paths.state.write_text(content)
    assert read_state(paths.state) is None
    assert engine_status(config).condition is EngineCondition.STOPPED
    assert not stop_engine(config)


def test_a_reused_pid_is_not_the_engine(config: Settings, paths: EnginePaths, sleeper: psutil.Process) -> None:
    state = make_state(config, sleeper, create_time=sleeper.create_time() - 3600)
    write_state(paths.state, state)
    assert engine_process(state) is None
    assert engine_status(config).condition is EngineCondition.CRASHED
    assert not stop_engine(config)
    assert is_alive(sleeper), "stop ended a process that was not the engine"


def test_a_zombie_is_not_the_engine(config: Settings) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(child.pid)
    state = make_state(config, process)
    while process.status() != psutil.STATUS_ZOMBIE:
        pass
    assert engine_process(state) is None
    child.wait()


def test_crashed_engine_is_called_so(config: Settings, paths: EnginePaths) -> None:
    write_state(paths.state, make_state(config))
    assert engine_status(config).condition is EngineCondition.CRASHED


def test_half_started_engine_is_seen_and_stopped(config: Settings, paths: EnginePaths, sleeper: psutil.Process) -> None:
    write_state(paths.launching, make_state(config, sleeper))
    assert engine_status(config).condition is EngineCondition.STARTING
    assert stop_engine(config)
    assert not is_alive(sleeper)
    assert engine_status(config).condition is EngineCondition.STOPPED


def test_process_that_does_not_answer_is_unresponsive(
    config: Settings, paths: EnginePaths, sleeper: psutil.Process
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        write_state(paths.state, make_state(config, sleeper, port=silent.getsockname()[1]))
        paths.token.write_text("t")
        assert engine_status(config).condition is EngineCondition.UNRESPONSIVE


def test_stop_is_idempotent(config: Settings, paths: EnginePaths, sleeper: psutil.Process) -> None:
    write_state(paths.state, make_state(config, sleeper))
    assert [stop_engine(config), stop_engine(config)] == [True, False]


def test_stop_without_a_state_folder_creates_none(tmp_path: Path) -> None:
    config = Settings(home=tmp_path / "never")
    assert not stop_engine(config)
    assert not config.home.exists()


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Launch these programs, one after the other, in place of the JVM; the returned list collects the ports tried."""

    def use(*programs: str) -> list[int]:
        left, ports = list(programs), []

        def command(config: Settings, paths: EnginePaths, java: Path, jars: list[Path]) -> list[str]:
            ports.append(int((paths.conf / "engine.conf").read_text().split("binding.port=")[1].split()[0]))
            return [sys.executable, "-c", left.pop(0)]

        monkeypatch.setattr(launch, "server_command", command)
        monkeypatch.setattr(launch, "delta_jars", lambda paths: [])
        return ports

    return use


def test_server_that_dies_is_an_engine_error(config: Settings, stand_in: Callable[..., list[int]]) -> None:
    stand_in("import sys; print('no such heap'); sys.exit(3)")
    with pytest.raises(EngineError, match=r"ended with status 3.*outreach engine logs"):
        ensure_engine(config)
    assert "no such heap" in engine_paths(config).console.read_text()
    assert engine_status(config).condition is EngineCondition.STOPPED


def test_server_that_never_answers_is_ended(
    config: Settings, stand_in: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "START_SECONDS", 1.0)
    stand_in("import os, time; print(os.getpid(), flush=True); time.sleep(120)")
    with pytest.raises(EngineError, match="no answer within 1 s"):
        ensure_engine(config)
    assert not psutil.pid_exists(int(engine_paths(config).console.read_text()))
    assert engine_status(config).condition is EngineCondition.STOPPED


def test_a_taken_port_is_left_for_another(config: Settings, stand_in: Callable[..., list[int]]) -> None:
    taken = "import sys; print('java.net.BindException: Failed to bind to address /127.0.0.1:1'); sys.exit(1)"
    ports = stand_in(taken, taken, taken)
    with pytest.raises(EngineError, match="every port tried was taken"):
        ensure_engine(config)
    assert len(set(ports)) == 3


def test_a_predecessors_log_does_not_excuse_this_server(
    config: Settings, paths: EnginePaths, stand_in: Callable[..., list[int]]
) -> None:
    paths.log.write_text("java.net.BindException: of last week")
    stand_in("import sys; sys.exit(1)")
    with pytest.raises(EngineError, match="ended with status 1"):
        ensure_engine(config)
    assert "last week" in paths.previous_log.read_text()


def test_a_smaller_heap_is_mentioned_and_another_warehouse_refused(config: Settings) -> None:
    assert differences(make_state(config), config) == ()
    assert differences(make_state(config, memory="1g"), config) == ("heap 1g instead of 2g",)
    lifecycle._refuse_unfit(make_state(config, memory="1g"), config)
    with pytest.raises(EngineError, match=r"warehouse /other instead of .*engine stop"):
        lifecycle._refuse_unfit(make_state(config, warehouse="/other"), config)


def test_status_never_shows_the_token(config: Settings, paths: EnginePaths, sleeper: psutil.Process) -> None:
    paths.token.write_text("s3cret")
    write_state(paths.state, make_state(config, sleeper))
    status = engine_status(config)
    assert "s3cret" not in status_text(status) + json.dumps(status_data(status))


@pytest.mark.parametrize("verb", ["status", "stop", "logs"])
def test_command_line_without_an_engine(config: Settings, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    for module in (lifecycle, cli):
        monkeypatch.setattr(module, "settings", lambda: config)
    monkeypatch.setattr("jobs.engine.paths.settings", lambda: config)
    result = CliRunner().invoke(cli.app, [verb])
    assert result.exit_code == (ExitCode.ENGINE_UNAVAILABLE if verb == "status" else ExitCode.OK), result.output


def test_status_as_json(config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (lifecycle, cli):
        monkeypatch.setattr(module, "settings", lambda: config)
    result = CliRunner().invoke(cli.app, ["status", "--json"])
    assert json.loads(result.stdout)["condition"] == "stopped"
