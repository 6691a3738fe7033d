"""Who stops a night wants it stopped: the step at work is not run again, and what follows does not start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from unittest.mock import patch

import dagster as dg
import pytest

from contracts.errors import ExitCode
from dagster_project import cli, runs
from dagster_project.cli.ui import end
from dagster_project.policies import RETRY


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_step_is_not_retried(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[str] = []

    @dg.asset(retry_policy=RETRY)
    def at_work() -> None:
        attempts.append("at_work")
        os.kill(os.getpid(), number)
        time.sleep(5)

    @dg.asset(deps=[at_work])
    def after() -> None:
        attempts.append("after")

    defs = dg.Definitions([at_work, after], jobs=[dg.define_asset_job("short")])
    monkeypatch.setattr("dagster_project.definitions.defs", defs)
    with dg.instance_for_test() as on, patch.object(runs, "instance", lambda: on):
        with pytest.raises(KeyboardInterrupt):
            runs.run_job("short")
        assert [run.status for run in on.get_runs()] == [dg.DagsterRunStatus.FAILURE]
    assert attempts == ["at_work"]


def test_an_error_is_still_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[int] = []
    monkeypatch.setattr(RETRY.__class__, "calculate_delay", lambda *_: 0.0)

    @dg.asset(retry_policy=RETRY)
    def shaky() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("the connection was lost")

    assert dg.materialize([shaky], raise_on_error=False).success
    assert len(attempts) == 2


@pytest.mark.parametrize("where", ["dagster_project.cli.import_module", "typer.echo"])
def test_an_interrupted_command_says_so(
    where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the command is imported, and within it."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["outreach", "--version"])
    monkeypatch.setattr(where, interrupted)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == ExitCode.INTERRUPTED
    assert "Interrupted; what was published stands" in capsys.readouterr().err


def test_a_server_that_goes_on_answering_is_ended() -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    child = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        with child.stdout as said:
            said.readline()
            child.terminate()
            end(child, patience=0.2)
    finally:
        child.kill()  # no more than a word to a process that has ended
    assert child.returncode == -signal.SIGKILL
