"""The official OpenLineage schemas, which lie beside the checkout: validates whole events and each facet in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
import referencing.jsonschema

SPECS = Path(__file__).resolve().parents[1].parent / "shared" / "specs" / "openlineage"


def validate(events: Iterable[dict[str, Any]]) -> set[str]:
    """Validate events and their facets; the names of the facets that were met. Skips the test where the schemas are not."""
    if not SPECS.is_dir():
        pytest.skip("the official schemas (../shared/specs) are not beside this checkout")
    seen = set()
    for event in events:
        _validator(event["schemaURL"]).validate(event)
        for facet in _facets(event):
            _validator(facet["_schemaURL"]).validate(facet)
            seen.add(facet["_schemaURL"].rsplit("/", 1)[-1])
    return seen


@cache
def _registry() -> Any:
    paths = (SPECS / "OpenLineage.json", *(SPECS / "facets").glob("*.json"))
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    empty: Any = referencing.Registry()
    return empty.with_resources([(d["$id"], referencing.Resource.from_contents(d)) for d in documents])


@cache
def _validator(reference: str) -> Any:
    return jsonschema.Draft202012Validator(
        {"$ref": reference}, registry=_registry(), format_checker=jsonschema.FormatChecker()
    )


def _facets(found: Any) -> Iterator[dict[str, Any]]:
    """Every facet in an event, wherever it stands."""
    if isinstance(found, dict):
        if "_schemaURL" in found:
            yield found
        for part in found.values():
            yield from _facets(part)
    elif isinstance(found, list):
        for part in found:
            yield from _facets(part)
