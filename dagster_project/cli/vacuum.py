"""`outreach vacuum`: the disk space of old versions of tables."""

from __future__ import annotations

import json
import uuid

import typer

from dagster_project.cli.options import Json


def vacuum(as_json: Json = False) -> None:
    """Delete the files that no version of a table of the last seven days needs. No row of today's tables is touched.

    Each night writes the core tables anew, and what they were before stays on the disk until then.
    """
    from jobs import ledger
    from jobs.vacuum import vacuum_warehouse

    run_id = uuid.uuid4().hex
    with ledger.run("vacuum", run_id):
        deleted = vacuum_warehouse()
    if as_json:
        typer.echo(json.dumps({"run_id": run_id, "deleted": [vars(each) for each in deleted]}))
