"""`outreach uplift`: what the published lists really did, beside what was predicted."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from contracts.programs import program as program_of
from contracts.programs import programs
from contracts.source_names import known_source
from dagster_project.cli.night import Source


def uplift(
    source: Source = "tuva",
    program: Annotated[str | None, typer.Option("--program", help="Only this program.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Rows of outreach.realized_uplift for machines.")] = False,
) -> None:
    """Realised against predicted effect, per program and month of nights whose outcomes have run out."""
    from jobs.uplift import realized_uplift

    known_source(source)
    if program is not None:
        program_of(program)
    rows = realized_uplift(source, program)
    if as_json:
        typer.echo(json.dumps(rows, default=str, indent=1))
    elif rows:
        _print(rows)
    else:
        days = min(p.outcome.horizon_days + p.runout_days for p in programs().programs.values())
        typer.echo(f"{source}: no month of nights has run out yet; the first does {days} days or more after its end.")


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from jobs.terminal import table_console

    table = Table(title="Realised effect of being offered, against the holdout", title_justify="left")
    for name in ("program", "month", "part of the list"):
        table.add_column(name, no_wrap=True)
    for name in ("offered", "held out", "realised [95 % interval]", "predicted"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for row in rows:
        table.add_row(
            row["program"],
            f"{row['window_start']:%Y-%m}",
            row["score_band"].replace("_", " "),
            _count(row["offered_count"]),
            _count(row["holdout_count"]),
            _interval(row),
            "–" if row["predicted_effect"] is None else f"{row['predicted_effect']:+.3f}",
            "ALARM" if row["is_alarm"] else "differs" if row["excludes_prediction"] else "",
        )
    table_console().print(table)


def _count(members: int) -> str:
    """Small cells tell on people."""
    return f"{members:,}" if members >= 11 else "< 11"


def _interval(row: dict[str, Any]) -> str:
    if row["ci_lower"] is None:
        return "too few"
    return f"{row['realized_effect']:+.3f} [{row['ci_lower']:+.3f}, {row['ci_upper']:+.3f}]"
