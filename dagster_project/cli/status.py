"""`outreach status`: how the last night went."""

from __future__ import annotations

from typing import Annotated

import typer

from dagster_project.cli.options import Json


def status(
    source: Annotated[str, typer.Option("--source", help="Whose nights: tuva, desynpuf or synthea_csv.")] = "tuva",
    as_json: Json = False,
) -> None:
    """How the last night went, in about ten lines; starts no engine.

    Exits with 1 when the last run failed or no list of yesterday or today is published, else as that night ended.
    """
    import dataclasses
    import datetime as dt
    import json

    from contracts.settings import settings
    from contracts.source_names import known_source
    from jobs.status import lines
    from jobs.status import status as look

    found = look(known_source(source), settings(), dt.datetime.now(dt.UTC))
    if as_json:
        facts = {**dataclasses.asdict(found), "is_late": found.is_late, "exit_code": int(found.exit_code)}
        typer.echo(json.dumps(facts, default=str, indent=1))
    else:
        typer.echo("\n".join(lines(found)))
    raise typer.Exit(int(found.exit_code))
