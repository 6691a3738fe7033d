"""The run ledger's journal: what is kept of a step, and of a process that died within one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ContractError
from contracts.settings import settings
from jobs import journal, ledger


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path))
    settings.cache_clear()
    ledger._journal.cache_clear()
    yield tmp_path
    settings.cache_clear()
    ledger._journal.cache_clear()


def _steps(home: Path) -> list[dict[str, Any]]:
    return [entry for path in (home / "ledger").glob("*.ndjson") for entry in journal.entries(path)]


def test_step_keeps_counts_and_prints_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger.console.cache_clear()
    ledger.begin_run("nightly", "run-1", data_source="tuva")
    with ledger.step("score") as record:
        record.rows_out = 12345
    (entry,) = _steps(home)
    assert (entry["status"], entry["rows_out"], entry["run_id"], entry["data_source"]) == (
        "succeeded", 12345, "run-1", "tuva",
    )  # fmt: skip
    assert entry["peak_memory_mb"] > 1
    assert capsys.readouterr().err.count("\n") == 1


def test_failure_is_kept_without_data(home: Path) -> None:
    with pytest.raises(ValueError, match="4711"), ledger.step("read"):
        raise ValueError("member 4711 is wrong")
    with pytest.raises(ContractError), ledger.step("audit"):
        raise ContractError("core.member broke its contract.", todo="look")
    messages = {entry["step"]: (entry["status"], entry["message"]) for entry in _steps(home)}
    assert messages["read"] == ("failed", "ValueError")
    assert messages["audit"] == ("failed", "core.member broke its contract. Next: look")


def test_skip_is_kept_with_its_reason(home: Path) -> None:
    with ledger.step("publish") as record:
        record.skip("nothing changed")
    (entry,) = _steps(home)
    assert (entry["status"], entry["message"]) == ("skipped", "nothing changed")


def test_killed_process_leaves_its_open_step(home: Path) -> None:
    program = (
        "import os, signal\nfrom jobs.ledger import step\nwith step('score'):\n os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program], timeout=120, check=False)
    assert killed.returncode == -9
    (orphan,) = journal.orphans()
    (entry,) = journal.entries(orphan)
    assert (entry["step"], entry["status"], entry["ended_at"]) == ("score", "started", None)


def test_cut_off_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "1-1-x.ndjson"
    path.write_text('{"entry_id": "a", "status": "succeeded"}\n{"entry_id": "b", "sta')
    assert [entry["entry_id"] for entry in journal.entries(path)] == ["a"]
