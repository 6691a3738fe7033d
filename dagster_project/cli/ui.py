"""`outreach ui`: the Dagster web server and daemon on this machine."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from contracts.errors import UserError


def ui(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 3000,
    daemon: Annotated[
        bool, typer.Option(help="Also run the daemon, which schedules, sensors and queued runs need.")
    ] = True,
) -> None:
    """Open the asset graph, runs and checks in the browser; ends with Ctrl-C."""
    import socket

    from dagster_project.instance import dagster_home
    from dagster_project.manifest import models

    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(
                f"Port {port} is in use.", todo=f"open http://127.0.0.1:{port} if it is this UI, or pass --port"
            )
    dagster_home()
    models()  # once, for the processes that it starts
    module = ["-m", "dagster_project.definitions"]
    children = [
        subprocess.Popen([sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *module])
    ]
    if daemon:
        children.append(subprocess.Popen([sys.executable, "-m", "dagster._daemon", "run", *module]))
    typer.echo(f"Dagster UI: http://127.0.0.1:{port} (Ctrl-C ends it)")
    try:
        children[0].wait()
    except KeyboardInterrupt:
        typer.echo("Stopping.")
    finally:
        for child in children:
            child.terminate()
        for child in children:
            end(child)


def end(child: subprocess.Popen[bytes], patience: float = 5.0) -> None:
    """Wait for a process that was told to end, and kill it after `patience` seconds.

    The web server would first answer every request of pages that are closed by now, which takes it half a minute; neither it
    nor the daemon holds anything that is not in the database.
    """
    try:
        child.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
