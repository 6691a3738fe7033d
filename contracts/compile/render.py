"""The files that are rendered from the contracts and committed: dbt's `schema.yml`, ODCS, the data dictionary.

The other targets are made when they are needed: the Spark pass and the asset checks from `rules`, lineage facets by the
emitter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from contracts.compile.dbt_yml import dbt_files
from contracts.compile.dictionary import json_files
from contracts.compile.dictionary_page import dictionary_files
from contracts.compile.odcs import FOLDER, odcs_files
from contracts.errors import ConfigError

TARGETS: Mapping[str, Callable[[], Mapping[str, str]]] = {
    "dbt": dbt_files,
    "odcs": odcs_files,
    "docs": dictionary_files,
    "dictionary": json_files,
}


def rendered(targets: Iterable[str] = ()) -> dict[str, str]:
    """Text by path below the repository, of the targets named (all where none is).

    Raises:
        ConfigError: no such target.
    """
    names = tuple(targets) or tuple(TARGETS)
    if unknown := sorted(set(names) - set(TARGETS)):
        raise ConfigError(f"Contracts are not rendered to {', '.join(unknown)}.", expected=", ".join(TARGETS))
    return {path: text for name in names for path, text in TARGETS[name]().items()}


def write(root: Path, targets: Iterable[str] = ()) -> list[Path]:
    """Write the files below `root` and remove those of tables that are gone; the paths written."""
    files = rendered(targets)
    for path in leftovers(root, files):
        path.unlink()
    for relative, text in files.items():
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [root / relative for relative in files]


def leftovers(root: Path, files: Mapping[str, str]) -> list[Path]:
    """ODCS files below `root` of tables that no longer exist, where ODCS is among `files`."""
    if not any(relative.startswith(f"{FOLDER}/") for relative in files):
        return []
    present = (root / FOLDER).glob("*.odcs.yaml")
    return sorted(path for path in present if path.relative_to(root).as_posix() not in files)
