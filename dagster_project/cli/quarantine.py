"""`outreach quarantine`: rows that contracts refused, what they broke, and how they come back."""

from __future__ import annotations

import json
import uuid
from typing import Annotated, Any

import typer

from contracts.catalog import contract as contract_of

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Table = Annotated[str, typer.Argument(metavar="TABLE", help="As schema.table.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
OfRule = Annotated[str | None, typer.Option("--rule", help="Only rows that break this rule.")]


@app.command("list")
def list_counts(
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="Only this table.")] = None,
    as_json: Json = False,
) -> None:
    """How many rows are held, and were released, per table and rule."""
    from jobs.held import quarantine_counts
    from jobs.session import spark_session

    rows = quarantine_counts(spark_session(), table and contract_of(table).name)
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
    elif not rows:
        typer.echo("No row is in quarantine.")
    else:
        _print(rows, ("table_name", "rule"), ("held", "released"))


@app.command()
def show(
    table: Table,
    rule: OfRule = None,
    limit: Annotated[int, typer.Option(help="Rows at most.", min=1, max=10_000)] = 20,
    values: Annotated[
        bool,
        typer.Option("--values", help="With the rows themselves, which may identify members: as steward, on record."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Rows in quarantine: the rules they break, their file and row; the rows themselves only with --values."""
    from contracts.settings import settings
    from jobs.held import open_values, quarantined_rows
    from jobs.session import spark_session

    name = contract_of(table).name
    if values:
        open_values(settings())
    rows = quarantined_rows(spark_session(), name, rule, limit=limit, with_values=values)
    if as_json or values:
        typer.echo(json.dumps(rows, default=str, indent=1))
    elif not rows:
        typer.echo("No such row is in quarantine.")
    else:
        shown = [{**row, "id": row["quarantine_id"][:12], "rules": ", ".join(row["rules"])} for row in rows]
        _print(shown, ("id", "rules", "file_name"), ("file_row_number", "status"))


@app.command()
def release(
    table: Table,
    rule: OfRule = None,
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="Only this entry, as `show` prints it; may be given again.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge held rows anew and put those that keep the contract by now back into their table.

    Tables that are made of it take them in with the next night. Releasing again does nothing.
    """
    from jobs import ledger
    from jobs.release import release as release_rows
    from jobs.session import spark_session

    run_id = uuid.uuid4().hex
    with ledger.run("release", run_id), ledger.step(f"release {contract_of(table).name}") as record:
        done = release_rows(spark_session(), contract_of(table), run_id=run_id, rule=rule, ids=ids or ())
        record.rows_in, record.rows_out = done.asked, done.added
    if as_json:
        typer.echo(json.dumps(vars(done)))
    else:
        again = f" ({done.there} were there already)" if done.there else ""
        typer.echo(f"{done.asked} held rows looked at: {done.added} released{again}, {done.held} still held.")


def _print(rows: list[dict[str, Any]], words: tuple[str, ...], numbers: tuple[str, ...]) -> None:
    from rich.table import Table as RichTable

    from jobs.terminal import table_console

    table = RichTable()
    for name in words:
        table.add_column(name.replace("_", " "), overflow="fold")
    for name in numbers:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(str(row[name]) for name in (*words, *numbers)))
    table_console(highlight=False).print(table)
