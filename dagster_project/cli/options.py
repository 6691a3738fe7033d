"""Options that several commands take alike."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")]
PilotShare = Annotated[
    float, typer.Option(help="Share of the eligible whom each pilot month randomises, one to one.", min=0, max=1)
]


def iso_date(text: str) -> date:
    """A date as YYYY-MM-DD.

    Raises:
        ValueError: anything else, also what `date.fromisoformat` would take: `20260101`, `2026-W01-1`.
    """
    found = date.fromisoformat(text)
    if found.isoformat() != text:
        raise ValueError(text)
    return found
