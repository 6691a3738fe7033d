"""The data dictionary as a small file read in milliseconds: names, types, meanings, PHI classes, and views' SQL.

Rendered from the contracts (`python -m contracts.compile dictionary`); a test fails when it is stale. Doors that must
answer at once read this and not the contracts, whose import takes more than a second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

FILE = Path(__file__).with_name("dictionary.json")


@dataclass(frozen=True)
class ColumnEntry:
    """One column: Spark type, HIPAA class (a value of `contracts.model.Phi`), unit, meaning."""

    name: str
    type: str
    phi: str
    unit: str | None
    description: str


@dataclass(frozen=True)
class TableEntry:
    """One table, or a view (then `sql` is its text and `reads` what it names)."""

    name: str
    description: str
    owner: str
    version: str | None
    partition_by: tuple[str, ...]
    columns: tuple[ColumnEntry, ...]
    sql: str | None
    reads: tuple[str, ...]

    @property
    def schema(self) -> str:
        return self.name.split(".")[0]

    @property
    def holds_phi(self) -> bool:
        """Whether a column could name a person; nights are dates of nobody."""
        return any(c.phi != "none" and c.name not in self.partition_by for c in self.columns)


@cache
def dictionary() -> Mapping[str, TableEntry]:
    """Every table and view that a door may show, by `schema.table`; views after what they read."""
    found = {}
    for raw in json.loads(FILE.read_text(encoding="utf-8")):
        columns = tuple(ColumnEntry(**column) for column in raw.pop("columns"))
        parts, reads = tuple(raw.pop("partition_by")), tuple(raw.pop("reads"))
        found[raw["name"]] = TableEntry(columns=columns, partition_by=parts, reads=reads, **raw)
    return MappingProxyType(found)
