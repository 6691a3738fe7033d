"""`outreach models`: what was trained, what serves, and who decided so."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_models() -> None:
    """Every trained version: verdict, learner, whether it serves."""
    from rich.console import Console
    from rich.table import Table

    from jobs.registry import champion_versions, versions

    serving = champion_versions()
    table = Table()
    for name in ("model", "version", "verdict", "learner", "trained as of", "serves"):
        table.add_column(name)
    for model in versions():
        serves = "champion" if serving.get(model.name) == model.version else ""
        tags = model.tags
        table.add_row(model.name, str(model.version), tags["verdict"], tags["learner"], tags["trained_as_of"], serves)
    Console().print(table)
    if not table.row_count:
        typer.echo("No model has been trained yet. Run `outreach train`.")


@app.command()
def promote(
    name: Annotated[str, typer.Argument(help="Registered name, as in `outreach models list`.")],
    version: Annotated[int, typer.Argument(help="Version number; an earlier one rolls back.")],
    by: Annotated[str | None, typer.Option(help="Who approves; default: the user at the keyboard.")] = None,
) -> None:
    """Make a version the champion that serves from the next night on; recorded with who decided."""
    from jobs.registry import model_version
    from jobs.registry import promote as promote_model

    model = model_version(name, version)
    promote_model(model, by or getpass.getuser())
    typer.echo(f"{model.label} serves from the next night on (verdict: {model.tags['verdict']}).")
