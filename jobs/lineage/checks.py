"""What must be true of the graph: it is one, its names lead somewhere, and nothing of the product reads the truth."""

from __future__ import annotations

from jobs.lineage.graph import Graph

_TRUTH = "truth."
# The simulator writes the truth; its own steps are the only jobs that may touch it.
SIMULATION = ("simulate", "overlay")


def problems(graph: Graph) -> list[str]:
    """Everything that is wrong with the graph, one sentence each."""
    found = [f"{name} is linked to nothing" for name in graph.orphans()]
    found += [*graph.dangling(), *truth_readers(graph)]
    if len(parts := graph.parts()) > 1:
        others = ", ".join(sorted(set().union(*parts[1:])))
        found.append(f"the graph has {len(parts)} parts; not linked to the largest: {others}")
    return found


def truth_readers(graph: Graph) -> list[str]:
    """Jobs that read the simulator's truth, and columns made of it; only tests and benchmarks may read it."""
    readers = [
        f"{job.name} reads {name}"
        for job in graph.jobs.values()
        if job.name not in SIMULATION
        for name in sorted(job.inputs)
        if name.startswith(_TRUTH)
    ]
    made = {
        f"{dataset}.{column} is made of {source.dataset}.{source.column}"
        for (dataset, column), sources in graph.made.items()
        for source in sources
        if source.dataset.startswith(_TRUTH) and not dataset.startswith(_TRUTH)
    }
    return readers + sorted(made)
