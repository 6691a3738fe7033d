"""`outreach ingest`: land files of claims and encounters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="A file, or a folder of files.")],
    source: Annotated[str, typer.Option("--source", help="What the files are: tuva, desynpuf or synthea_csv.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Land delivered files: each new one is checked and appended to its raw table once; a bad one is parked with its reason.

    Exits with 0, or with 1 when nothing was landed and something was parked or left.
    """
    from jobs.ingest.__main__ import run

    raise typer.Exit(int(run(source, paths, as_json=as_json)))
