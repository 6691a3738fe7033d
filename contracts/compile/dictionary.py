"""`contracts/dictionary.json`: what people read of tables and views, without the seconds that the models take to import.

Only layers that a door may show are in it; `raw`, `staging` and `truth` are not (see `contracts.roles`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from contracts.catalog import layer
from contracts.dictionary import FILE
from contracts.model import Column
from contracts.roles import ALL_LAYERS
from contracts.views import VIEWS


def dictionary_text() -> str:
    """The file's text: one line per table or view, so that a change of one shows as one."""
    lines = [json.dumps(entry, ensure_ascii=False) for entry in _entries()]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def json_files() -> Mapping[str, str]:
    """Rendered text by path below the repository."""
    return {f"contracts/{FILE.name}": dictionary_text()}


def _entries() -> Iterable[dict[str, Any]]:
    for schema in ALL_LAYERS:
        for table in layer(schema):
            yield {
                "name": table.name, "description": table.description, "owner": table.owner, "version": table.version,
                "partition_by": table.partition_by, "columns": [_column(c) for c in table.columns], "sql": None, "reads": [],
            }  # fmt: skip
    for view in VIEWS.values():
        yield {
            "name": view.name, "description": view.description, "owner": view.owner, "version": None, "partition_by": [],
            "columns": [_column(c) for c in view.columns], "sql": " ".join(view.sql.split()), "reads": view.reads,
        }  # fmt: skip


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name, "type": column.spark_type, "phi": column.phi.value, "unit": column.unit,
        "description": column.description,
    }  # fmt: skip
