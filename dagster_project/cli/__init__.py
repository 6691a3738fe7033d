"""The `outreach` command: every sub-command calls the same jobs that the Dagster UI and the schedules run."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from contracts.errors import ExitCode, OutreachError

_EXIT_CODES = (
    "Exit codes: 0 done; 1 failed; 2 wrong use or configuration; 10 published with a fallback rule for at least one program; "
    "11 published or stopped with a blocked program; 12 a model may not serve (gates, approval, changed definitions); "
    "20 engine unavailable; 21 a contract is broken; 22 model registry unavailable; 130 interrupted."
)

app = typer.Typer(
    name="outreach",
    help=f"Whom should each care program reach out to tomorrow, because it would help them?\n\n{_EXIT_CODES}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _register() -> None:
    """Attach the sub-commands; each module imports the heavy parts only when it runs."""
    from dagster_project.cli import (
        contracts,
        demo,
        design,
        engine,
        ingest,
        models,
        night,
        quarantine,
        simulate,
        study,
        ui,
        uplift,
    )

    app.add_typer(engine.app, name="engine", help="Start, stop and look at the embedded Spark Connect engine.")
    app.add_typer(
        simulate.app, name="simulate", help="Make a health plan with known truth, or overlay outreach on real members."
    )
    app.add_typer(
        models.app,
        name="models",
        short_help="What was trained, what serves, who decided; compare, approve, promote, roll back.",
    )
    app.add_typer(contracts.app, name="contracts", help="What each table promises; render, and compare with others.")
    app.add_typer(quarantine.app, name="quarantine", help="Rows that contracts refused: list, show, release.")
    app.add_typer(design.app, name="design", help="Size the holdout and the exploration.")
    app.add_typer(study.app, name="study", help="Estimate effects on any table or file.")
    app.command("ingest")(ingest.ingest)
    app.command("demo")(demo.demo)
    app.command("nightly")(night.nightly)
    app.command("backfill")(night.backfill)
    app.command("train")(night.train)
    app.command("status")(night.status)
    app.command("uplift")(uplift.uplift)
    app.command("ui")(ui.ui)


@app.callback()
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(installed("outreach-uplift"))
        raise typer.Exit


def main() -> None:
    """Run the command line: errors of the error tree print without a traceback and exit with their code."""
    _register()
    try:
        app(standalone_mode=True)
    except OutreachError as error:
        typer.secho(str(error), err=True, fg=typer.colors.RED)
        sys.exit(int(error.exit_code))
    except KeyboardInterrupt:
        typer.secho("Interrupted; what was published stands, and the command can be run again.", err=True)
        sys.exit(int(ExitCode.INTERRUPTED))
