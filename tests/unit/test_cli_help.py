"""The command line as a whole: every command says its exit codes, completes in the shell, and can speak to machines."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from contracts.errors import ExitCode
from dagster_project import cli
from dagster_project.cli.browser import open_page
from jobs.progress import line
from jobs.terminal import counted

# They end with Ctrl-C, print files as they are, or have a result of their own kind.
NOT_FOR_MACHINES = {"ui", "engine logs", "lineage export", "lineage show", "sql"}


@pytest.fixture(scope="module")
def commands() -> dict[str, Any]:
    """Every command by its whole name."""
    fresh = typer.Typer()
    before, cli.app = cli.app, fresh
    try:
        cli._register(None)
        root = typer.main.get_command(fresh)
    finally:
        cli.app = before
    found: dict[str, Any] = {}
    for name, command in root.commands.items():
        inner = getattr(command, "commands", None)
        found |= {f"{name} {sub}": c for sub, c in inner.items()} if inner else {name: command}
    return found


def listed(command: Any) -> set[int]:
    """The exit codes that its `--help` lists."""
    return {int(code) for code in re.findall(r"(?:^Exit codes: |; )(\d+) ", command.epilog or "")}


def test_every_command_lists_its_exit_codes(commands: dict[str, Any]) -> None:
    for name, command in commands.items():
        codes = listed(command)
        assert {0, 2, 130} <= codes, f"outreach {name} --help does not list its exit codes"
        assert codes <= {int(code) for code in ExitCode}


@pytest.mark.parametrize(
    ("code", "names"),
    [
        # They open a session; `status` where SPARK_REMOTE is set, `study run` where the rows are a table's.
        (ExitCode.ENGINE_UNAVAILABLE,
         ("engine start", "simulate run", "models compare", "quarantine list", "quarantine release", "design power",
          "study run", "sql", "ingest", "demo", "nightly", "backfill", "train", "status", "report", "uplift", "vacuum")),
        # They write tables, or bring them to their contracts.
        (ExitCode.CONTRACT_BROKEN,
         ("simulate run", "simulate overlay", "quarantine release", "ingest", "demo", "nightly", "backfill", "train")),
        # They train, or ask which models serve.
        (ExitCode.REGISTRY_UNAVAILABLE, ("models list", "explain", "demo", "nightly", "backfill", "train")),
    ],
)  # fmt: skip
def test_what_a_command_may_meet_is_among_its_codes(
    commands: dict[str, Any], code: ExitCode, names: tuple[str, ...]
) -> None:
    assert [name for name in names if code not in listed(commands[name])] == []


def test_every_code_has_a_meaning() -> None:
    assert set(cli._MEANINGS) == set(ExitCode)


def test_commands_speak_to_machines(commands: dict[str, Any]) -> None:
    mute = {
        name for name, c in commands.items() if not any("--json" in getattr(p, "opts", ()) for p in c.params)
    } - NOT_FOR_MACHINES
    assert not mute, f"without --json: {sorted(mute)}"


def test_the_version_is_told_without_a_command() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "dagster_project.cli", "--version"], capture_output=True, text=True, timeout=120
    )
    assert told.returncode == 0, told.stderr
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", told.stdout)


def test_the_shell_completes_names_of_commands() -> None:
    env = {**os.environ, "_OUTREACH_COMPLETE": "complete_bash", "COMP_WORDS": "outreach d", "COMP_CWORD": "1"}
    code = "import sys; sys.argv = ['outreach']; from dagster_project.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert set(done.stdout.split()) >= {"demo", "doctor", "dispositions"}, done.stderr
    assert all(name.startswith("d") for name in done.stdout.split())


def step(name: str, status: str, started: str) -> dict[str, Any]:
    return {"step": name, "status": status, "started_at": f"2026-07-01T03:{started}:00+00:00"}


def test_the_progress_line_says_what_remains() -> None:
    now = dt.datetime(2026, 7, 1, 3, 10, tzinfo=dt.UTC)
    steps = [step("land", "succeeded", "00"), step("dbt", "started", "09")]
    expected = {"land": 60.0, "dbt": 100.0, "publish": 200.0}
    assert line(steps, expected, now) == "dbt · 60 s · step 2 of about 3 · about 4 min left"
    assert line(steps, {}, now) == "dbt · 60 s"
    assert line(steps[:1], expected, now) == ""
    assert line([*steps[:1], step("new", "started", "00")], {"land": 60.0}, now).endswith("nearly done")


def test_nothing_moves_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    from jobs.progress import shown

    with shown({"a": 1.0}, quiet=False):
        pass
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sql", "--format", "xml", "select 1"), "Error: Invalid value for '--format': 'xml' is not one of 'table', 'csv'"),
        (("contracts", "show", "nosuch"), "No table is called nosuch. Next: `outreach contracts list` names them."),
    ],
)  # fmt: skip
def test_wrong_use_is_told_in_our_words(arguments: tuple[str, ...], words: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "dagster_project.cli", *arguments], capture_output=True, text=True, timeout=120
    )
    assert told.returncode == 2
    assert words in told.stderr


def test_train_says_what_is_true_of_training(commands: dict[str, Any]) -> None:
    helps = {p.name: p.help for p in commands["train"].params}
    assert "published" not in helps["as_json"]
    assert "night" not in helps["day"].lower()


def test_one_of_a_thing_is_not_many() -> None:
    assert [counted(n, "file") for n in (0, 1, 2, 1000)] == ["0 files", "1 file", "2 files", "1,000 files"]


@pytest.mark.parametrize("script", ["#!/bin/sh\necho not found >&2\nexit 3\n", None])
def test_without_a_browser_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], script: str | None
) -> None:
    """`xdg-open` without a browser lists everything that it tried."""
    if script:
        (tmp_path / "xdg-open").write_text(script)
        (tmp_path / "xdg-open").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    open_page("file:///nowhere/index.html")
    assert capfd.readouterr().err == "No browser could be opened here; copy the page to where there is one.\n"
