"""Tell what a file holds from its columns and name, and how its columns differ from what the layout says."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.errors import InputFileError
from contracts.sources.layout import FileLayout, Source

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_ ./-]{0,63}$")
_PLAIN_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True)
class Drift:
    """How a file's columns differ from its layout.

    Attributes:
        renamed: delivered name → name, for known older names.
        added: delivered names that the layout does not know; kept in `extra_columns`.
        missing: optional columns that were not delivered; NULL in the table.
        notes: harmless oddities of the file.
    """

    renamed: tuple[tuple[str, str], ...] = ()
    added: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.renamed or self.added or self.missing or self.notes)

    def to_json(self) -> str | None:
        """Compact JSON for `ops.input_file`; None where nothing differs.

        Analysts read it, so that of the added columns only those are named that look like columns and not like people;
        of the others there is a count.
        """
        named = [name for name in self.added if _PLAIN_NAME.match(name)]
        parts = {
            "renamed": dict(self.renamed), "added": named, "added_unnamed": len(self.added) - len(named),
            "missing": self.missing, "notes": self.notes,
        }  # fmt: skip
        return json.dumps({k: v for k, v in parts.items() if v}) if self else None


@dataclass(frozen=True)
class Matched:
    """A file's layout and where each of its columns goes.

    Attributes:
        targets: column of the raw table per delivered column, in order; None: goes into `extra_columns`.
    """

    layout: FileLayout
    targets: tuple[str | None, ...]
    drift: Drift


def classify(source: Source, file_names: Sequence[str], columns: Sequence[str], notes: tuple[str, ...] = ()) -> Matched:
    """The layout of `source` that a file follows.

    A file named after an entity must have that entity's required columns. Any other file is what its columns fit best.

    Args:
        file_names: names that may tell the entity (folder, file), the likeliest first.
        columns: delivered column names.

    Raises:
        InputFileError: required columns are missing, or no layout fits.
    """
    named = [layout for name in file_names for layout in source.files if layout.is_named(name)]
    if named:
        layout = named[0]
    else:
        fitting = [layout for layout in source.files if not layout.missing(_present(layout, columns))]
        if not fitting:
            raise InputFileError(
                f"The columns fit no file of {source.name}.",
                expected="the columns of " + ", ".join(layout.entity for layout in source.files),
                actual=f"{len(columns)} columns",
                todo="check that the file belongs to this source.",
            )
        layout = max(fitting, key=lambda it: len(_present(it, columns)))
    if missing := layout.missing(_present(layout, columns)):
        raise InputFileError(
            f"The {layout.entity} file lacks columns that it cannot do without.",
            expected=", ".join(missing).replace("|", " or "),
            actual=f"{len(columns)} other columns",
            todo="ask the sender what became of them; if they were renamed, add the new names as aliases to the layout.",
        )
    return _match(layout, columns, notes)


def _target(layout: FileLayout, column: str) -> str | None:
    name = column.strip().lower()
    name = layout.aliases.get(name, name)
    return name if name in layout.names else None


def _present(layout: FileLayout, columns: Sequence[str]) -> frozenset[str]:
    return frozenset(target for column in columns if (target := _target(layout, column)))


def _match(layout: FileLayout, columns: Sequence[str], notes: tuple[str, ...]) -> Matched:
    targets = tuple(_target(layout, column) for column in columns)
    given = [target for target in targets if target]
    if twice := sorted({target for target in given if given.count(target) > 1}):
        raise InputFileError(
            "Columns were delivered under two names each.", actual=", ".join(twice), expected="one name"
        )
    unknown = tuple(c for c, target in zip(columns, targets, strict=True) if target is None)
    if bad := [c for c in unknown if not _NAME.match(c)]:
        raise InputFileError("The header holds what is not a column name.", actual=f"{len(bad)} such", expected="names")
    drift = Drift(
        renamed=tuple(
            (column, target)
            for column, target in zip(columns, targets, strict=True)
            if target and column.strip().lower() != target and not target.startswith("delivered_")
        ),
        added=unknown,
        missing=tuple(c.name for c in layout.columns if c.name not in given),
        notes=notes,
    )
    return Matched(layout, targets, drift)
