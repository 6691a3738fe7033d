"""Who stops a night wants it stopped: the step at work is not run again, and what follows does not start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from unittest.mock import patch

import dagster as dg
import pytest

from contracts.errors import ContractError, EngineError, ExitCode, OutreachError, RegistryError
from contracts.settings import settings
from dagster_project import cli, runs
from dagster_project.cli.ui import end
from dagster_project.policies import RETRY, no_retry
from dagster_project.resources import LAKEHOUSE, lakehouse
from jobs import ledger
from jobs.dbt import DbtError
from jobs.journal import entries
from jobs.liveness import this_process


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


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder of its own, in which the ledger is journalled and not written: that needs an engine."""
    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path))
    settings.cache_clear()
    ledger._journal.cache_clear()
    monkeypatch.setattr(ledger, "flush", lambda *_: 0)
    yield tmp_path
    settings.cache_clear()
    ledger._journal.cache_clear()


def steps_on_record() -> list[tuple[str, str]]:
    return [(e["step"], e["status"]) for e in entries(ledger.journal_path()) if e["step"] != "lineage"]


@contextmanager
def short_night(monkeypatch: pytest.MonkeyPatch, *assets: dg.AssetsDefinition) -> Iterator[dg.DagsterInstance]:
    """A job `nightly` of these assets, which `run_job` runs."""
    defs = dg.Definitions(assets, jobs=[dg.define_asset_job("nightly")], resources={LAKEHOUSE: lakehouse})
    monkeypatch.setattr("dagster_project.definitions.defs", defs)
    with dg.instance_for_test() as on, patch.object(runs, "instance", lambda: on):
        yield on


@dg.asset(required_resource_keys={LAKEHOUSE})
def stopped_between_steps() -> None:
    """The signal comes while nothing is measured."""
    with ledger.step("dbt core"):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)


def test_a_run_stopped_between_two_steps_is_on_record(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with short_night(monkeypatch, stopped_between_steps), pytest.raises(KeyboardInterrupt):
        runs.run_job("nightly")
    assert steps_on_record() == [("dbt core", "succeeded"), ("run", "failed")]


@dg.asset(required_resource_keys={LAKEHOUSE})
def failing() -> None:
    """Its step says what went wrong, so that the run need not."""
    with ledger.step("dbt core"):
        raise dg.Failure("bad", allow_retries=False)


@dg.asset(required_resource_keys={LAKEHOUSE})
def failing_unmeasured() -> None:
    """A table is blocked after its audit, which itself went well."""
    with ledger.step("contracts core"):
        pass
    raise no_retry(ContractError("core.member broke its contract."))


def test_a_step_of_dagster_that_failed_is_on_record(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with short_night(monkeypatch, failing_unmeasured):
        runs.run_job("nightly")
    assert steps_on_record() == [("contracts core", "succeeded"), ("run", "failed")]
    assert [e["message"] for e in entries(ledger.journal_path()) if e["step"] == "run"] == [
        "Step failing_unmeasured failed: core.member broke its contract."
    ]


@dg.asset(required_resource_keys={LAKEHOUSE})
def fine() -> None:
    """Nothing goes wrong."""
    with ledger.step("dbt core"):
        pass


@pytest.mark.parametrize(("asset", "status"), [(failing, "failed"), (fine, "succeeded")])
def test_other_runs_need_no_closing_row(
    at_home: Path, monkeypatch: pytest.MonkeyPatch, asset: dg.AssetsDefinition, status: str
) -> None:
    with short_night(monkeypatch, asset):
        runs.run_job("nightly")
    assert steps_on_record() == [("dbt core", status)]


@pytest.fixture
def other_run(at_home: Path) -> Iterator[None]:
    """Another process that holds the warehouse."""
    path = str(at_home / "lakehouse.lock")
    code = f"import filelock, sys; lock = filelock.FileLock({path!r}); lock.acquire(); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        yield
        other.stdin.close()


def test_a_second_run_says_that_it_waits_and_can_be_stopped(
    other_run: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told = list[str]()

    class Screen:
        def print(self, text: str, **_: object) -> None:
            told.append(text)
            Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()

    monkeypatch.setattr(ledger, "console", Screen)
    with short_night(monkeypatch, fine), pytest.raises(KeyboardInterrupt):
        runs.run_job("nightly")
    assert told == ["Another run holds the warehouse; waiting for it to end."]
    assert "Timeout" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ContractError("core.member broke its contract."), ExitCode.CONTRACT_BROKEN),
        (EngineError("The engine is gone."), ExitCode.ENGINE_UNAVAILABLE),
        (RegistryError("The registry is locked."), ExitCode.REGISTRY_UNAVAILABLE),
        (DbtError("dbt failed."), ExitCode.FAILED),
        (OSError("no space left"), ExitCode.FAILED),
    ],
)
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_the_exit_code_of_a_run_is_that_of_its_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: ExitCode, is_wrapped: bool
) -> None:
    @dg.asset
    def broken() -> None:
        if is_wrapped:
            raise no_retry(error) from error
        raise error from ValueError("a cause of its own")

    with short_night(monkeypatch, broken):
        found = runs.run_job("nightly").error
    assert isinstance(found, OutreachError)
    assert found.exit_code is code
    assert "Step broken failed: " in str(found)
    assert str(error) in str(found)
    if isinstance(error, OutreachError):
        assert type(found) is type(error)
        assert "contracts.errors" not in str(found)


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


def test_a_run_is_closed_when_its_process_is_gone_and_not_before(at_home: Path) -> None:
    code = "from jobs.liveness import this_process; print(this_process(), flush=True); import time; time.sleep(600)"

    @dg.job
    def night() -> None: ...

    with (
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other,
        dg.instance_for_test() as on,
    ):
        try:
            assert other.stdout is not None
            started = dg.DagsterRunStatus.STARTED
            tags = {"outreach/process": other.stdout.readline().strip()}
            mine = on.create_run_for_job(night, tags=tags, status=started)
            daemons = on.create_run_for_job(night, status=started)
            assert runs.close_orphans(on) == 0
            other.kill()
            other.wait(60)
            assert runs.close_orphans(on) == 1
            found = {run.run_id: run.status for run in on.get_runs()}
            assert found == {mine.run_id: dg.DagsterRunStatus.FAILURE, daemons.run_id: started}
        finally:
            other.kill()


def test_a_run_of_the_command_line_says_which_process_runs_it(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with short_night(monkeypatch, fine) as on:
        runs.run_job("nightly")
        assert [run.tags["outreach/process"] for run in on.get_runs()] == [this_process()]


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
