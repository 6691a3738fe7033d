"""The graph that people are shown: as the nights told it, or as the code declares it where none has run."""

from __future__ import annotations

from jobs.lineage.graph import Graph, designed_graph
from jobs.lineage.read_back import event_files, graph_of, read_events


def told_graph(from_code: bool) -> tuple[Graph, str]:
    """The graph, and in words who told it.

    Args:
        from_code: as the code declares it although nights have run.
    """
    if not from_code and event_files():
        graph = graph_of(read_events())
        last = max((dataset.seen_at or "" for dataset in graph.datasets.values()), default="")
        return graph, f"as told by runs up to {last[:16].replace('T', ' ')} UTC"
    from jobs.lineage.design import designed

    return designed_graph(designed()), "as the code declares it"
