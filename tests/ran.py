"""What a command of `outreach` said, run within the test's own process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from contracts.settings import settings
from dagster_project import cli


@dataclass(frozen=True)
class Ran:
    """Exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str, app: typer.Typer
) -> Ran:
    """Run the command line as the console script does.

    Args:
        app: a fresh one, which the commands are added to.
    """
    monkeypatch.setattr("sys.argv", ["outreach", *arguments])
    monkeypatch.setattr(cli, "app", app)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    return Ran(int(ended.value.code or 0), printed.out, printed.err)


@contextmanager
def at_home(
    home: Path, role: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Run commands in a state folder and role, both of which a call may change."""
    from jobs import access_audit

    def forget() -> None:
        settings.cache_clear()
        access_audit._journal.cache_clear()

    def call(*arguments: str, home: Path = home, role: str = role) -> Ran:
        monkeypatch.setenv("OUTREACH_HOME", str(home))
        monkeypatch.setenv("OUTREACH_ROLE", role)
        forget()
        app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
        app.callback()(lambda: None)
        return typed(monkeypatch, capsys, *arguments, app=app)

    yield call
    forget()
