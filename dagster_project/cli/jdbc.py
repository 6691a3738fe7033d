"""`outreach jdbc`: who may connect with BI tools."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from contracts.errors import UserError
from contracts.roles import Role
from contracts.settings import settings
from dagster_project.cli.options import Json

app = typer.Typer(
    no_args_is_help=True,
    help="Log-ins for BI tools (JDBC, ODBC); `outreach engine start --jdbc` opens their door. What each role reads: docs/sql.md.",
)
_Name = Annotated[str, typer.Argument(help="Log-in of a person: letters, digits and . _ @ -", show_default=False)]


@app.command()
def grant(
    name: _Name,
    role: Annotated[Role, typer.Option(help="What the log-in reads, and how.")] = Role.ANALYST,
    as_json: Json = False,
) -> None:
    """Make a log-in and show its password, this once; for one that exists, another role and another password."""
    from jobs.jdbc import logins

    is_new = name not in logins.logins(settings())
    password = logins.grant(name, role, settings())
    if as_json:
        typer.echo(json.dumps({"login": name, "role": role.value, "password": password, "new": is_new}))
        return
    typer.echo(f"{name} may connect as {role.value}." if is_new else f"{name} connects as {role.value} from now on.")
    typer.echo(f"Password, shown only now: {password}")


@app.command()
def revoke(name: _Name, as_json: Json = False) -> None:
    """Take a log-in away; its open connections end with their next statement."""
    from jobs.jdbc import logins

    if not logins.revoke(name, settings()):
        raise UserError("There is no such log-in.", todo="`outreach jdbc logins` lists them.")
    typer.echo(json.dumps({"login": name, "revoked": True}) if as_json else f"{name} may no longer connect.")


@app.command()
def close(as_json: Json = False) -> None:
    """Close the door; the engine goes on. `outreach engine start --jdbc` opens it again."""
    from jobs.jdbc.process import close_door

    closed = close_door(settings())
    if as_json:
        typer.echo(json.dumps({"closed": closed}))
    else:
        typer.echo("Door for BI tools closed." if closed else "It was not open.")


@app.command("logins")
def list_logins(as_json: Json = False) -> None:
    """List who may connect, in which role, since when."""
    from jobs.jdbc.logins import logins

    found = logins(settings()).values()
    if as_json:
        rows = [{"login": login.name, "role": login.role.value, "granted_at": login.granted_at} for login in found]
        typer.echo(json.dumps(rows, indent=1))
        return
    if not found:
        typer.echo("Nobody may log in yet: `outreach jdbc grant NAME --role analyst`.")
    for login in found:
        typer.echo(f"{login.name}  {login.role.value}  since {login.granted_at}")
