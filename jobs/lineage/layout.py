"""Where each dataset stands in a picture of the graph: lanes from delivery to publication, in each as few crossings as
a few sweeps find. Pure.

Layers as in Sugiyama, Tagawa & Toda (1981), except that the lanes are known: a dataset's schema says how far it is on its
way, so only within a lane are layers counted along the edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# From left to right; a schema that is not named stands last.
LANES: Mapping[str, tuple[str, ...]] = {
    "delivered": ("landing", "seed", "truth"),
    "raw": ("raw",),
    "staging": ("staging",),
    "core": ("core",),
    "features": ("features",),
    "trained and scored": ("causal", "model", "card"),
    "published": ("outreach",),
    "operations": ("ops",),
}
_SWEEPS = 8
# A column that is taller is split: a hundred tables of one layer would be a strip that no screen shows.
TALLEST = 26

Parents = Mapping[str, Iterable[str]]


@dataclass(frozen=True)
class Place:
    """Column of the whole picture from the left, row from the top, and the lane's title."""

    column: int
    row: int
    lane: str


def placed(names: Iterable[str], parents: Parents) -> dict[str, Place]:
    """A place for every dataset.

    Args:
        names: of all datasets.
        parents: per dataset those it is made of; names that are not in `names` are left out.
    """
    known = set(names)
    edges = {name: {parent for parent in parents.get(name, ()) if parent in known} for name in known}
    layers = _ordered([layer for lane in _lanes(known) for layer in _layers(lane, edges)], edges)
    columns = [part for layer in layers for part in _split(layer)]
    return {
        name: Place(column, row, lane_of(name))
        for column, layer in enumerate(columns)
        for row, name in enumerate(layer)
    }


def lane_of(name: str) -> str:
    """Title of the lane that a dataset stands in."""
    schema = name.split(".")[0]
    return next((title for title, schemas in LANES.items() if schema in schemas), "operations")


def _lanes(names: set[str]) -> list[list[str]]:
    found = ([name for name in sorted(names) if lane_of(name) == title] for title in LANES)
    return [lane for lane in found if lane]


def _layers(lane: list[str], edges: Mapping[str, set[str]]) -> list[list[str]]:
    """A lane by the longest way along its own edges; an edge back, which closes a cycle, counts nothing."""
    depth: dict[str, int] = {}
    mine = set(lane)

    def visit(name: str, above: frozenset[str]) -> int:
        if name not in depth:
            inside = above | {name}
            before = [visit(p, inside) + 1 for p in sorted(edges[name] & mine) if p not in inside]
            depth[name] = max(before, default=0)
        return depth[name]

    for name in lane:
        visit(name, frozenset())
    layers: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for name in lane:
        layers[depth[name]].append(name)
    return layers


def _ordered(layers: list[list[str]], edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Each layer by the mean height of its neighbours, from the left and from the right in turn."""
    near: dict[str, set[str]] = {name: set(parents) for name, parents in edges.items()}
    for name, parents in edges.items():
        for parent in parents:
            near[parent].add(name)
    height = {name: (row + 0.5) / len(layer) for layer in layers for row, name in enumerate(layer)}
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            mean = {name: sum(height[n] for n in near[name]) / len(near[name]) if near[name] else 1.0 for name in layer}
            layer.sort()
            layer.sort(key=mean.__getitem__)
            height |= {name: (row + 0.5) / len(layer) for row, name in enumerate(layer)}
    return layers


def _split(layer: list[str]) -> list[list[str]]:
    parts = -(-len(layer) // TALLEST)
    size = -(-len(layer) // parts)
    return [layer[start : start + size] for start in range(0, len(layer), size)]
