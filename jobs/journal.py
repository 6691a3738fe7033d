"""A small local journal per process, so that a killed process still leaves word of what it was doing.

One NDJSON line per event in `<home>/<kind>/`. Whoever writes them to Delta reads its own and those of dead processes,
appends each once, and removes them.
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.settings import settings
from jobs.liveness import is_alive, leads_to, this_process


class Journal:
    """The lines of one process; `<process>-<random>.ndjson`."""

    def __init__(self, kind: str = "ledger") -> None:
        folder = settings().made_home() / kind
        folder.mkdir(mode=0o700, exist_ok=True)
        self.path = folder / f"{this_process()}-{uuid.uuid4().hex[:8]}.ndjson"

    def write(self, entry: dict[str, Any]) -> None:
        """Add one line; on disk when this returns."""
        while True:
            with self.path.open("a", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not leads_to(self.path, file.fileno()):
                    continue  # taken between opening and locking: the next opening makes another
                file.write(json.dumps(entry) + "\n")
                file.flush()
                os.fsync(file.fileno())
                return


def entries(path: Path) -> list[dict[str, Any]]:
    """The last state of each step in the journal; a line cut off by a kill is left out."""
    steps: dict[str, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # only the last line of a killed process can be cut
        steps[entry["entry_id"]] = entry
    return list(steps.values())


def orphans(kind: str = "ledger") -> Iterator[Path]:
    """Journals whose process is gone."""
    return (path for path in sorted(_folder(kind).glob("*.ndjson")) if not _is_alive(path))


def journals(kind: str = "ledger") -> Iterator[Path]:
    """Journals whose process lives."""
    return (path for path in sorted(_folder(kind).glob("*.ndjson")) if _is_alive(path))


def taken(kind: str) -> list[Path]:
    """Every journal, also of processes that live: each under a name of its own, so that its process begins another.

    For lines that are complete when written. Nobody writes to what is returned; remove each when it is kept elsewhere.
    """
    folder = _folder(kind)
    for path in folder.glob("*.ndjson"):
        mine = path.with_name(f"{path.stem}-{uuid.uuid4().hex[:8]}.taken")
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if leads_to(path, file.fileno()):
                path.rename(mine)
    return sorted(folder.glob("*.taken"))


def _is_alive(path: Path) -> bool:
    return is_alive(path.stem.split("-")[0])


def _folder(kind: str) -> Path:
    """Where the journals of a kind lie; looking for them makes nothing."""
    return settings().home / kind
