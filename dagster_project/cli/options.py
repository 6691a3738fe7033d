"""Options that several commands take alike."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")]
PilotShare = Annotated[
    float, typer.Option(help="Share of the eligible whom each pilot month randomises, one to one.", min=0, max=1)
]
