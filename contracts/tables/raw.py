"""`raw`: rows as delivered, every column text, append-only, with where and when each was delivered.

The contracts are made from the layouts in `contracts.sources`, one table per source and kind of file.
"""

from __future__ import annotations

from typing import Any

from contracts.model import Contract, Phi, column, table
from contracts.sources import SOURCES
from contracts.sources.layout import FileLayout, Source
from contracts.tables.shapes import Delivered
from contracts.types import Date, Str, Timestamp

KEY = ("file_sha256", "file_row_number")


class Landed(Delivered):
    """What landing adds to a delivered row."""

    file_date: Date = column("Date of the delivery: told by the row, else by the file's name, else by its time stamp.")
    ingested_at: Timestamp = column("When the row was landed (UTC).")
    extra_columns: Str = column(
        "JSON of delivered columns that the layout does not know; NULL when there are none.",
        nullable=True,
        phi=Phi.OTHER_ID,
    )


def _raw_contract(source: Source, layout: FileLayout) -> type[Contract]:
    """A contract class with the layout's columns as nullable text before those of `Landed`."""
    fields: dict[str, Any] = {c.name: column(c.description, phi=c.phi, nullable=True) for c in layout.columns}
    body = {
        "__doc__": f"{layout.description} As delivered by `{source.name}`, one row per delivered row.",
        "__module__": __name__,
        "__annotations__": {c.name: Str for c in layout.columns},
        **fields,
    }
    make: Any = type(Landed)
    model: type[Contract] = make(f"Raw_{source.name}_{layout.entity}", (Landed,), body)
    return table(source.raw_table(layout.entity), key=KEY, rules=layout.rules)(model)


RAW = tuple(_raw_contract(source, layout) for source in SOURCES.values() for layout in source.files)
