"""`outreach lineage`: where a number comes from, and who else uses it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dagster_project.cli.browser import open_page
from dagster_project.cli.options import Json

if TYPE_CHECKING:
    from jobs.lineage.graph import Direction, Graph, Hop

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="schema.table or schema.table.column, e.g. outreach.priority.cate.")
]
Depth = Annotated[int | None, typer.Option("--depth", min=1, help="At most so many steps; default all.")]
Rows = Annotated[
    bool,
    typer.Option("--rows", help="Of a column, also what only decides which rows there are (joins, filters, groups)."),
]
All = Annotated[bool, typer.Option("--all", help="Every column by name.")]
FromCode = Annotated[
    bool, typer.Option("--from-code", help="The graph as the code declares it, not as the nights ran.")
]
_NAMED = 3


@app.command()
def upstream(
    name: Name,
    depth: Depth = None,
    rows: Rows = False,
    everything: All = False,
    as_json: Json = False,
    from_code: FromCode = False,
) -> None:
    """What a column or table is made from, back to the delivered files."""
    _trace(name, "upstream", depth, rows, everything, as_json, from_code)


@app.command()
def downstream(
    name: Name,
    depth: Depth = None,
    rows: Rows = False,
    everything: All = False,
    as_json: Json = False,
    from_code: FromCode = False,
) -> None:
    """What is made from a column or table, forward to the list and the reports."""
    _trace(name, "downstream", depth, rows, everything, as_json, from_code)


@app.command()
def check(as_json: Json = False, from_code: FromCode = False) -> None:
    """Count the graph, and look for datasets without a link, names that lead nowhere, and readers of the truth.

    Exits with 1 where there are any.
    """
    from jobs.lineage.checks import problems

    graph = _graph(from_code)
    counts, found = graph.counts(), problems(graph)
    if as_json:
        typer.echo(json.dumps({**counts, "problems": found}, indent=1))
    else:
        for what, number in counts.items():
            typer.echo(f"{what.replace('_', ' '):14} {number:>7,}")
        typer.echo("\n".join(found) or "one connected graph, no name that leads nowhere, no reader of the truth")
    raise typer.Exit(1 if found else 0)


@app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Open at schema.table or schema.table.column.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where to write the page; default lineage/index.html in the state folder."),
    ] = None,
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
    from_code: FromCode = False,
) -> None:
    """Draw the graph as one HTML page: search, up and down from any table or column, checks in colour.

    The page needs no network and can be sent on: names, words and counts are in it, never a value of a row.
    """
    from contracts.settings import settings
    from jobs.lineage.page import render

    graph, told_by = _told_graph(from_code)
    fragment = ""
    if name is not None:
        dataset, column = graph.resolve(name)
        fragment = "#" + (dataset if column is None else f"{dataset}.{column}")
    settings().made_home()
    path = (out or settings().lineage_dir / "index.html").absolute()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(render(graph, told_by), encoding="utf-8")
    typer.echo(f"{path.as_uri()}{fragment}")
    if browser:
        open_page(f"{path.as_uri()}{fragment}")


@app.command()
def export(
    events: Annotated[
        bool, typer.Option("--events", help="OpenLineage events, one per line, instead of the graph.")
    ] = False,
    to_url: Annotated[
        str | None, typer.Option("--to-url", help="Send the kept events to this receiver, e.g. after it was down.")
    ] = None,
    from_code: FromCode = False,
) -> None:
    """Print the graph as JSON or the kept events as they are, or send the events to a receiver."""
    from jobs.lineage.read_back import read_events, send_events

    if to_url is not None:
        sent, refused = send_events(to_url)
        typer.echo(f"{sent} events sent, {refused} refused.")
        raise typer.Exit(1 if refused else 0)
    if events:
        for event in read_events():
            typer.echo(json.dumps(event, sort_keys=True))
    else:
        typer.echo(json.dumps(_graph(from_code).to_dict(), indent=1))


def _graph(from_code: bool) -> Graph:
    return _told_graph(from_code)[0]


def _told_graph(from_code: bool) -> tuple[Graph, str]:
    """From the events of the nights; from the code where it is asked for or no night has run; and which of them."""
    from jobs.lineage.read_back import event_files
    from jobs.lineage.told import told_graph

    if not from_code and not event_files():
        typer.echo("No night has run here yet: this is the graph as the code declares it.", err=True)
    return told_graph(from_code)


def _trace(
    name: str, direction: Direction, depth: int | None, rows: bool, everything: bool, as_json: bool, from_code: bool
) -> None:
    graph = _graph(from_code)
    hops = graph.trace(name, direction, depth, rows=rows)
    if as_json:
        typer.echo(json.dumps(_document(graph, hops, direction), indent=1))
    else:
        _print(graph, hops, direction, everything)


def _document(graph: Graph, hops: list[Hop], direction: Direction) -> dict[str, Any]:
    start = hops[0]
    found = [
        {
            "step": hop.depth,
            "dataset": hop.dataset,
            "column": hop.column,
            "how": list(hop.hows),
            "jobs": list(hop.jobs),
            "kind": graph.datasets[hop.dataset].kind.value,
            "checks": graph.datasets[hop.dataset].state,
        }
        for hop in hops[1:]
    ]
    return {"dataset": start.dataset, "column": start.column, "direction": direction, "found": found}


def _print(graph: Graph, hops: list[Hop], direction: Direction, everything: bool) -> None:
    """One line per step and dataset, its columns together."""
    from rich.console import Console
    from rich.table import Table

    from jobs.terminal import counted

    start, reached = hops[0], hops[1:]
    console = Console() if Console().is_terminal else Console(width=160)
    name = start.dataset if start.column is None else f"{start.dataset}.{start.column}"
    verb = "comes from" if direction == "upstream" else "goes into"
    if not reached:
        nothing = "nothing: it is delivered, constant or made by itself" if direction == "upstream" else "nothing"
        console.print(f"{name} {verb} {nothing}.", highlight=False)
        return
    datasets = {hop.dataset for hop in reached}
    what = f"{counted(len(reached), 'column')} of " if start.column is not None else ""
    steps = counted(reached[-1].depth, "step")
    console.print(f"{name} {verb} {what}{counted(len(datasets), 'dataset')} in {steps}.", highlight=False)
    states = {name: graph.datasets[name].state.replace("unknown", "") for name in datasets}
    table = Table(box=None, pad_edge=False)
    titles = ["step", "dataset", *(("columns", "how") if start.column is not None else ()), "by"]
    for title in [*titles, "checks"] if any(states.values()) else titles:
        table.add_column(
            title, justify="right" if title == "step" else "left", no_wrap=title in ("step", "dataset"), overflow="fold"
        )
    for (step, dataset), group in groupby(reached, key=lambda hop: (hop.depth, hop.dataset)):
        mine = list(group)
        middle = (
            [] if start.column is None else [_columns(mine, everything), _words(h for hop in mine for h in hop.hows)]
        )
        last = [states[dataset]] if any(states.values()) else []
        table.add_row(str(step), dataset, *middle, _words(job for hop in mine for job in hop.jobs), *last)
    console.print(table, highlight=False)


def _columns(hops: list[Hop], everything: bool) -> str:
    names = [hop.column or "" for hop in hops]
    if everything or len(names) <= _NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"


def _words(names: Iterable[str]) -> str:
    return ", ".join(sorted({name.lower() if name.isupper() else name for name in names}))
