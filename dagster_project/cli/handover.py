"""`outreach export` and `outreach dispositions`: the list to a care system, and what became of the calls back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from dagster_project.cli.options import Json, iso_date

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _root() -> None:
    """Outcomes of calls, given back by a care system."""


def export(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files; they are readable by you only.")],
    form: Annotated[Literal["csv", "fhir"], typer.Option("--format", help="CSV, or FHIR R4 NDJSON (Task, Group, Provenance).")] = "csv",
    day: Annotated[str | None, typer.Option("--date", help="A published night, YYYY-MM-DD; default: the last.")] = None,
    source: Annotated[str, typer.Option("--source", help="Ingestion source of the members.")] = "tuva",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write the calls of a night for a care system. Needs OUTREACH_ROLE=care_manager or steward; put on record."""
    import datetime as dt

    from contracts.errors import UserError
    from contracts.settings import settings
    from contracts.source_names import known_source
    from jobs.handover.export import export as write

    try:
        night = iso_date(day) if day else None
    except ValueError:
        raise UserError("--date is not a date.", expected="YYYY-MM-DD") from None
    files = write(form, known_source(source), night, out, settings(), dt.datetime.now(dt.UTC))
    if as_json:
        typer.echo(json.dumps({str(file): rows for file, rows in files.items()}, indent=1))
    else:
        for file, rows in files.items():
            typer.echo(f"{rows:>8,}  {file}")


@app.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(help="The exported CSV with `disposition` filled in, or NDJSON of FHIR Tasks.")
    ],
    as_json: Json = False,
) -> None:
    """Take over what became of calls: reached, declined, no_answer or wrong_number; the next night lands it as contacts.

    The same file again changes nothing. Rows that fit no published call are named by line, and the exit code is 1.
    """
    import dataclasses

    from contracts.errors import ExitCode
    from contracts.settings import settings
    from jobs.handover.dispositions import import_dispositions

    found = import_dispositions(file, settings(), settings().today())
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), default=str, indent=1))
    else:
        taken = ", ".join(f"{count} {name}" for name, count in found.contacts.items() if count) or "none"
        typer.echo(f"Outcomes: {taken}; {found.still_open} still open.")
        if found.file is not None:
            typer.echo(
                f"{'Put into' if found.is_new else 'Already in'} the inbox: {found.file}; the next night lands it."
            )
        for line, why in found.refused:
            typer.echo(f"line {line}: {why}", err=True)
    raise typer.Exit(int(ExitCode.FAILED if found.refused else ExitCode.OK))
