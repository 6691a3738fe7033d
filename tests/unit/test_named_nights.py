"""Nights that are named: words instead of dates, and where there is no such night, which ones there are. No engine."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from delta_world import SECOND, two_nights
from ran import Run, at_home

from contracts.errors import RegistryError, UserError
from contracts.settings import settings
from dagster_project.cli import demo
from dagster_project.cli.night import _is_training_due, make_night, parse_day


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("nights")
    two_nights(made)
    return made


@pytest.fixture
def run(world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """The command line as the console script runs it; an engine fails the test."""
    monkeypatch.setattr("jobs.session.spark_session", lambda *_: pytest.fail("an engine was started"))
    with at_home(world, "care_manager", monkeypatch, capsys) as call:
        yield call


EXPLAIN = ("explain", "--member", "riser", "--program", "ed_diversion")
NO_NIGHT = (
    "No list of tuva is published for 2026-11-23. Expected: a published night; the last are 2026-07-02, 2026-07-01."
)


@pytest.mark.parametrize("command", [EXPLAIN, ("report",), ("export", "--out", "unused")])
def test_a_night_that_is_not_there_is_answered_by_those_that_are(run: Run, command: tuple[str, ...]) -> None:
    done = run(*command, "--date", "2026-11-23")
    assert (done.code, done.err.strip()) == (2, NO_NIGHT)


@pytest.mark.parametrize("command", [EXPLAIN, ("report",), ("export", "--out", "unused")])
def test_a_source_without_a_night_is_told_how_to_get_one(run: Run, command: tuple[str, ...]) -> None:
    done = run(*command, "--date", "2026-11-23", "--source", "desynpuf")
    assert (done.code, "`outreach nightly --source desynpuf` publishes one" in done.err) == (2, True)


def test_explain_takes_the_last_night_where_none_is_named(run: Run) -> None:
    done = run(*EXPLAIN, "--json")
    assert done.code == 0, done.err
    assert done.json["row"]["run_date"] == SECOND.isoformat()


def test_today_and_tomorrow_are_those_of_the_plan() -> None:
    today = dt.datetime.now(ZoneInfo(settings().timezone)).date()
    assert parse_day(None) == parse_day("today") == today
    assert make_night("tomorrow", "tuva").run_date == today + dt.timedelta(days=1)
    with pytest.raises(UserError, match="YYYY-MM-DD, today or tomorrow"):
        parse_day("someday")


@pytest.mark.parametrize("text", ["2026-W01-1", "20260101", "2026-1-1", "2026-01-01T00:00:00"])
def test_a_date_has_one_form(text: str) -> None:
    with pytest.raises(UserError, match="YYYY-MM-DD"):
        parse_day(text)


@pytest.mark.parametrize("option", [("--source", "nope"), ("--program", "nope")])
def test_uplift_of_what_nobody_knows_is_refused(run: Run, option: tuple[str, str]) -> None:
    done = run("uplift", *option)
    assert (done.code, "is called nope" in done.err) == (2, True)


def test_a_backfill_that_cannot_end_does_not_begin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagster_project.cli.night.run_night", lambda *_, **__: pytest.fail("a night was run"))
    done = run("backfill", "--from", "today", "--to", "2999-01-01")
    assert done.code == 2
    assert "No night can be run for" in done.err


def test_a_night_does_not_need_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serving falls back on the programs' rules, and says so in every row and in an alert."""

    def locked(*_: object) -> None:
        raise RegistryError("The model registry is locked by another process.")

    monkeypatch.setattr("jobs.registry.latest", locked)
    assert _is_training_due(make_night("today", "tuva"), "auto") is False


def test_the_demo_prints_commands_that_can_be_typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`make demo` runs without the environment being active."""
    script = tmp_path / ".venv" / "bin" / "outreach"
    script.parent.mkdir(parents=True)
    script.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(script.with_name("python")))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert demo._typed() == os.path.join(".venv", "bin", "outreach")
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}/usr/bin")
    assert demo._typed() == "outreach"
