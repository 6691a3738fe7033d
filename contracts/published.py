"""The contracts as others have them: rendered ODCS files of a git revision, of a folder, or of the code as it is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from contracts.catalog import catalog
from contracts.compile.odcs import FOLDER, document
from contracts.errors import UserError

_SUFFIX = ".odcs.yaml"


def documents_now() -> dict[str, Mapping[str, Any]]:
    """ODCS documents by table, of the contracts in this code; with lists for tuples, as a file would hold them."""
    return {name: json.loads(json.dumps(document(table))) for name, table in catalog().items()}


def documents_of(against: str, root: Path) -> dict[str, Mapping[str, Any]]:
    """ODCS documents by table.

    Args:
        against: a folder of rendered files, or a git revision of the repository at `root`.
        root: the repository.

    Raises:
        UserError: it is neither, or holds no contract.
    """
    folder = Path(against)
    texts = _in_folder(folder) if folder.is_dir() else _at_revision(against, root)
    if not texts:
        raise UserError(
            f"{against} holds no rendered contract.",
            expected=f"files *{_SUFFIX} in a folder, or {FOLDER}/ in a git revision",
            todo="name a folder of rendered contracts, or a revision that has them.",
        )
    return {name: _loaded(text) for name, text in texts.items()}


def _loaded(text: str) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return loaded


def _in_folder(folder: Path) -> dict[str, str]:
    return {path.name.removesuffix(_SUFFIX): path.read_text(encoding="utf-8") for path in folder.glob(f"*{_SUFFIX}")}


def _at_revision(revision: str, root: Path) -> dict[str, str]:
    names = [name for name in _git(root, revision, "ls-tree", "--name-only", revision, f"{FOLDER}/").split() if name]
    wanted = [name for name in names if name.endswith(_SUFFIX)]
    return {Path(name).name.removesuffix(_SUFFIX): text for name, text in _blobs(root, revision, wanted)}


def _blobs(root: Path, revision: str, names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        yield name, _git(root, revision, "show", f"{revision}:{name}")


def _git(root: Path, revision: str, *arguments: str) -> str:
    """What git prints; `revision` is named where it fails."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(
            "The revision to compare with cannot be read.",
            expected="a git revision of this repository, or a folder of rendered contracts",
            actual=revision,
            todo="name another one with --against.",
        ) from error
    return done.stdout
