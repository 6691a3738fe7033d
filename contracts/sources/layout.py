"""How the layout of a delivered file is written down."""

from __future__ import annotations

import re
from dataclasses import dataclass

from contracts.model import Phi, Rule

_NUMBERS = frozenset({Phi.PLAN_ID, Phi.MRN, Phi.ACCOUNT, Phi.SSN, Phi.LICENSE, Phi.OTHER_ID})
_REGISTERED = re.compile(r"(^|_)(npi|tin)$")


@dataclass(frozen=True)
class RawColumn:
    """One delivered column.

    Attributes:
        name: column of the raw table, lower case.
        description: meaning, in a few words.
        phi: HIPAA Safe Harbor class.
        aliases: other names under which deliveries bring it (lower case), e.g. in older layouts.
    """

    name: str
    description: str
    phi: Phi = Phi.NONE
    aliases: tuple[str, ...] = ()

    @property
    def is_identifier(self) -> bool:
        """Its values name somebody or something: they are told apart digit by digit."""
        return self.phi in _NUMBERS or _REGISTERED.search(self.name) is not None


@dataclass(frozen=True)
class FileLayout:
    """One kind of file of a source.

    Attributes:
        entity: what the file holds; the raw table is `raw.<source>__<entity>`.
        required: columns without which the file is of no use; `a|b` asks for one of the two.
        file_pattern: regular expression found in the lower-case file or folder name of such files.
        rules: what is odd in a delivered row, counted before anything is made of it.
    """

    entity: str
    description: str
    required: tuple[str, ...]
    columns: tuple[RawColumn, ...]
    file_pattern: str
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        unknown = {name for choice in self.required for name in choice.split("|")} - self.names
        if unknown:
            raise TypeError(f"{self.entity} requires columns that it does not have: {sorted(unknown)}")

    @property
    def names(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns)

    @property
    def aliases(self) -> dict[str, str]:
        """Older name → name."""
        return {alias: column.name for column in self.columns for alias in column.aliases}

    def missing(self, present: frozenset[str]) -> tuple[str, ...]:
        """The required choices of which nothing is `present` (canonical names)."""
        return tuple(choice for choice in self.required if not present & set(choice.split("|")))

    def is_named(self, name: str) -> bool:
        return re.search(self.file_pattern, name.lower()) is not None


@dataclass(frozen=True)
class Source:
    """One ingestion source; its name is the `data_source` of every row it tells.

    Attributes:
        unused_pattern: names of files that belong to such a delivery but that nothing here reads.
    """

    name: str
    description: str
    files: tuple[FileLayout, ...]
    unused_pattern: str = r"^\b$"

    def raw_table(self, entity: str) -> str:
        return f"raw.{self.name}__{entity}"

    def is_unused(self, name: str) -> bool:
        return re.search(self.unused_pattern, name.lower()) is not None


def plain(**described: str) -> tuple[RawColumn, ...]:
    """Columns that identify nobody: name=description."""
    return tuple(RawColumn(name, text) for name, text in described.items())


def private(phi: Phi, **described: str) -> tuple[RawColumn, ...]:
    """Columns of one PHI class: name=description."""
    return tuple(RawColumn(name, text, phi) for name, text in described.items())


def numbered(stem: str, count: int, description: str, phi: Phi = Phi.NONE) -> tuple[RawColumn, ...]:
    """`stem_1` … `stem_<count>`; `{n}` in the description is the number."""
    return tuple(RawColumn(f"{stem}_{n}", description.format(n=n), phi) for n in range(1, count + 1))
