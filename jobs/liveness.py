"""Whether a process still lives, told by a lock that it holds on a small file of its own until it ends, however it ends.

Process ids do not tell it: containers that share a state folder each number their own. The kernel frees a lock at its
holder's death, also of one that was killed. That holds among the processes of one machine; a network file system is none.

Only the holder's lock is exclusive; who looks takes a shared one, so that two who look do not take each other for it.
"""

from __future__ import annotations

import fcntl
import os
import threading
import uuid
from pathlib import Path
from typing import IO

from contracts.settings import settings

_guard = threading.Lock()
_held: dict[Path, IO[bytes]] = {}  # by folder; an open file is closed, and its lock freed, when nothing refers to it


def this_process() -> str:
    """The name by which `is_alive` knows this process wherever the state folder is seen; never used again."""
    folder = _folder()
    with _guard:
        if folder not in _held:
            settings().made_home()
            folder.mkdir(mode=0o700, exist_ok=True)
            _remove_dead(folder)
            _held[folder] = _new(folder)
        return Path(_held[folder].name).name


def is_alive(process: str) -> bool:
    """Whether the process of that name lives; one whose file is gone, or that never had one, does not."""
    try:
        with (_folder() / process).open("rb") as file:
            return not _shared(file)
    except FileNotFoundError:
        return False


def leads_to(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to the open file: it may be taken away between opening and locking."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _new(folder: Path) -> IO[bytes]:
    while True:
        path = folder / uuid.uuid4().hex
        file = path.open("xb")  # closed in programs that this process starts, as every file that Python opens
        fcntl.flock(file, fcntl.LOCK_EX)
        if leads_to(path, file.fileno()):
            return file
        file.close()  # another process was clearing the folder: it found the file before it was locked


def _remove_dead(folder: Path) -> None:
    """A process cannot remove its own file when it is killed, so the next one does."""
    for path in folder.iterdir():
        try:
            with path.open("rb") as file:
                if _shared(file):
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue  # another process clears the folder too


def _shared(file: IO[bytes]) -> bool:
    """Whether a shared lock can be had; closing the file gives it back."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _folder() -> Path:
    """Where the files lie; looking for them makes nothing."""
    return settings().home / "processes"


def _forget() -> None:
    """In a forked child: else the parent would seem to live as long as the child, which holds the same locks.

    Closing is right and unlocking would not be: that frees the lock for both.
    """
    global _guard
    _guard = threading.Lock()  # another thread of the parent may have held it
    while _held:
        _held.popitem()[1].close()


os.register_at_fork(after_in_child=_forget)
