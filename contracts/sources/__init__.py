"""What each source delivers: one `FileLayout` per kind of file, with every column's meaning.

Belongs here: names, meanings, PHI classes, older names, what must be there. Both the contracts of `raw` and the readers
in `jobs.ingest` are made from these layouts, so a column is described once. Does not belong here: reading files.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from contracts.errors import UserError
from contracts.sources.desynpuf import DESYNPUF
from contracts.sources.layout import FileLayout, Source
from contracts.sources.synthea_csv import SYNTHEA_CSV
from contracts.sources.tuva import TUVA

SOURCES: Mapping[str, Source] = MappingProxyType({s.name: s for s in (TUVA, DESYNPUF, SYNTHEA_CSV)})


def source(name: str) -> Source:
    """The source of that name.

    Raises:
        UserError: there is no reader for it.
    """
    if name not in SOURCES:
        raise UserError(f"There is no source called {name}.", expected=" or ".join(SOURCES), todo="name one of these.")
    return SOURCES[name]


__all__ = ["SOURCES", "FileLayout", "Source", "source"]
