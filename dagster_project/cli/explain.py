"""`outreach explain`: what stands behind one row of a list."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Annotated

import typer

from contracts.errors import UserError
from dagster_project.cli.options import Json, iso_date


def explain(
    member: Annotated[
        str,
        typer.Option("--member", help="Identifier, for an analyst the pseudonym of `outreach sql`; `-`: standard input."),
    ],
    program: Annotated[str, typer.Option("--program", help="Program key.")],
    day: Annotated[str | None, typer.Option("--date", help="A published night, YYYY-MM-DD; default: the last.")] = None,
    source: Annotated[str, typer.Option("--source", help="Ingestion source of the member.")] = "tuva",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Decision, effect with its interval, what moved the score, what came of people like this, how fresh the data are.

    That somebody asked is put on record (`ops.access_audit`), about whom is not; the answer names nobody. With
    `--member -` the identifier stays out of the shell's history and the list of processes.
    """
    import dataclasses
    import json

    from contracts.programs import program as program_of
    from contracts.settings import settings
    from contracts.source_names import known_source
    from jobs.explain.gather import explain as gather
    from jobs.explain.show import show

    identifier = sys.stdin.readline().strip() if member == "-" else member.strip()
    if not identifier:
        raise UserError("No member was named.")
    found = gather(identifier, program_of(program).key, _day(day), known_source(source), settings())
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), default=str, indent=1))
    else:
        show(found)


def _day(text: str | None) -> dt.date | None:
    try:
        return None if text is None else iso_date(text)
    except ValueError:
        raise UserError("--date is not a date.", expected="YYYY-MM-DD") from None
