"""The ingestion sources by name, apart from their layouts, so that a door can check a name at once."""

from __future__ import annotations

from contracts.errors import UserError

SOURCES = ("tuva", "desynpuf", "synthea_csv")


def known_source(name: str) -> str:
    """The name, if it is one.

    Raises:
        UserError: it is none.
    """
    if name not in SOURCES:
        raise UserError(f"No source is called {name}.", expected=", ".join(SOURCES))
    return name
