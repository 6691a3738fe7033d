"""`outreach contracts`: what each table promises, the files rendered from it, and what changed since others read it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.errors import ExitCode

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

ROOT = Path(__file__).resolve().parents[2]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@app.command("list")
def list_tables(
    schema: Annotated[str | None, typer.Option("--layer", help="Only this layer.")] = None,
    as_json: Json = False,
) -> None:
    """All tables with their versions and numbers of columns and rules, by tier of data quality."""
    from contracts.catalog import catalog
    from contracts.compile.rules import rules_of

    tables: list[dict[str, Any]] = []
    for table in catalog().values():
        if schema in (None, table.schema):
            rules = rules_of(table)
            tiers = Counter(rule.tier.value for rule in rules)
            tables.append(
                {
                    "table": table.name,
                    "version": table.version,
                    "owner": table.owner,
                    "columns": len(table.columns),
                    "rules": len(rules),
                    **{tier: tiers[tier] for tier in ("structural", "logical", "analytical")},
                }
            )
    if as_json:
        typer.echo(json.dumps(tables, indent=1))
    else:
        _print_tables(tables)


def _print_tables(tables: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from jobs.terminal import table_console

    numbers = ("columns", "rules", "structural", "logical", "analytical")
    shown = Table(show_footer=True)
    shown.add_column("table", footer=f"{len(tables)} tables")
    shown.add_column("version")
    for name in numbers:
        shown.add_column(name, justify="right", footer=f"{sum(table[name] for table in tables):,}")
    for table in tables:
        shown.add_row(table["table"], table["version"], *(str(table[name]) for name in numbers))
    table_console(highlight=False).print(shown)


@app.command()
def show(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="As schema.table.")],
    as_odcs: Annotated[bool, typer.Option("--odcs", help="The whole contract as an ODCS document.")] = False,
    as_json: Json = False,
) -> None:
    """One table's rules: what they ask, how severe they are, and the Spark SQL that finds the rows that break them."""
    from contracts.catalog import contract
    from contracts.compile.odcs import render
    from contracts.compile.rules import rules_of

    found = contract(table)
    if as_odcs:
        typer.echo(render(found))
        return
    if as_json:
        rules = [{"rule": r.name, "tier": r.tier.value, "severity": r.severity.value, "asks": r.description,
                  "expected": str(r.measure.expected) if r.measure else None, "broken_where": r.sql or None}
                 for r in rules_of(found)]  # fmt: skip
        typer.echo(
            json.dumps({"table": found.name, "version": found.version, "owner": found.owner, "rules": rules}, indent=1)
        )
        return
    typer.echo(f"{found.name} {found.version}, {found.owner}. {found.description}")
    for rule in rules_of(found):
        expected = f" Expected: {rule.measure.expected}." if rule.measure else ""
        typer.echo(f"\n{rule.name}  [{rule.tier}, {rule.severity}]\n  {rule.description}{expected}")
        if rule.sql:
            typer.echo(f"  broken where {rule.sql}")


@app.command()
def render(
    targets: Annotated[list[str] | None, typer.Argument(metavar="[dbt] [odcs] [docs]", help="Default: all.")] = None,
    as_json: Json = False,
) -> None:
    """Write the files that are rendered from the contracts: dbt's schema.yml, ODCS files, the data dictionary."""
    from contracts.compile.render import write

    written = write(ROOT, targets or ())
    typer.echo(json.dumps([str(path) for path in written]) if as_json else f"{len(written)} files rendered")


@app.command()
def diff(
    against: Annotated[
        str, typer.Option(help="A git revision, or a folder of rendered ODCS files, to compare with.")
    ] = "HEAD",
    as_json: Json = False,
) -> None:
    """What changed in the contracts; exits with 21 where a breaking change has no new major version."""
    from contracts.changes import compare, words
    from contracts.published import documents_now, documents_of

    found = compare(documents_of(against, ROOT), documents_now())
    if as_json:
        tables = [{"table": t.table, "before": t.before, "after": t.after, "is_refused": t.is_refused,
                   "changes": [{"weight": c.weight.name.lower(), "what": c.what} for c in t.changes]} for t in found]  # fmt: skip
        typer.echo(json.dumps(tables, indent=1))
    else:
        typer.echo(words(found) or f"The contracts are those of {against}.")
    if any(table.is_refused for table in found):
        raise typer.Exit(int(ExitCode.CONTRACT_BROKEN))
