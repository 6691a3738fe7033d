"""`outreach doctor`: is this machine fit, and what to fix."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(as_json: Annotated[bool, typer.Option("--json", help="JSON, for scripts.")] = False) -> None:
    """Check this machine and say what to fix; starts no engine, changes nothing.

    Exits with 1 when a check failed; warnings do not count.
    """
    import dataclasses
    import json

    from contracts.errors import ExitCode
    from contracts.settings import settings
    from jobs.doctor import Health, examine, lines

    found = examine(settings())
    failed = any(it.health is Health.FAIL for it in found)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(it) for it in found], indent=1))
    else:
        typer.echo("\n".join(lines(found)))
    raise typer.Exit(int(ExitCode.FAILED if failed else ExitCode.OK))
