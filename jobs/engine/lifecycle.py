"""Start, find and stop the engine, whatever state the last one was left in.

Every change happens under one file lock per state folder, so of two processes that start at once one waits and then
finds the other's server. `engine.json` names a server that has answered; `launching.json` one that has not yet.
"""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version

import psutil
from filelock import FileLock, Timeout

from contracts.errors import EngineError
from contracts.settings import Settings, settings
from jobs.engine.jars import DELTA_VERSION, delta_jars
from jobs.engine.launch import launch
from jobs.engine.metastore import forget_others, register_tables
from jobs.engine.paths import EnginePaths, engine_paths
from jobs.engine.probe import spark_version
from jobs.engine.state import EngineState, engine_process, read_state, write_state

log = logging.getLogger(__name__)

START_SECONDS = 300.0
STOP_SECONDS = 20.0
# A live server may be deep in garbage collection on a busy machine; replacing it would lose everyone's work.
BUSY_SECONDS = 120.0
# Covers a first start by another process: a download (at most 600 s) and the start itself.
LOCK_SECONDS = 900.0
_ATTEMPTS = 3


class EngineCondition(StrEnum):
    """What `status` finds."""

    RUNNING = "running"
    STARTING = "starting"
    UNRESPONSIVE = "unresponsive"
    CRASHED = "crashed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class EngineStatus:
    """The engine as it is now. `differences` are settings that it was not started with."""

    condition: EngineCondition
    state: EngineState | None
    memory_mib: int | None = None
    uptime_seconds: int | None = None
    differences: tuple[str, ...] = ()


def engine_url(state: EngineState, paths: EnginePaths) -> str:
    """Connect string with its token; treat it as a secret."""
    return f"{state.endpoint}/;token={paths.token.read_text(encoding='utf-8')}"


def answers(state: EngineState, paths: EnginePaths, timeout_seconds: float = 5.0) -> bool:
    """True when this engine's server takes our token."""
    try:
        return spark_version(engine_url(state, paths), timeout_seconds) is not None
    except OSError:
        return False


def differences(state: EngineState, config: Settings) -> tuple[str, ...]:
    """In what the running engine differs from what the settings would start."""
    pairs = {
        "heap": (state.memory, config.engine_memory),
        "warehouse": (state.warehouse, config.warehouse_url),
        "Spark": (state.versions.get("spark"), version("pyspark")),
        "Delta": (state.versions.get("delta"), DELTA_VERSION),
    }
    return tuple(f"{name} {is_} instead of {wanted}" for name, (is_, wanted) in pairs.items() if is_ != wanted)


def _refuse_unfit(state: EngineState, config: Settings) -> None:
    """A smaller heap is a matter to mention; another warehouse or version would write the wrong tables."""
    found = differences(state, config)
    if any(not text.startswith("heap") for text in found):
        raise EngineError(
            "The running engine was started with other settings.",
            actual=", ".join(found),
            todo="`outreach engine stop`, then run this again (it starts one that fits).",
        )
    if found:
        log.warning("using the running engine with %s; `outreach engine stop` to start afresh", found[0])


def running_engine(paths: EnginePaths, timeout_seconds: float = 5.0) -> EngineState | None:
    """The engine that is up and answers, if any. Takes no lock."""
    state = read_state(paths.state)
    if engine_process(state) is None or state is None:
        return None
    return state if answers(state, paths, timeout_seconds) else None


def ensure_engine(config: Settings | None = None) -> EngineState:
    """The running engine, started if there is none.

    Raises:
        EngineError: it cannot be started, or one runs that was started with another warehouse or version.
    """
    config = config or settings()
    paths = engine_paths(config)
    state = running_engine(paths)
    if state is None:
        paths.prepare()
        with _locked(paths):
            state = running_engine(paths, timeout_seconds=BUSY_SECONDS) or _start(config, paths)
    _refuse_unfit(state, config)
    return state


def fetch_jars(config: Settings | None = None) -> None:
    """Download what the first start would, so that it needs no network.

    Raises:
        EngineError: the download failed or brought something else.
    """
    paths = engine_paths(config)
    paths.prepare()
    with _locked(paths):
        delta_jars(paths)


@contextmanager
def _locked(paths: EnginePaths) -> Iterator[None]:
    """Hold the state folder's lock; of several processes, one at a time changes anything."""
    lock = FileLock(paths.lock, mode=0o600)
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout as error:
        raise EngineError(
            "Another process has been starting or stopping the engine for too long.",
            expected=f"the lock to be free within {LOCK_SECONDS:.0f} s",
            todo="see `outreach engine status`; end the process that hangs.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _start(config: Settings, paths: EnginePaths) -> EngineState:
    """Remove what is left of earlier engines, then launch until one answers. The caller holds the lock."""
    _end_leftovers(paths)
    forget_others(config, paths)
    for attempt in range(1, _ATTEMPTS + 1):
        state, child = launch(config, paths)
        try:
            if _wait_until_up(state, child, paths):
                register_tables(engine_url(state, paths), config, paths)
                write_state(paths.state, state)
                paths.launching.unlink(missing_ok=True)
                return state
        except BaseException:
            _end(engine_process(state))
            paths.launching.unlink(missing_ok=True)
            raise
        paths.launching.unlink(missing_ok=True)
        log.warning("the port was taken meanwhile; trying another (attempt %d of %d)", attempt, _ATTEMPTS)
    raise _failed(paths, f"every port tried was taken ({_ATTEMPTS} attempts)")


def _wait_until_up(state: EngineState, child: subprocess.Popen[bytes], paths: EnginePaths) -> bool:
    """True once the server answers; False when it died because its port was taken.

    Raises:
        EngineError: it died for another reason, or did not answer in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            if "BindException" in _output(paths):
                return False
            raise _failed(paths, f"the server ended with status {child.returncode}")
        if answers(state, paths, timeout_seconds=2.0):
            return True
        time.sleep(0.2)
    raise _failed(paths, f"no answer within {START_SECONDS:.0f} s")


def _failed(paths: EnginePaths, reason: str) -> EngineError:
    return EngineError(
        "The embedded Spark engine did not start.",
        actual=reason,
        todo=f"`outreach engine logs` shows why; the files are in {paths.root}.",
    )


def _output(paths: EnginePaths) -> str:
    """What this launch's server has said; `launch` puts its predecessor's log aside."""
    return "".join(
        path.read_text(encoding="utf-8", errors="replace") for path in (paths.console, paths.log) if path.exists()
    )


def _end_leftovers(paths: EnginePaths) -> bool:
    """End servers that these records name and that are still theirs: half-started, hung or orphaned ones."""
    processes = [engine_process(read_state(path)) for path in (paths.state, paths.launching)]
    paths.state.unlink(missing_ok=True)
    ended = [_end(process) for process in processes]
    paths.launching.unlink(missing_ok=True)
    return any(ended)


def _end(process: psutil.Process | None) -> bool:
    """Ask a server to end, then make it; its Python workers die with it."""
    if process is None:
        return False
    try:
        workers = process.children(recursive=True)
        process.terminate()
        _, alive = psutil.wait_procs([process], timeout=STOP_SECONDS)
        for survivor in [*alive, *psutil.wait_procs(workers, timeout=2.0)[1]]:
            survivor.kill()
        psutil.wait_procs(alive, timeout=STOP_SECONDS)
    except psutil.NoSuchProcess:
        return True
    return True


def stop_engine(config: Settings | None = None) -> bool:
    """Stop the engine; False when none ran. Safe to repeat."""
    paths = engine_paths(config)
    if not paths.root.exists():
        return False
    with _locked(paths):
        ended = _end_leftovers(paths)
        paths.token.unlink(missing_ok=True)
        return ended


def engine_status(config: Settings | None = None) -> EngineStatus:
    """What is there now; starts and mends nothing."""
    config = config or settings()
    paths = engine_paths(config)
    state, launching = read_state(paths.state), read_state(paths.launching)
    process = engine_process(state)
    if state is not None and process is not None:
        condition = EngineCondition.RUNNING if answers(state, paths) else EngineCondition.UNRESPONSIVE
        memory, uptime = process.memory_info().rss >> 20, int(time.time() - state.create_time)
        return EngineStatus(condition, state, memory, uptime, differences(state, config))
    if engine_process(launching) is not None:
        return EngineStatus(EngineCondition.STARTING, launching)
    return EngineStatus(EngineCondition.CRASHED if state else EngineCondition.STOPPED, state)
