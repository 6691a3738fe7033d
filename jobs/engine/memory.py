"""What the embedded engine has taken of this machine's memory."""

from __future__ import annotations

from pathlib import Path

import psutil

from contracts.settings import settings
from jobs.engine.paths import engine_paths
from jobs.engine.state import engine_process, read_state


def engine_peak_mb() -> float | None:
    """Peak resident memory of the engine's JVM since its start, megabytes; its Python workers are not counted.

    Where the system does not tell peaks (only Linux does), what it holds now. None: no engine runs on this machine.
    """
    process = engine_process(read_state(engine_paths(settings()).state))
    if process is None or settings().spark_remote is not None:
        return None
    try:
        for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass  # not Linux, or it ended a moment ago
    try:
        return float(process.memory_info().rss) / 1e6
    except psutil.Error:
        return None
