"""What the plan's first night told of its lineage: one graph from the delivered files to the list and its reports."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from lineage_schemas import validate
from plan import NIGHT, Plan

from jobs.lineage.checks import problems, truth_readers
from jobs.lineage.design import designed
from jobs.lineage.graph import Graph, designed_graph
from jobs.lineage.naming import NIGHT_REPORT
from jobs.lineage.read_back import graph_of, read_events

PROGRAMS = ("ed_diversion", "medication_adherence", "transitions_of_care")


@pytest.fixture(scope="module")
def events(plan: Plan) -> list[dict[str, Any]]:
    return list(read_events(sorted((plan.home / "lineage").glob("*.ndjson"))))


@pytest.fixture(scope="module")
def graph(events: list[dict[str, Any]]) -> Graph:
    return graph_of(events)


def test_one_connected_graph_without_orphans_or_dangling_names(graph: Graph) -> None:
    assert not graph.orphans()
    assert not graph.dangling()
    assert len(graph.parts()) == 1
    assert not problems(graph)
    assert len(graph.datasets) > 90


def test_nothing_but_the_simulator_touches_the_truth(graph: Graph) -> None:
    assert not truth_readers(graph)


def test_the_effect_comes_from_delivered_columns(graph: Graph) -> None:
    reached = {(hop.dataset, hop.column) for hop in graph.trace("outreach.priority.cate", "upstream")}
    assert {("landing.tuva__medical_claim", "paid_amount"), ("landing.tuva__eligibility", "birth_date")} <= reached
    assert {("causal.cohort", "outcome"), ("features.member_feature", "age")} <= reached
    assert not [dataset for dataset, _ in reached if dataset.startswith("truth.")]


def test_a_delivered_amount_goes_into_the_list_and_the_reports(graph: Graph) -> None:
    reached = {hop.dataset for hop in graph.trace("raw.tuva__medical_claim.paid_amount", "downstream")}
    assert {"outreach.priority", "outreach.action_list", NIGHT_REPORT} <= reached
    assert {f"card.tuva__{program}" for program in PROGRAMS} <= reached


def test_the_night_told_what_the_code_declares(graph: Graph, plan: Plan) -> None:
    """Nothing was made of what the code alone would not tell; where a step cannot do without its inputs, of nothing less."""
    declared = designed_graph(designed(folder=plan.home / "dbt" / "target"))
    assert set(graph.datasets) <= set(declared.datasets)

    def made_of(of: Graph, name: str) -> set[str]:
        return {source for source in of.parents[name] if not source.startswith("ops.")}

    names = [name for name in graph.datasets if not name.startswith("ops.")]
    more = {name: made_of(graph, name) - made_of(declared, name) for name in names}
    assert not {name: sources for name, sources in more.items() if sources}, "told, and not in jobs/lineage/design.py"
    for name in ("outreach.priority", "causal.cohort", "core.medical_claim", "core.outcome_event"):
        assert made_of(graph, name) == made_of(declared, name)


def test_events_are_valid_openlineage(events: list[dict[str, Any]]) -> None:
    seen = validate(events)
    assert {"ColumnLineageDatasetFacet", "DataQualityAssertionsDatasetFacet", "DatasetVersionDatasetFacet"} <= seen


def test_every_run_starts_once_ends_once_and_has_a_parent(events: list[dict[str, Any]]) -> None:
    states: dict[str, list[str]] = {}
    for event in events:
        if "run" in event:
            states.setdefault(event["run"]["runId"], []).append(event["eventType"])
    odd = {run: found for run, found in states.items() if found not in (["START", "COMPLETE"], ["START", "FAIL"])}
    assert not odd
    of = {event["run"]["runId"]: event["run"]["facets"].get("parent") for event in events if "run" in event}
    nights = [run for run, parent in of.items() if parent is None]
    assert all(parent["run"]["runId"] in of for parent in of.values() if parent), "a parent that told nothing of itself"
    assert 1 <= len(nights) < 6


def test_versions_are_those_of_the_tables(graph: Graph, plan: Plan) -> None:
    for name in ("outreach.priority", "features.member_feature", "core.medical_claim"):
        assert graph.datasets[name].version == str(plan.delta(name).version())


def test_checks_and_row_counts_are_told(graph: Graph, plan: Plan) -> None:
    assert graph.datasets["outreach.priority"].rows == len(plan.night(NIGHT))
    told = {check.name for check in graph.datasets["outreach.priority"].checks}
    assert "interval_holds_estimate" in told
    assert sum(len(dataset.checks) for dataset in graph.datasets.values()) > 500


def test_no_event_is_lost_and_the_ledger_says_what_they_cost(plan: Plan) -> None:
    said = plan.sql("select message, rows_out from l where step = 'lineage'", l="ops.run_ledger")
    assert len(said) >= 1
    for message in said["message"]:
        assert re.fullmatch(r"\d+ events in \d+\.\d s", message), message


def test_no_member_in_lineage(plan: Plan) -> None:
    members = set(plan.night(NIGHT)["member_id"].head(500))
    text = "".join(path.read_text() for path in (plan.home / "lineage").glob("*.ndjson"))
    words = set(re.findall(r"[\w-]+", text))
    assert not members & words


def test_the_commands_answer(plan: Plan) -> None:
    counted = json.loads(plan.run("lineage", "check", "--json", expect={0}).stdout)
    assert counted["problems"] == []
    assert counted["datasets"] > 90
    found = json.loads(plan.run("lineage", "upstream", "outreach.priority.cate", "--json", expect={0}).stdout)["found"]
    assert "landing.tuva__medical_claim" in {hop["dataset"] for hop in found}
    shown = plan.run("lineage", "show", "outreach.priority.cate", "--no-open", expect={0}).stdout
    assert shown.strip() == f"{(plan.home / 'lineage' / 'index.html').as_uri()}#outreach.priority.cate"
