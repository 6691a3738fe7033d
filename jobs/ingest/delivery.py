"""What one delivered file is, before anybody looks inside: where it lies, its hash, its date."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from os import stat_result
from pathlib import Path
from typing import NamedTuple

from contracts.errors import UserError
from contracts.settings import settings

DATA_SUFFIXES = (".csv", ".csv.gz", ".csv.parquet", ".parquet")
_DATE_IN_NAME = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
_BLOCK = 1 << 20


class Stamp(NamedTuple):
    """By what a file is seen to have changed without reading it again."""

    inode: int
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Delivery:
    """One delivered file.

    Attributes:
        path: where it lies.
        folder: name of the folder it lies in, when that is not the one the caller named; Spark writes an entity as one.
        sha256: of the bytes as delivered.
        stamp: which file it was, how long and when last written, before its bytes were read.
        date: of the delivery: in the file's or folder's name (YYYYMMDD or YYYY-MM-DD), else that of its time stamp in the
            plan's time zone, in which nights are dated.
    """

    path: Path
    folder: str
    sha256: str
    stamp: Stamp
    date: date

    @property
    def size(self) -> int:
        return self.stamp.size

    @property
    def is_unchanged(self) -> bool:
        """Whether it still is the file that was hashed; an upload that goes on, or a file that was taken away, is not."""
        try:
            return _stamp(self.path.stat()) == self.stamp
        except OSError:
            return False

    @property
    def seconds_since_written(self) -> float:
        """A clock that is ahead of ours does not make a file younger."""
        return abs(time.time() - self.stamp.modified_ns / 1e9)

    def is_in(self, folder: Path) -> bool:
        """Whether it lies below `folder`, by whatever way it was found."""
        return self.path.parent.resolve().is_relative_to(folder.resolve())

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def names(self) -> tuple[str, ...]:
        """Names that may tell what the file holds, the likeliest first."""
        return (self.folder, self.name) if self.folder else (self.name,)

    @property
    def is_parquet(self) -> bool:
        return self.name.lower().endswith(".parquet")


def find_files(paths: Iterable[Path]) -> tuple[tuple[Path, Path], ...]:
    """Every visible file at or below `paths` with the path that led to it, in order of name, each once.

    Links that lead to a folder or to nothing are among them, so that they are told of; folders behind links are not entered.

    Raises:
        UserError: a path does not exist.
    """
    found: dict[Path, Path] = {}
    for root in paths:
        if not root.exists():
            raise UserError(f"There is nothing at {root}.", expected="a file or a folder", todo="check the path.")
        for path in [root] if root.is_file() else sorted(_visible_below(root)):
            found.setdefault(path, root)
    return tuple(found.items())


def _visible_below(root: Path) -> Iterator[Path]:
    """Spark leaves `_SUCCESS` and `.part-….crc` beside its files; other tools `.tmp`."""
    for path in root.rglob("*"):
        hidden = any(part.startswith((".", "_")) for part in path.relative_to(root).parts)
        if (path.is_file() or path.is_symlink()) and not hidden:
            yield path


def is_data_file(path: Path) -> bool:
    """Whether its name says CSV or Parquet."""
    return path.name.lower().endswith(DATA_SUFFIXES)


def describe(path: Path, root: Path) -> Delivery:
    """Hash and date a file (one read of its bytes, 1 MiB at a time).

    Raises:
        OSError: it cannot be read, or is gone.
    """
    stat = path.stat()
    folder = path.parent.name if path != root and path.parent != root else ""
    told = settings().day_of(datetime.fromtimestamp(stat.st_mtime, UTC))
    return Delivery(path, folder, _sha256(path), _stamp(stat), date_in(path.name) or date_in(folder) or told)


def _stamp(stat: stat_result) -> Stamp:
    return Stamp(stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def date_in(name: str) -> date | None:
    """The first valid YYYYMMDD, YYYY-MM-DD or YYYY_MM_DD in a name."""
    for year, _, month, day in _DATE_IN_NAME.findall(name):
        try:
            return date(int(year), int(month), int(day))
        except ValueError:
            continue
    return None
