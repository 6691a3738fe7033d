"""Settings: a wrong one is one sentence, whichever command reads it; the state folder is closed to others. No engine."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts.errors import ConfigError, ExitCode
from contracts.roles import Role
from contracts.settings import Settings, setting_name, settings
from dagster_project.instance import dagster_home
from jobs.decisions import _deciding
from jobs.doctor import Health, examine
from jobs.jdbc.logins import grant
from jobs.journal import Journal
from jobs.row_key import pseudonym_secret
from jobs.status import status


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path))
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("OUTREACH_ROLE", "boss", "analyst, care_manager or steward"),
        ("OUTREACH_JDBC_PORT", "abc", "a whole number from 1 to 65535"),
        ("OUTREACH_JDBC_PORT", "0", "a whole number from 1 to 65535"),
        ("OUTREACH_SEED", "1.5", "a whole number"),
        ("OUTREACH_AUTO_APPROVE", "maybe", "true or false"),
        ("OUTREACH_TIMEZONE", "Mars/Base", "an IANA zone, for example America/New_York"),
        ("OUTREACH_MEMBER_ID_SYSTEM", "foo", "an absolute URI without blanks, for example https://plan.example/member"),
        (
            "OUTREACH_MEMBER_ID_SYSTEM",
            "urn:a b",
            "an absolute URI without blanks, for example https://plan.example/member",
        ),
        ("OUTREACH_ENGINE_MEMORY", "lots", "a whole number with m or g, for example 3g"),
        ("OPENLINEAGE_DISABLED", "perhaps", "true or false"),
        ("OUTREACH_NIGHTLY_SOURCES", "1", 'a list as JSON, for example ["tuva"]'),
    ],
)
@pytest.mark.parametrize("place", ["environment", "file"])
def test_a_wrong_setting_is_named_with_its_place_and_what_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, name: str, value: str, allowed: str
) -> None:
    file = tmp_path / "settings.env"
    if place == "environment":
        monkeypatch.setenv(name, value)
    else:
        monkeypatch.delenv(name, raising=False)
        file.write_text(f"{name}={value}\n")
    with pytest.raises(ConfigError) as refused:
        settings()
    where = "the environment" if place == "environment" else file
    assert str(refused.value) == f"{name}={value} is not allowed (set in {where}): give {allowed}."
    assert refused.value.exit_code == ExitCode.USER_ERROR


def test_a_source_that_nobody_knows_is_not_run_every_night(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTREACH_NIGHTLY_SOURCES", '["tuva", "nope"]')
    with pytest.raises(ConfigError, match="give a list as JSON, of tuva, desynpuf, synthea_csv"):
        settings()


def test_a_home_that_is_no_folder_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("OUTREACH_HOME", str(file))
    with pytest.raises(ConfigError, match=r"OUTREACH_HOME=.* give a folder"):
        settings()
    monkeypatch.setenv("OUTREACH_HOME", str(file / "below"))
    with pytest.raises(ConfigError, match="cannot be made") as refused:
        settings().made_home()
    assert refused.value.exit_code == ExitCode.USER_ERROR


def test_a_list_that_is_no_json_and_a_file_that_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.env").write_bytes(b"OUTREACH_SEED=\xff")
    with pytest.raises(ConfigError, match=r"settings\.env cannot be read \(UnicodeDecodeError\)"):
        settings()
    monkeypatch.setenv("OUTREACH_NIGHTLY_SOURCES", "tuva")
    with pytest.raises(ConfigError, match=r"OUTREACH_NIGHTLY_SOURCES cannot be read \(set in the environment\)"):
        settings()


@pytest.mark.parametrize("command", ["doctor", "status", "sql"])
def test_a_command_says_it_without_a_traceback(tmp_path: Path, command: str) -> None:
    arguments = [command, *(["select 1"] if command == "sql" else [])]
    env = {**os.environ, "OUTREACH_HOME": str(tmp_path), "OUTREACH_ROLE": "boss"}
    run = [sys.executable, "-m", "dagster_project.cli", *arguments]
    done = subprocess.run(run, env=env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("OUTREACH_ROLE=boss is not allowed")
    assert len(done.stderr.splitlines()) == 1


def test_doctor_says_which_lines_set_nothing(tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text("# a note\nexport OUTREACH_SEED=1\nOPENLINEAGE_URL=http://localhost\n")
    assert settings_finding(Settings(home=tmp_path)) == (Health.OK, "2 in settings.env; role analyst")
    file.write_text("garbage\nOUTREACH_SEEDS=1\n")
    health, found = settings_finding(Settings(home=tmp_path))
    assert health is Health.WARN
    assert found == "settings.env has no `=` in line 1; OUTREACH_SEEDS, which is no setting"
    assert "garbage" not in found, "it may be a secret"


def settings_finding(config: Settings) -> tuple[Health, str]:
    found = next(it for it in examine(config) if it.check == "settings")
    return found.health, found.found


def made_by_a_journal() -> None:
    Journal()


def made_by_a_secret() -> None:
    pseudonym_secret()


def made_by_a_login() -> None:
    grant("anna", Role.ANALYST, settings())


def made_by_the_record_of_decisions() -> None:
    with _deciding("outreach.tuva.ed_diversion"):
        pass


@pytest.mark.parametrize(
    "make", [made_by_a_journal, made_by_a_secret, made_by_a_login, made_by_the_record_of_decisions, dagster_home]
)
def test_a_home_that_this_program_makes_is_closed_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], object]
) -> None:
    home = tmp_path / "of" / "mine"
    monkeypatch.setenv("OUTREACH_HOME", str(home))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings.cache_clear()
    before = os.umask(0o022)
    try:
        make()
    finally:
        os.umask(before)
        os.environ.pop("DAGSTER_HOME", None)
    assert home.stat().st_mode & 0o777 == 0o700


def test_looking_makes_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "new"
    monkeypatch.setenv("OUTREACH_HOME", str(home))
    settings.cache_clear()
    status("tuva", settings(), dt.datetime.now(dt.UTC))
    assert not home.exists()


def test_names_of_settings() -> None:
    assert setting_name("jdbc_port") == "OUTREACH_JDBC_PORT"
    assert setting_name("spark_remote") == "SPARK_REMOTE"
