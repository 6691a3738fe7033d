"""`outreach engine`: the embedded Spark engine's life cycle by hand; normal use starts it on demand."""

from __future__ import annotations

import json
import logging
from typing import Annotated

import typer

from contracts.errors import ExitCode
from contracts.settings import settings
from dagster_project.cli.options import Json

app = typer.Typer(no_args_is_help=True, help="Start, stop and look at the embedded Spark engine.")


@app.callback()
def _progress() -> None:
    """Show what the engine does while it is waited for (a first start downloads its jars)."""
    logging.getLogger("jobs.engine").setLevel(logging.INFO)
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.WARNING, format="%(message)s")


def _refuse_elsewhere() -> None:
    """Say so when the commands would not be about the engine that is used."""
    remote = settings().spark_remote
    if remote is not None:
        typer.echo("SPARK_REMOTE is set: the project uses that endpoint, not the embedded engine.", err=True)


@app.command()
def start(as_json: Json = False) -> None:
    """Start the engine, or find it running."""
    from jobs.engine.lifecycle import engine_status, ensure_engine
    from jobs.engine.report import status_data, status_text

    _refuse_elsewhere()
    ensure_engine()
    found = engine_status()
    typer.echo(json.dumps(status_data(found), indent=1) if as_json else status_text(found))


@app.command()
def stop(as_json: Json = False) -> None:
    """Stop the engine; does nothing when none runs."""
    from jobs.engine.lifecycle import stop_engine

    stopped = stop_engine()
    if as_json:
        typer.echo(json.dumps({"stopped": stopped}))
    else:
        typer.echo("Engine stopped." if stopped else "No engine was running.")


@app.command()
def status(as_json: Json = False) -> None:
    """Say whether the engine runs, where, and with how much memory; exits with 20 when it does not run."""
    from jobs.engine.lifecycle import EngineCondition, engine_status
    from jobs.engine.report import status_data, status_text

    _refuse_elsewhere()
    found = engine_status()
    typer.echo(json.dumps(status_data(found), indent=1) if as_json else status_text(found))
    if found.condition is not EngineCondition.RUNNING:
        raise typer.Exit(ExitCode.ENGINE_UNAVAILABLE)


@app.command()
def logs(lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Last lines of each file.")] = 60) -> None:
    """Print the end of the engine's log files, the log of the engine before it first."""
    from jobs.engine.paths import engine_paths

    paths = engine_paths()
    for path in (paths.previous_log, paths.console, paths.log):
        if path.exists() and path.stat().st_size:
            typer.echo(f"== {path}")
            typer.echo("\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]))
