"""The deployment as Dagster sees it: it loads, and its keys, checks, jobs, schedules and sensors are as recorded.

After a change that is meant: `UPDATE_SNAPSHOTS=1 pytest tests/integration/test_graph.py`, and read the diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from contracts.catalog import catalog
from contracts.compile.rules import rules_of

# The project's own tables: other tests declare contracts of their own in the same process.
TABLES = {
    name: table
    for name, table in catalog().items()
    if table.schema not in ("ops", "truth") and table.model.__module__.startswith("contracts.")
}
SNAPSHOT = Path(__file__).with_name("graph.snapshot.json")


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    from dagster_project.definitions import build_defs

    return build_defs()


def described(defs: dg.Definitions) -> dict[str, Any]:
    graph = defs.resolve_asset_graph()
    assets = {}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        if not node.is_materializable:
            continue
        assets["/".join(key.path)] = {
            "group": node.group_name,
            "deps": sorted("/".join(parent.path) for parent in node.parent_keys),
            "partitioned": node.partitions_def is not None,
            "checks": len(node.check_keys),
        }
    jobs = {
        name: sorted("/".join(k.path) for k in defs.resolve_job_def(name).asset_layer.executable_asset_keys)
        for name in ("ingest", "nightly", "training")
    }
    schedules = {s.name: [s.cron_schedule, s.execution_timezone] for s in defs.schedules or ()}
    return {
        "assets": dict(sorted(assets.items())),
        "jobs": jobs,
        "schedules": schedules,
        "sensors": sorted(s.name for s in defs.sensors or ()),
    }


def test_graph_is_as_recorded(defs: dg.Definitions) -> None:
    now = json.dumps(described(defs), indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(now)
    assert SNAPSHOT.read_text() == now, "the graph changed; if that is meant: UPDATE_SNAPSHOTS=1 and read the diff"


def test_the_whole_repository_loads(defs: dg.Definitions) -> None:
    """What the web server and the daemon do at start: names of jobs and steps must not collide."""
    defs.get_repository_def().load_all_definitions()


def test_every_table_of_the_catalog_is_an_asset(defs: dg.Definitions) -> None:
    assets = {".".join(key.path) for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert set(TABLES) <= assets, f"tables without an asset: {sorted(set(TABLES) - assets)}"


def test_every_rule_is_a_check(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    checks = {(".".join(key.asset_key.path), key.name) for key in graph.asset_check_keys}
    rules = {(name, rule.name) for name, table in TABLES.items() for rule in rules_of(table)}
    assert rules <= checks, f"rules without a check: {sorted(rules - checks)[:10]}"


def test_every_step_retries_in_the_pool(defs: dg.Definitions) -> None:
    job = defs.resolve_job_def("nightly")
    for node in job.graph.nodes:
        assert node.definition.pool == "lakehouse", f"{node.name} is outside the pool"
        assert node.definition.retry_policy is not None, f"{node.name} has no retry policy"
