"""`outreach status`, `outreach doctor` and the runbook: what they say of nights and machines in every state. No JVM."""

from __future__ import annotations

import datetime as dt
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from delta_world import SECOND, summary_row, two_nights, write_table

from contracts.alert_kinds import ALERT_KINDS, RUNBOOK, section
from contracts.errors import EngineError, ExitCode
from contracts.roles import Role
from contracts.settings import Settings, settings
from jobs import doctor
from jobs.doctor import Health, drifted, examine
from jobs.journal import Journal
from jobs.status import lines, status

ROOT = Path(__file__).resolve().parents[2]
NOW = dt.datetime(2026, 7, 2, 12, tzinfo=dt.UTC)
BEGAN = dt.datetime(2026, 7, 2, 7, tzinfo=dt.UTC)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path))
    settings.cache_clear()
    tmp_path.chmod(0o700)
    yield settings()
    settings.cache_clear()


def step(name: str, minute: int, **other: Any) -> dict[str, Any]:
    began = BEGAN + dt.timedelta(minutes=minute)
    return {
        "run_id": "run-2", "job": "nightly", "step": name, "data_source": "tuva", "run_date": SECOND, "status": "succeeded",
        "started_at": began, "ended_at": began + dt.timedelta(seconds=50), "duration_seconds": 50.0, "rows_quarantined": 7,
        "code_version": "1", **other,
    }  # fmt: skip


def test_before_the_first_night(config: Settings) -> None:
    found = status("tuva", config, NOW)
    assert found.exit_code is ExitCode.FAILED
    assert lines(found) == ["tuva: no night has been published yet. Run `outreach nightly --source tuva`."]


def test_a_night_that_went_well(config: Settings) -> None:
    two_nights(config.home)
    write_table(config.home, "ops.run_ledger", [step("score", 0), step("publish", 2, duration_seconds=300.0)])
    found = status("tuva", config, NOW)
    text = "\n".join(lines(found))
    assert found.exit_code is ExitCode.OK
    assert "the list of 2026-07-02 is published (tonight)" in text
    assert "longest: publish 5 min, score 50 s" in text
    assert "publish   ed_diversion: 13 of 13 calls, $2,400 estimated" in text
    assert "14 rows quarantined, 0 files parked" in text
    assert len(lines(found)) <= 10


@pytest.mark.parametrize(
    ("verdict", "code"), [("fallback", ExitCode.PUBLISHED_WITH_FALLBACK), ("blocked", ExitCode.BLOCKED)]
)
def test_the_exit_code_is_the_nights(config: Settings, verdict: str, code: ExitCode) -> None:
    write_table(config.home, "outreach.program_summary", [summary_row(SECOND, verdict=verdict)])
    assert status("tuva", config, NOW).exit_code is code


def test_a_failed_night_says_where_and_what_stands(config: Settings) -> None:
    two_nights(config.home)
    write_table(config.home, "ops.run_ledger", [
        step("score", 0, run_id="run-1"), step("score", 60), step("publish", 61, status="failed", message="The audit failed."),
    ])  # fmt: skip
    write_table(config.home, "ops.alert", [
        {"alert_id": "a", "run_id": "run-2", "raised_at": BEGAN + dt.timedelta(hours=1, minutes=3), "severity": "error",
         "kind": "failure", "subject": "nightly", "message": "A step failed.", "data_source": "tuva"},
        {"alert_id": "b", "run_id": "run-0", "raised_at": BEGAN - dt.timedelta(days=9), "severity": "error",
         "kind": "drift", "subject": "old", "message": "Old.", "data_source": "tuva"},
    ])  # fmt: skip
    found = status("tuva", config, NOW)
    text = "\n".join(lines(found))
    assert found.exit_code is ExitCode.FAILED
    assert "in `publish`: The audit failed." in text
    assert "docs/runbook.md#failure" in text
    assert "1 error, 0 warnings; first: failure of nightly" in text


def test_a_night_that_was_stopped_between_two_steps_did_not_go_well(config: Settings) -> None:
    two_nights(config.home)
    write_table(config.home, "ops.run_ledger", [
        step("score", 0), step("run", 1, status="failed", message="The run failed or was interrupted before its end."),
    ])  # fmt: skip
    found = status("tuva", config, NOW)
    assert found.exit_code is ExitCode.FAILED
    assert "in `run`: The run failed or was interrupted before its end." in "\n".join(lines(found))


def test_a_step_that_failed_and_was_retried_did_not_fail(config: Settings) -> None:
    two_nights(config.home)
    write_table(config.home, "ops.run_ledger", [step("score", 0, status="failed"), step("score", 1)])
    assert status("tuva", config, NOW).failed is None


def test_a_late_list_and_a_running_step(config: Settings) -> None:
    two_nights(config.home)
    later = NOW + dt.timedelta(days=3)
    Journal().write({
        "entry_id": "1", "status": "started", "step": "score", "job": "nightly", "data_source": "tuva",
        "started_at": (later - dt.timedelta(seconds=90)).isoformat(),
    })  # fmt: skip
    found = status("tuva", config, later)
    assert found.exit_code is ExitCode.FAILED
    assert "LATE, see docs/runbook.md#lateness" in lines(found)[0]
    assert "running   score of nightly, since 90 s" in lines(found)[1]


def test_neither_command_starts_an_engine(config: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    from dagster_project.cli.doctor import doctor as doctor_command
    from dagster_project.cli.status import status as status_command

    two_nights(config.home)
    with pytest.raises(typer.Exit) as ended:
        status_command("tuva", as_json=True)
    facts = json.loads(capsys.readouterr().out)
    assert facts["exit_code"] == ended.value.exit_code
    with pytest.raises(typer.Exit):
        doctor_command(as_json=True)
    checks = {finding["check"] for finding in json.loads(capsys.readouterr().out)}
    assert {
        "python",
        "java",
        "memory",
        "disk",
        "ports",
        "state folder",
        "packages",
        "engine",
        "warehouse",
        "browser",
    } <= checks
    assert not (config.home / "engine" / "engine.json").exists()


@pytest.mark.parametrize("is_hung", [False, True])
def test_an_endpoint_that_is_down_is_told_at_once(
    config: Settings, monkeypatch: pytest.MonkeyPatch, is_hung: bool
) -> None:
    """By itself Spark's client tries for ten minutes: before every step of a night, and before these few lines."""
    monkeypatch.setattr("jobs.session._REMOTE_SECONDS", 0.5)
    monkeypatch.setattr("jobs.session._cached", None)
    with socket.create_server(("127.0.0.1", 0)) if is_hung else socket.socket() as nobody:
        if not is_hung:
            nobody.bind(("127.0.0.1", 0))  # and does not listen
        remote = config.model_copy(update={"spark_remote": f"sc://127.0.0.1:{nobody.getsockname()[1]}"})
        monkeypatch.setattr("jobs.session.settings", lambda: remote)
        with pytest.raises(EngineError, match="Nothing takes a connection where SPARK_REMOTE points to") as told:
            status("tuva", remote, NOW)
    assert told.value.exit_code is ExitCode.ENGINE_UNAVAILABLE
    assert "correct SPARK_REMOTE" in str(told.value)


def of(check: str, config: Settings) -> doctor.Finding:
    return next(finding for finding in examine(config) if finding.check == check)


def test_doctor_sees_what_is_wrong_and_says_what_mends_it(config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert of("state folder", config).health is Health.OK
    config.home.chmod(0o755)
    assert of("state folder", config).health is Health.WARN
    (config.home / "secrets").mkdir(mode=0o755)
    found = of("state folder", config)
    assert (found.health, "chmod 700" in found.remedy) == (Health.FAIL, True)

    config.settings_file.write_text("# a comment\nOUTREACH_SEED=1\nOUTREACH_SEEED=2\n")
    assert "OUTREACH_SEEED" in of("settings", config).found

    monkeypatch.setattr(doctor, "_memory_limit", lambda: 3 << 30)
    assert of("memory", config).health is Health.FAIL
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)
    assert of("browser", config).health is Health.WARN


def test_doctor_finds_a_damaged_table(config: Settings) -> None:
    two_nights(config.home)
    assert of("warehouse", config).found == "3 tables"
    log = config.home / "warehouse" / "outreach.db" / "priority" / "_delta_log"
    (log / f"{0:020d}.json").write_text('{"add": ')
    found = of("warehouse", config)
    assert (found.health, "outreach.priority" in found.found) == (Health.FAIL, True)


def test_doctor_compares_the_lock() -> None:
    lock = (
        "# c\nduckdb==0.0.1 \\\n    --hash=sha256:1\npywin32==1 ; sys_platform == 'win32' \\\nno-such-package==2 \\\n"
    )
    assert [(name, is_) for name, is_, _ in drifted(lock)][1] == ("no-such-package", "not installed")
    assert [name for name, _, _ in drifted(lock)] == ["duckdb", "no-such-package"]


def test_every_kind_of_alert_has_its_section() -> None:
    page = (ROOT / RUNBOOK).read_text(encoding="utf-8")
    titles = {title.strip().lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", page, re.MULTILINE)}
    assert {section(kind).split("#")[1] for kind in ALERT_KINDS} == titles
    for part in page.split("\n## ")[1:]:
        for word in ("**Meaning.**", "**First look.**", "**Remedy.**"):
            assert word in part, f"{part.splitlines()[0]} lacks {word}"


def test_the_kinds_that_are_raised_are_those_that_are_known() -> None:
    raised = set()
    for folder in ("jobs", "dagster_project"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for call in re.findall(r"(?:record_alert|raise_once)\((.{0,120})", text, re.DOTALL):
                raised |= set(re.findall(r'kind="([a-z_]+)"', call))
    assert len(raised) >= 4
    assert raised == set(ALERT_KINDS), "a kind that nothing raises has a section in the runbook that nobody comes to"


def test_statements_of_the_runbook_are_answered(config: Settings) -> None:
    """Statements that nobody can run would be found out on the worst night."""
    from jobs.query.answer import answer

    page = (ROOT / RUNBOOK).read_text(encoding="utf-8")
    statements = re.findall(r'^(OUTREACH_ROLE=steward )?outreach sql "(.+)"$', page, re.MULTILINE)
    assert len(statements) >= 6
    for name in ("ops.alert", "ops.run_ledger", "ops.input_file", "ops.contract_result", "ops.quarantine", "ops.drift",
                 "causal.gate_result"):  # fmt: skip
        write_table(config.home, name, [])
    for role, sql in statements:
        chosen = config.model_copy(update={"role": Role.STEWARD if role else Role.ANALYST})
        assert answer(sql, "duckdb", chosen).rows.num_rows == 0, sql
