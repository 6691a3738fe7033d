"""`outreach engine`: the embedded Spark engine's life cycle by hand; normal use starts it on demand."""

from __future__ import annotations

import getpass
import json
import logging
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.errors import ExitCode
from contracts.settings import settings
from dagster_project.cli.options import Json

if TYPE_CHECKING:
    from jobs.engine.lifecycle import EngineStatus

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
def start(
    jdbc: Annotated[bool, typer.Option("--jdbc", help="Also open the door for BI tools (JDBC, ODBC).")] = False,
    jdbc_port: Annotated[
        int | None, typer.Option(help="Loopback port of that door; default OUTREACH_JDBC_PORT.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Start the engine, or find it running; with --jdbc also the door for BI tools (`outreach jdbc`)."""
    from jobs.engine.lifecycle import engine_status, ensure_engine

    _refuse_elsewhere()
    if settings().spark_remote is None:
        ensure_engine()
    first_login: dict[str, str] = {}
    if jdbc or jdbc_port is not None:
        from jobs.jdbc.logins import grant, logins
        from jobs.jdbc.process import open_door

        open_door(settings(), jdbc_port or settings().jdbc_port)
        if not logins(settings()):
            name, role = getpass.getuser(), settings().role
            first_login = {"login": name, "role": role.value, "password": grant(name, role, settings())}
    _show(engine_status(), as_json=as_json, first_login=first_login)


@app.command()
def stop(as_json: Json = False) -> None:
    """Stop the engine and the door for BI tools; does nothing when none runs."""
    from jobs.engine.lifecycle import stop_engine
    from jobs.jdbc.process import close_door

    closed, stopped = close_door(settings()), stop_engine()
    if as_json:
        typer.echo(json.dumps({"stopped": stopped, "jdbc_closed": closed}))
    else:
        typer.echo("Engine stopped." if stopped else "No engine was running.")
        if closed:
            typer.echo("Door for BI tools closed.")


@app.command()
def status(as_json: Json = False) -> None:
    """Say whether the engine runs, where, and with how much memory; exits with 20 when it does not run."""
    from jobs.engine.lifecycle import EngineCondition, engine_status

    _refuse_elsewhere()
    found = engine_status()
    _show(found, as_json=as_json)
    if found.condition is not EngineCondition.RUNNING:
        raise typer.Exit(ExitCode.ENGINE_UNAVAILABLE)


def _show(found: EngineStatus, *, as_json: bool, first_login: dict[str, str] | None = None) -> None:
    from jobs.engine.report import status_data, status_text
    from jobs.jdbc.process import listening

    door = listening(settings())
    if as_json:
        typer.echo(
            json.dumps({**status_data(found), "jdbc": door.url if door else None, **(first_login or {})}, indent=1)
        )
        return
    typer.echo(status_text(found))
    if door is not None:
        typer.echo(f"  BI tools  {door.url} (pid {door.pid}); log-ins: `outreach jdbc logins`")
    if first_login:
        typer.echo(f"First log-in: {first_login['login']}, role {first_login['role']}.")
        typer.echo(f"Password, shown only now: {first_login['password']}")


@app.command()
def logs(lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Last lines of each file.")] = 60) -> None:
    """Print the end of the engine's log files, the log of the engine before it first."""
    from jobs.engine.paths import engine_paths

    paths = engine_paths()
    for path in (paths.previous_log, paths.console, paths.log):
        if path.exists() and path.stat().st_size:
            typer.echo(f"== {path}")
            typer.echo("\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]))
