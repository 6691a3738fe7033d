"""The engine's record on disk, and whether the process it names is really that engine."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

# A process's start time as the kernel tells it is constant; the margin covers rounding in the JSON file.
_START_TIME_MARGIN_SECONDS = 1.0


@dataclass(frozen=True)
class EngineState:
    """One engine. `create_time` (seconds since the epoch) tells its pid from a later process with the same pid."""

    pid: int
    create_time: float
    port: int
    memory: str
    warehouse: str
    java: str
    versions: dict[str, str]

    @property
    def endpoint(self) -> str:
        """`localhost` and not `127.0.0.1`: with a token, clients insist on TLS for any other spelling."""
        return f"sc://localhost:{self.port}"


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    scratch.replace(path)


def write_state(path: Path, state: EngineState) -> None:
    """Put the engine on record."""
    write_private(path, json.dumps(asdict(state), indent=1) + "\n")


def read_state(path: Path) -> EngineState | None:
    """The record; None when there is none or it is unreadable, which is treated alike: no engine is known."""
    try:
        return EngineState(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def engine_process(state: EngineState | None) -> psutil.Process | None:
    """The live process of this record; None when it ended, became a zombie, or its pid now names another process."""
    return None if state is None else live_process(state.pid, state.create_time)


def live_process(pid: int, create_time: float) -> psutil.Process | None:
    """The process of this id that started then (seconds since the epoch); None when it ended or is a zombie."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - create_time) <= _START_TIME_MARGIN_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None
