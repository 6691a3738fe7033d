"""`outreach simulate`: a health plan with known truth, or simulated outreach on real members."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import UserError
from contracts.settings import settings
from dagster_project.cli.options import Json, PilotShare, iso_date

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command()
def run(
    out: Annotated[Path, typer.Option(help="Folder for the delivered files.")],
    end_date: Annotated[str, typer.Option(help="Last delivery, YYYY-MM-DD.")],
    members: Annotated[int, typer.Option(help="People ever enrolled.", min=3)] = 20_000,
    months: Annotated[int, typer.Option(help="Calendar months of history.", min=6, max=120)] = 30,
    seed: Annotated[int | None, typer.Option(help="Root of the random draws; default: the project's seed.")] = None,
    pilot_share: PilotShare = 0.13,
    delivered_until: Annotated[
        str | None, typer.Option(help="Write only what was delivered up to this day; the plan is the same.")
    ] = None,
    delivered_after: Annotated[str | None, typer.Option(help="Write only what was delivered after this day.")] = None,
    follow_lists: Annotated[
        bool, typer.Option("--follow-lists", help="From the first published list on, its offers are the ones made.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Simulate a plan: files in the Tuva input layer under --out, potential outcomes in the tables of `truth`."""
    from jobs.session import spark_session
    from jobs.simulate import SimulationConfig, simulate
    from jobs.simulate.run import Part, published_offers

    config = SimulationConfig(
        members=members,
        months=months,
        end_date=_day(end_date),
        seed=settings().seed if seed is None else seed,
        pilot_share=pilot_share,
    )
    spark = spark_session("simulate")
    part = Part(
        after=_day(delivered_after) if delivered_after else None,
        until=_day(delivered_until) if delivered_until else None,
        published=published_offers(spark) if follow_lists else None,
    )
    made = simulate(spark, config, out, part=part)
    if as_json:
        folders = {entity: str(folder) for entity, folder in made.folders.items()}
        typer.echo(
            json.dumps({"folders": folders, "truth_rows": made.truth_rows, "members": members, "seed": config.seed})
        )
        return
    for entity, folder in made.folders.items():
        typer.echo(f"{entity:18} {folder}")
    typer.echo(f"{'truth':18} {made.truth_rows:,} rows in truth.potential_outcome")


@app.command()
def overlay(
    source: Annotated[str, typer.Option(help="Ingested source of real members: desynpuf or synthea_csv.")],
    seed: Annotated[int | None, typer.Option(help="Root of the random draws; default: the project's seed.")] = None,
    as_json: Json = False,
) -> None:
    """Overlay outreach and its effects on real members of a source whose staging tables stand."""
    from jobs.session import spark_session
    from jobs.simulate.overlay import ensure_overlay
    from jobs.simulate.overlay import overlay as overlay_source

    spark = spark_session("simulate")
    ensure_overlay(spark)
    rows = overlay_source(spark, source, settings().seed if seed is None else seed)
    if as_json:
        typer.echo(json.dumps({"source": source, "contacts": rows, "table": "staging.overlay__outreach_contact"}))
    else:
        typer.echo(f"{source}: {rows:,} contacts in staging.overlay__outreach_contact")


def _day(text: str) -> date:
    try:
        return iso_date(text)
    except ValueError:
        raise UserError(f"`{text}` is not a date.", expected="YYYY-MM-DD") from None
