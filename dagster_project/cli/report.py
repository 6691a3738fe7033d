"""`outreach report`: draw a night's pages again, open them, print them; the monthly page on models."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import UserError
from dagster_project.cli.browser import open_page
from dagster_project.cli.options import Json


def report(
    day: Annotated[
        str | None, typer.Option("--date", help="The night, YYYY-MM-DD; default the last one with a page.")
    ] = None,
    source: Annotated[str, typer.Option(help="Ingestion source.")] = "tuva",
    program: Annotated[str | None, typer.Option(help="The page of this program alone.")] = None,
    month: Annotated[
        str | None, typer.Option("--month", help="The page on models of this month, YYYY-MM, instead of a night's.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Draw the night's pages again from its tables (asks the engine).")
    ] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also as PDF beside the page, by an installed Chromium.")] = False,
    browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Where a night's report is; with it --open, --pdf and --again. A night writes its pages by itself."""
    page = _month_page(month, source, day, program) if month else _night_page(day, source, program, again)
    printed = _printed(page) if pdf else None
    if as_json:
        typer.echo(json.dumps({"page": str(page), "pdf": None if printed is None else str(printed)}))
    else:
        typer.echo(page.as_uri() if printed is None else f"{page.as_uri()}\n{printed.as_uri()}")
    if browser:
        open_page(page.as_uri())


def _night_page(day: str | None, source: str, program: str | None, again: bool) -> Path:
    from contracts.settings import settings
    from jobs.query import duck
    from jobs.query.nights import no_such_night, published_nights
    from jobs.report.index import program_page, read_entries

    reports = settings().reports_dir
    nights = [entry.run_date for entry in read_entries(reports) if entry.data_source == source]
    if day is None and not nights:
        raise UserError(
            f"There is no report of {source} in {reports}.",
            expected="a published night",
            todo="`outreach demo` or `outreach nightly` makes one.",
        )
    night = nights[0] if day is None else _parsed(day, "%Y-%m-%d", "YYYY-MM-DD")
    if again or night not in nights:
        if duck.elsewhere(settings()) is None and night not in (known := published_nights(source, settings())):
            raise no_such_night(night, source, known)
        from jobs.report.write import write_report

        write_report(source, night)
    page = reports / source / night.isoformat() / ("index.html" if program is None else program_page(program))
    if not page.exists():
        from contracts.programs import programs

        raise UserError(
            f"There is no page of the program {program} for {night}.",
            expected=f"one of {', '.join(programs().programs)}",
            todo="`outreach report --again` draws a night's pages anew.",
        )
    return page


def _month_page(month: str, source: str, day: str | None, program: str | None) -> Path:
    if day is not None or program is not None:
        raise UserError("A month's page covers all nights and programs; give --month without --date and --program.")
    from jobs.report.month import write_month

    return write_month(source, _parsed(month, "%Y-%m", "YYYY-MM"))


def _parsed(text: str, form: str, shown: str) -> date:
    from datetime import datetime

    try:
        return datetime.strptime(text, form).date()
    except ValueError:
        raise UserError(f"`{text}` is no date.", expected=shown) from None


def _printed(page: Path) -> Path:
    from jobs.report.pdf import print_page

    return print_page(page)
