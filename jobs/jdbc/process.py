"""Start, find and stop the door's process; like the engine it outlives who starts it."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import FileLock

from contracts.errors import EngineError
from contracts.settings import Settings
from jobs.engine.launch import start_detached
from jobs.engine.state import live_process, write_private

log = logging.getLogger(__name__)

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0


@dataclass(frozen=True)
class DoorState:
    """A door that listens. `create_time` (seconds since the epoch) tells its pid from a later process with the same."""

    pid: int
    create_time: float
    port: int

    @property
    def url(self) -> str:
        """What a JDBC driver is given."""
        return f"jdbc:hive2://127.0.0.1:{self.port}/outreach"


def open_door(config: Settings, port: int) -> DoorState:
    """The door that listens, opened if there is none.

    Raises:
        EngineError: the port is taken, or one listens at another port.
    """
    config.made_home()
    config.jdbc_dir.mkdir(mode=0o700, exist_ok=True)
    with FileLock(config.jdbc_dir / "lock", mode=0o600):
        if (state := listening(config)) is None:
            state = _launch(config, port)
    if state.port != port:
        raise EngineError(
            "The door for BI tools listens at another port.",
            expected=f"port {port}",
            actual=f"port {state.port}",
            todo="`outreach engine stop`, then start it again.",
        )
    return state


def listening(config: Settings) -> DoorState | None:
    """The door that is open, if any; starts nothing."""
    try:
        state = DoorState(**json.loads(_record(config).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return state if live_process(state.pid, state.create_time) else None


def announce(config: Settings, port: int) -> None:
    """Put this process on record as the door; called once it listens."""
    me = psutil.Process()
    write_private(_record(config), json.dumps(asdict(DoorState(me.pid, me.create_time(), port))) + "\n")


def close_door(config: Settings) -> bool:
    """End the door's process; False when none ran. Connections end with it."""
    if not config.jdbc_dir.exists():
        return False
    with FileLock(config.jdbc_dir / "lock", mode=0o600):
        state = listening(config)
        process = live_process(state.pid, state.create_time) if state else None
        if process is not None:
            process.terminate()
            for survivor in psutil.wait_procs([process], timeout=_STOP_SECONDS)[1]:
                survivor.kill()
        _record(config).unlink(missing_ok=True)
        return process is not None


def _launch(config: Settings, port: int) -> DoorState:
    _record(config).unlink(missing_ok=True)
    command = [sys.executable, "-m", "jobs.jdbc", "--port", str(port)]
    child = start_detached(command, {**os.environ, "OUTREACH_HOME": str(config.home)}, _log_file(config))
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if (state := listening(config)) is not None:
            log.info("the door for BI tools is open (pid %d, port %d)", state.pid, state.port)
            return state
        if child.poll() is not None:
            break
        time.sleep(0.1)
    else:
        child.kill()
    raise EngineError(
        "The door for BI tools did not open.",
        actual=f"its process ended with status {child.poll()}",
        todo=f"another program may use port {port}: set OUTREACH_JDBC_PORT; {_log_file(config)} says more.",
    )


def _record(config: Settings) -> Path:
    return config.jdbc_dir / "door.json"


def _log_file(config: Settings) -> Path:
    return config.jdbc_dir / "door.log"
