"""`outreach docs`: data dictionary, lineage and dbt's documentation as pages to open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.browser import open_page
from dagster_project.cli.options import Json


def docs(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder; default docs/ in the state folder.")] = None,
    from_code: Annotated[
        bool, typer.Option("--from-code", help="Lineage as the code declares it, not as the nights ran.")
    ] = False,
    dbt: Annotated[bool, typer.Option("--dbt/--no-dbt", help="With dbt's own pages, which take some 10 s.")] = True,
    browser: Annotated[bool, typer.Option("--open", help="Open the start page in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Build the data dictionary, the lineage page and dbt's documentation. No engine is needed, nor a night."""
    from contracts.settings import settings
    from jobs.docs.site import build_docs
    from jobs.lineage.told import told_graph

    settings().made_home()
    graph, told_by = told_graph(from_code)
    index = build_docs((out or settings().home / "docs").absolute(), graph, told_by, with_dbt=dbt)
    typer.echo(json.dumps({"index": str(index), "lineage": told_by}) if as_json else index.as_uri())
    if browser:
        open_page(index.as_uri())
