"""The picture of the graph: lanes in order, nothing on top of another, a page that needs nothing from elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from lineage_world import CHAINS, wide_graph

from jobs.lineage.graph import Check
from jobs.lineage.layout import LANES, TALLEST, placed
from jobs.lineage.page import document, render


def test_places_are_the_datasets_own_and_lanes_go_from_left_to_right() -> None:
    graph = wide_graph()
    places = placed(graph.datasets, graph.parents)
    assert max(Counter((p.column, p.row) for p in places.values()).values()) == 1
    assert max(p.row for p in places.values()) < TALLEST
    columns = [[p.column for p in places.values() if p.lane == lane] for lane in LANES]
    for left, right in zip(filter(None, columns), list(filter(None, columns))[1:], strict=False):
        assert max(left) < min(right)


def test_within_a_lane_what_is_made_stands_right_of_what_it_is_made_of() -> None:
    parents = {"core.b": ["core.a"], "core.c": ["core.b", "core.a"], "core.a": []}
    places = placed(parents, parents)
    assert places["core.a"].column < places["core.b"].column < places["core.c"].column


def test_a_cycle_is_placed_and_does_not_hang() -> None:
    parents = {"core.a": ["core.b"], "core.b": ["core.a"]}
    assert set(placed(parents, parents)) == set(parents)


def test_chains_do_not_cross() -> None:
    """Where no crossing is needed the sweeps leave none."""
    names = [f"{schema}.t{n}" for schema in ("landing", "raw", "core") for n in range(CHAINS)]
    parents = {f"raw.t{n}": [f"landing.t{n}"] for n in range(CHAINS)}
    parents |= {f"core.t{n}": [f"raw.t{(n + 7) % CHAINS}"] for n in range(CHAINS)}
    places = placed(names, parents)
    links = [(places[parent].row, places[child].row) for child, of in parents.items() for parent in of]
    assert all(left == right for left, right in links)


def test_the_document_names_only_what_is_there() -> None:
    found = document(wide_graph())
    sizes = [len(one["columns"]) for one in found["datasets"]]
    pairs = [(d, c) for d, c, _ in found["made"]] + [(d, c) for *_, sources in found["made"] for d, c, _ in sources]
    assert len(found["datasets"]) == 200
    assert all(0 <= column < sizes[dataset] for dataset, column in pairs)
    assert {one["state"] for one in found["datasets"]} == {"passed", "warned", "failed", "unknown"}


def test_rows_set_aside_warn_and_a_blocked_table_fails() -> None:
    def state(severity: str, verdict: str) -> str:
        return Check("r", None, severity, False, "0 rows broken", "2 of 9 rows broken", verdict=verdict).state

    assert state("error", "quarantined") == state("warn", "warned") == "warned"
    assert state("error", "failed") == state("error", "") == "failed"


def test_the_page_asks_nothing_of_a_network() -> None:
    page = render(wide_graph(), "as a test made it")
    assert "default-src 'none'" in page
    assert not re.findall(r"<(?:link|img|iframe|script[^>]*src)", page)
    assert not [url for url in re.findall(r"https?://[^\s\"'<)]+", page) if url != "http://www.w3.org/2000/svg"]


def test_words_cannot_leave_the_data() -> None:
    graph = wide_graph()
    name = "raw.</script><b>x"
    odd = replace(graph, datasets={**graph.datasets, name: replace(graph.datasets["raw.t0"], name=name)})
    assert "</script><b>" not in render(odd, "x")
