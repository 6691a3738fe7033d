"""The graph as one HTML page that needs nothing else: no network, no font, no library. Pure.

The page holds the graph as JSON and a script that walks it; places are computed here, by `jobs.lineage.layout`.
"""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from jobs.lineage.columns import Source
from jobs.lineage.graph import ColumnName, Dataset, Graph
from jobs.lineage.layout import LANES, Place, placed
from jobs.report import palette

_TEMPLATES = Path(__file__).with_name("templates")


def render(graph: Graph, told_by: str) -> str:
    """The page of a graph.

    Args:
        graph: from events or from the code.
        told_by: where the graph comes from, in words for the page's head.
    """
    script = (_TEMPLATES / "lineage.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    # Within <script> only `<` could end the element.
    data = json.dumps(document(graph), separators=(",", ":")).replace("<", "\\u003c")
    return environment.get_template("lineage.html.j2").render(
        told_by=told_by,
        counts=graph.counts(),
        light=Markup(palette.variables(palette.LIGHT)),
        dark=Markup(palette.variables(palette.DARK)),
        style=Markup((_TEMPLATES / "lineage.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(sha256(script.encode()).digest()).decode(),
        data=Markup(data),
    )


def document(graph: Graph) -> dict[str, Any]:
    """What the page's script needs; datasets, columns and jobs are named by their place in the lists."""
    names = sorted(graph.datasets)
    at = {name: number for number, name in enumerate(names)}
    jobs = sorted(graph.jobs)
    job_at = {name: number for number, name in enumerate(jobs)}
    column_at: dict[ColumnName, int] = {
        (name, column): number for name in names for number, column in enumerate(graph.column_names(name))
    }
    places = placed(names, graph.parents)

    def told(sources: frozenset[Source]) -> list[list[Any]]:
        """`[dataset, column, how]`, without what names no known column; `dangling` reports those."""
        return [
            [at[s.dataset], column_at[s.dataset, s.column], s.how.value]
            for s in sorted(sources)
            if (s.dataset, s.column) in column_at
        ]

    return {
        "lanes": {title: list(schemas) for title, schemas in LANES.items()},
        "datasets": [_dataset(graph.datasets[name], places[name]) for name in names],
        "jobs": [
            {"name": j.name, "state": j.state, "at": j.ended_at, "words": j.description}
            for j in (graph.jobs[name] for name in jobs)
        ],
        "parents": [
            [[at[parent], [job_at[job] for job in by]] for parent, by in sorted(graph.parents[name].items())]
            for name in names
        ],
        "writers": [[job_at[job] for job in graph.writers.get(name, ())] for name in names],
        "made": [
            [at[dataset], column_at[dataset, column], told(sources)]
            for (dataset, column), sources in sorted(graph.made.items())
            if sources and (dataset, column) in column_at
        ],
        "rows": [[at[dataset], told(sources)] for dataset, sources in sorted(graph.chosen.items()) if sources],
    }


def _dataset(dataset: Dataset, place: Place) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "kind": dataset.kind.value,
        "lane": place.lane,
        "column": place.column,
        "row": place.row,
        "state": dataset.state,
        "words": dataset.description,
        "owner": dataset.owner.removeprefix("team:"),
        "version": dataset.version,
        "rows": dataset.rows,
        "seen": dataset.seen_at,
        "columns": [[c.name, c.type, c.phi, c.description] for c in dataset.columns],
        "checks": [[c.name, c.state, c.actual, c.description] for c in dataset.checks],
    }
