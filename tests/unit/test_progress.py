"""The line that a long command shows while it runs, to those who watch and to nobody else."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from jobs import progress


def _screen(monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool) -> io.StringIO:
    written = io.StringIO()
    monkeypatch.setattr(progress, "console", lambda: Console(file=written, force_terminal=is_terminal, width=60))
    return written


def test_what_was_said_last_is_shown_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    written = _screen(monkeypatch, is_terminal=True)
    with progress.told(quiet=False) as say:
        say("letter [b] · selection")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())
    assert "letter [b] · selection 0:00:00" in plain, "an arm's name is no markup"


@pytest.mark.parametrize(("quiet", "is_terminal"), [(True, True), (False, False)])
def test_where_nobody_watches_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, quiet: bool, is_terminal: bool
) -> None:
    written = _screen(monkeypatch, is_terminal=is_terminal)
    with progress.told(quiet=quiet) as say:
        say("selection")
    assert written.getvalue() == ""


def test_an_error_ends_the_line_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    written = _screen(monkeypatch, is_terminal=True)

    def fails() -> None:
        with progress.told(quiet=False) as say:
            say("reading the data")
            raise ValueError("outcome")

    with pytest.raises(ValueError, match="outcome"):
        fails()
    assert "\x1b[?25h" in written.getvalue(), "the cursor is back"
