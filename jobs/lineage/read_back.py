"""The graph from what nights emitted: of each job and source its newest event counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts.settings import settings
from jobs.lineage.columns import How, Source
from jobs.lineage.events import data_source_of
from jobs.lineage.graph import Check, Column, ColumnName, Dataset, Graph, Job
from jobs.lineage.naming import kind, namespace

# Trainings are weekly: so many files hold one of every job.
FILES_READ = 40
_ENDS = ("COMPLETE", "FAIL", "ABORT")


def event_files() -> list[Path]:
    """Files of events, the newest first."""
    found = settings().lineage_dir.glob("*.ndjson")
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def read_events(files: Iterable[Path] | None = None) -> Iterator[dict[str, Any]]:
    """The events of some files, oldest file first; default the newest FILES_READ. A line cut off by a kill is left out."""
    chosen = list(files) if files is not None else event_files()[:FILES_READ][::-1]
    for path in chosen:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                try:
                    yield json.loads(line)
                except json.JSONDecodeError:
                    continue  # only the last line of a killed process can be cut


def graph_of(events: Iterable[dict[str, Any]]) -> Graph:
    """The graph that events tell of."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    datasets: dict[str, Dataset] = {}
    for event in sorted(events, key=lambda e: e["eventTime"]):
        state = event.get("eventType", "DESIGN")
        if state not in (*_ENDS, "DESIGN"):
            continue
        for told in (*event.get("inputs", ()), *event.get("outputs", ())):
            name = _name(told)
            datasets[name] = _updated(datasets.get(name) or Dataset(name, kind(name)), told, event["eventTime"])
        key = (event["job"]["name"], data_source_of(event) or "")
        before = newest.get(key)
        is_empty = not event.get("inputs") and not event.get("outputs")
        if before is None or not (is_empty and (before.get("inputs") or before.get("outputs"))):
            newest[key] = event
    return _assembled(datasets, newest.values())


def _assembled(datasets: dict[str, Dataset], events: Iterable[dict[str, Any]]) -> Graph:
    jobs: dict[str, Job] = {}
    made: dict[ColumnName, frozenset[Source]] = {}
    chosen: dict[str, frozenset[Source]] = {}
    for event in events:
        inputs = frozenset(_name(told) for told in event.get("inputs", ()))
        outputs = frozenset(_name(told) for told in event.get("outputs", ()))
        name = event["job"]["name"]
        if not inputs and not outputs:
            continue  # a night itself, or a step that only ran others
        known = jobs.get(name, Job(name, frozenset(), frozenset()))
        words = event["job"].get("facets", {}).get("documentation", {}).get("description", known.description)
        jobs[name] = Job(
            name,
            known.inputs | inputs,
            known.outputs | outputs,
            words,
            event.get("eventType", "DESIGN"),
            event["eventTime"],
        )
        for told in event.get("outputs", ()):
            lineage = told.get("facets", {}).get("columnLineage", {})
            table = _name(told)
            chosen[table] = chosen.get(table, frozenset()) | _sources(lineage.get("dataset", ()))
            for column, fields in lineage.get("fields", {}).items():
                made[table, column] = made.get((table, column), frozenset()) | _sources(fields["inputFields"])
    return Graph(datasets, jobs, made, chosen)


def _name(told: dict[str, Any]) -> str:
    """Our own names are enough by themselves; those of another namespace keep it."""
    name = str(told["name"])
    return name if told["namespace"] == namespace() else f"{told['namespace']}:{name}"


def _sources(fields: Iterable[dict[str, Any]]) -> frozenset[Source]:
    return frozenset(
        Source(_name(field), field["field"], How(way["subtype"]), bool(way.get("masking")))
        for field in fields
        for way in field["transformations"]
    )


def _updated(dataset: Dataset, told: dict[str, Any], at: str) -> Dataset:
    """A dataset with what an event says of it; what it does not say stays."""
    facets, found = told.get("facets", {}), dataset
    if "schema" in facets:
        found = replace(found, columns=_columns(facets))
    if "documentation" in facets:
        found = replace(found, description=facets["documentation"]["description"])
    if owners := facets.get("ownership", {}).get("owners"):
        found = replace(found, owner=owners[0]["name"])
    if "version" in facets:
        found = replace(found, version=facets["version"]["datasetVersion"])
    if statistics := told.get("outputFacets", {}).get("outputStatistics"):
        found = replace(found, rows=statistics.get("rowCount"), bytes=statistics.get("size"))
    inputs = told.get("inputFacets", {})
    if "subset" in inputs:
        found = replace(found, files=tuple(inputs["subset"]["inputCondition"]["locations"]))
    if "dataQualityAssertions" in inputs:
        found = replace(found, checks=_checks(found.checks, inputs["dataQualityAssertions"]["assertions"]))
    return replace(found, seen_at=at)


def _columns(facets: dict[str, Any]) -> tuple[Column, ...]:
    tags = facets.get("tags", {}).get("tags", ())
    phi = {tag["field"]: tag["value"] for tag in tags if tag["key"] == "phi" and "field" in tag}
    return tuple(
        Column(f["name"], f.get("type", ""), f.get("description", ""), phi.get(f["name"], ""))
        for f in facets["schema"]["fields"]
    )


def _checks(known: tuple[Check, ...], told: Iterable[dict[str, Any]]) -> tuple[Check, ...]:
    new = {
        one["name"]: Check(
            one["name"], one.get("column"), one.get("severity", "error"), one["success"], one.get("expected", ""),
            one.get("actual", ""), one.get("description", ""), one.get("params", {}).get("verdict", ""),
        )
        for one in told
    }  # fmt: skip
    return tuple(({check.name: check for check in known} | new).values())


def send_events(url: str, files: Iterable[Path] | None = None) -> tuple[int, int]:
    """Send kept events to a receiver, in their order; how many it took and how many it did not.

    A receiver that had some of them already knows them by their run ids.
    """
    from urllib.parse import urljoin

    import requests

    key = settings().openlineage_api_key
    headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
    sent = refused = 0
    with requests.Session() as session:
        for event in read_events(files):
            try:
                taken = session.post(urljoin(url, "api/v1/lineage"), json=event, headers=headers, timeout=10).ok
            except requests.RequestException:
                taken = False
            sent, refused = sent + taken, refused + (not taken)
    return sent, refused
