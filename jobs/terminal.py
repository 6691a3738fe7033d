"""What people read in a terminal: tables as wide as it is, and wide enough for whole names where there is none; counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def counted(number: int, word: str) -> str:
    """`1 file`, `2 files`, `1,000 files`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def table_console(*, highlight: bool = True) -> Console:
    """The terminal's width, and enough for a whole row where there is none (a log, a pipe)."""
    from rich.console import Console

    console = Console(highlight=highlight)
    return console if console.is_terminal else Console(width=160, highlight=highlight)
