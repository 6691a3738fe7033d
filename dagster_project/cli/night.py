"""`outreach nightly|backfill|train`: the Dagster jobs, run here and recorded there."""

from __future__ import annotations

import json
import os
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.errors import ExitCode, RegistryError, UserError
from contracts.settings import settings
from contracts.tables.shapes import SOURCES
from dagster_project.cli.options import iso_date

if TYPE_CHECKING:
    from dagster_project.partitions import Night

Source = Annotated[str, typer.Option("--source", help=f"Whose members: {', '.join(SOURCES)}.")]
Day = Annotated[
    str | None,
    typer.Option("--date", help="The night, YYYY-MM-DD, today (the default) or tomorrow in the plan's time zone."),
]
_WORDS = {"today": 0, "tomorrow": 1}


def parse_day(text: str | None) -> date:
    """A date option: a date, or `today` (where nothing is given) or `tomorrow` in the plan's time zone.

    Raises:
        UserError: not a date.
    """
    word = "today" if text is None else text
    if word in _WORDS:
        return settings().today() + timedelta(days=_WORDS[word])
    try:
        return iso_date(word)
    except ValueError:
        raise UserError(f"`{text}` is not a date.", expected="YYYY-MM-DD, today or tomorrow") from None


def make_night(day: str | None, source: str) -> Night:
    """The night that options name.

    Raises:
        UserError: unknown source, or a date before the first or after tomorrow.
    """
    from dagster_project.partitions import FIRST_NIGHT, Night

    if source not in SOURCES:
        raise UserError(f"No source is called {source}.", expected=", ".join(SOURCES))
    run_date = parse_day(day)
    last = parse_day(None) + timedelta(days=1)
    if not FIRST_NIGHT <= run_date <= last:
        raise UserError(f"No night can be run for {run_date}.", expected=f"a date from {FIRST_NIGHT} to {last}")
    return Night(run_date, source)


Json = Annotated[bool, typer.Option("--json", help="What was published, as JSON on standard output.")]


def publish_night(night: Night, *, trained: bool, quiet: bool) -> dict[str, Any]:
    """Run the nightly job, with training where asked; its run and what was published, for machines."""
    from dagster_project.runs import run_job
    from jobs.progress import expected_seconds, shown
    from jobs.summary import night_summary

    job = "trained_night" if trained else "nightly"
    with shown(expected_seconds(night.data_source, job, settings()), quiet=quiet or "CI" in os.environ):
        outcome = run_job(job, night)
    if outcome.error is not None:
        raise outcome.error
    return {"run_id": outcome.run_id, "programs": night_summary(night.data_source, night.run_date)}


def run_night(night: Night, *, trained: bool = False, as_json: bool = False) -> ExitCode:
    """Run the nightly job, with training where asked, and say how it ended."""
    from jobs.summary import print_summary

    published = publish_night(night, trained=trained, quiet=as_json)
    rows = published["programs"]
    if as_json:
        typer.echo(json.dumps(published, default=str))
    else:
        print_summary(rows, night.data_source, night.run_date)
    verdicts = {row["verdict"] for row in rows}
    if "blocked" in verdicts:
        return ExitCode.BLOCKED
    return ExitCode.PUBLISHED_WITH_FALLBACK if "fallback" in verdicts else ExitCode.OK


def _is_training_due(night: Night, train: str) -> bool:
    from contracts.programs import programs
    from jobs.registry import latest

    if train not in ("auto", "always", "never"):
        raise UserError(f"`--train {train}` is not known.", expected="auto, always or never")
    if train != "auto":
        return train == "always"
    try:
        return any(latest(night.data_source, key) is None for key in programs().programs)
    except RegistryError:  # the night meets it too, ranks by the fallback rules and raises the alert
        return False


def nightly(
    day: Day = None,
    source: Source = "tuva",
    train: Annotated[
        str,
        typer.Option(
            "--train", help="Train before scoring: auto (when a program has never been trained), always, never."
        ),
    ] = "auto",
    as_json: Json = False,
) -> None:
    """Land, transform, score, allocate and publish one night. Safe to run again: same inputs, same table."""
    night = make_night(day, source)
    raise typer.Exit(int(run_night(night, trained=_is_training_due(night, train), as_json=as_json)))


def backfill(
    first: Annotated[str, typer.Option("--from", help="First night, YYYY-MM-DD, today or tomorrow.")],
    last: Annotated[str, typer.Option("--to", help="Last night, likewise.")],
    source: Source = "tuva",
    as_json: Json = False,
) -> None:
    """Publish every night from --from to --to with what was known then, oldest first; ends with the worst exit code.

    Models are those that serve today; a night from before their training is ranked by rule, for they know what came later. Its
    calls count in the nights after it, which then come out otherwise.
    """
    start, end = parse_day(first), parse_day(last)
    if end < start:
        raise UserError("--to lies before --from.", expected="a first and a last night in order")
    days = [start + timedelta(days=offset) for offset in range((end - start).days + 1)]
    chosen = [
        make_night(day.isoformat(), source) for day in days
    ]  # a night that cannot be run is refused before any is
    raise typer.Exit(int(max([run_night(night, as_json=as_json) for night in chosen])))


def train(
    day: Annotated[
        str | None,
        typer.Option(
            "--date", help="Learn from what was known then, YYYY-MM-DD; default: today in the plan's time zone."
        ),
    ] = None,
    source: Source = "tuva",
    as_json: Annotated[
        bool, typer.Option("--json", help="The run and the models that are registered now, as JSON on standard output.")
    ] = False,
) -> None:
    """Train all programs as of a date, judge them by the gates, register what was learnt."""
    from dagster_project.runs import run_job
    from jobs.progress import expected_seconds, shown

    with shown(expected_seconds(source, "training", settings()), quiet=as_json or "CI" in os.environ):
        outcome = run_job("training", make_night(day, source))
    if outcome.error is not None:
        raise outcome.error
    if as_json:
        from jobs.model_facts import listing

        typer.echo(json.dumps({"run_id": outcome.run_id, "models": listing(source=source)}, default=str))
