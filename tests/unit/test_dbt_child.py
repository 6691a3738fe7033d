"""dbt's process and the engine that it needs: where the engine ends, dbt is ended and the night hears of it. No JVM."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import psutil
import pytest

from contracts.errors import EngineError, ExitCode
from contracts.settings import settings
from jobs import dbt
from jobs.engine.paths import engine_paths
from jobs.engine.state import EngineState, write_state

HANGING = [sys.executable, "-c", "import time; print('dbt', flush=True); time.sleep(60)"]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A process on record as the embedded engine."""
    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path))
    monkeypatch.setattr(dbt, "_LOOK_SECONDS", 0.1)
    settings.cache_clear()
    paths = engine_paths(settings())
    paths.prepare()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    began = psutil.Process(child.pid).create_time()
    write_state(paths.state, EngineState(child.pid, began, 9, "2g", "w", "j", {}))
    yield child
    child.kill()
    child.wait()
    settings.cache_clear()


def test_dbt_does_not_outlive_the_engine(engine: subprocess.Popen[bytes]) -> None:
    Timer(0.5, engine.kill).start()
    began = time.monotonic()
    with pytest.raises(EngineError, match="ended while dbt was at work") as gone:
        dbt._watched(HANGING, {}, needs_engine=True)
    assert time.monotonic() - began < 20
    assert gone.value.exit_code is ExitCode.ENGINE_UNAVAILABLE
    living = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    assert not [child for child in living if child.cmdline()[1:] == HANGING[1:]]


def test_dbt_that_failed_since_the_engine_ended_says_so(engine: subprocess.Popen[bytes]) -> None:
    engine.kill()
    engine.wait()
    with pytest.raises(EngineError):
        dbt._watched([sys.executable, "-c", "raise SystemExit(2)"], {}, needs_engine=True)


@pytest.mark.parametrize("needs_engine", [True, False])
def test_what_dbt_says_and_how_it_ends_is_kept(engine: subprocess.Popen[bytes], needs_engine: bool) -> None:
    said = "import sys, time; print('out'); sys.stdout.flush(); time.sleep(0.5); print('err', file=sys.stderr); sys.exit(2)"
    if not needs_engine:
        engine.kill()
    done = dbt._watched([sys.executable, "-c", said], {}, needs_engine=needs_engine)
    assert (done.returncode, done.stdout, done.stderr) == (2, "out\n", "err\n")
