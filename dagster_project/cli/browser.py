"""Opening a page that was written, where there is something to open it."""

from __future__ import annotations

import shutil
import subprocess

import typer

_OPENERS = ("xdg-open", "open")
_PATIENCE_SECONDS = 3.0


def open_page(address: str) -> None:
    """Show a page in the person's browser; a machine without one is told in a sentence."""
    if not _opened(address):
        typer.echo("No browser could be opened here; copy the page to where there is one.", err=True)


def _opened(address: str) -> bool:
    opener = next((found for name in _OPENERS if (found := shutil.which(name))), None)
    if opener is None:
        return False
    quiet = subprocess.DEVNULL
    child = subprocess.Popen([opener, address], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        return child.wait(_PATIENCE_SECONDS) == 0
    except subprocess.TimeoutExpired:  # the browser itself, which stays open
        return True
