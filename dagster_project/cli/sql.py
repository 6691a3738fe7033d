"""`outreach sql`: one read-only statement over the published tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from contracts.errors import UserError


def sql(
    statement: Annotated[
        str | None, typer.Argument(help="SELECT, WITH, DESCRIBE or SHOW TABLES; `-`: from standard input.", show_default=False)
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A file with the statement.")] = None,
    engine: Annotated[
        Literal["auto", "duckdb", "spark"],
        typer.Option(help="auto: DuckDB on the Delta files where the warehouse is a folder of this machine, else Spark."),
    ] = "auto",
    form: Annotated[
        Literal["table", "csv", "json", "parquet"], typer.Option("--format", help="How rows are written.")
    ] = "table",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of standard output.")] = None,
) -> None:  # fmt: skip
    """Ask the published tables. Read-only; de-identified unless OUTREACH_ROLE is `care_manager` or `steward`.

    `outreach sql "show tables"` lists what there is, `outreach sql "describe outreach.priority"` says what each column
    means. Reading tables as they are is put on record (`ops.access_audit`).
    """
    from contracts.settings import settings
    from jobs.query.answer import answer
    from jobs.query.output import write

    found = answer(_text(statement, file), engine, settings())
    if found.note:
        typer.echo(found.note, err=True)
    write(found.rows, form, out)


def _text(statement: str | None, file: Path | None) -> str:
    """The statement from argument, file or standard input.

    Raises:
        UserError: none, or more than one of them.
    """
    if (statement is None) == (file is None):
        raise UserError("Give one statement: as an argument, with --file, or `-` for standard input.")
    if statement == "-":
        return sys.stdin.read()
    if statement is not None:
        return statement
    try:
        return Path(str(file)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read ({type(error).__name__}).", expected="a text file in UTF-8") from None
