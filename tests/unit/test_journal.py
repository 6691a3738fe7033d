"""Local journals: lines survive being taken away while another writes, each exactly once; whose process lives."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.settings import settings
from jobs import journal
from jobs.liveness import is_alive, this_process


def test_what_is_taken_is_taken_once_and_nothing_is_lost() -> None:
    """Four writers and a taker at the same time; every line ends up in one file that was taken."""
    kind, lines = "test_taken", 200
    journals = [journal.Journal(kind) for _ in range(2)]

    def write(worker: int) -> None:
        for number in range(lines):
            journals[worker % 2].write({"entry_id": f"{worker}-{number}"})

    writers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for writer in writers:
        writer.start()
    seen: list[str] = []
    rounds = 0
    while any(writer.is_alive() for writer in writers):
        for path in journal.taken(kind):
            seen += [entry["entry_id"] for entry in journal.entries(path)]
            path.unlink()
        rounds += 1
    for writer in writers:
        writer.join()
    for path in journal.taken(kind):
        seen += [entry["entry_id"] for entry in journal.entries(path)]
        path.unlink()
    assert rounds > 1
    assert sorted(seen) == sorted(f"{worker}-{number}" for worker in range(4) for number in range(lines))
    assert not list((settings().home / kind).iterdir())


def test_what_a_killed_taker_left_is_taken_again() -> None:
    found = journal.Journal("test_left")
    found.write({"entry_id": "a"})
    (first,) = journal.taken("test_left")
    assert journal.taken("test_left") == [first]
    found.write({"entry_id": "b"})
    assert len(journal.taken("test_left")) == 2


@pytest.mark.parametrize("cut", ['{"entry_id": "b"', ""])
def test_a_line_cut_by_a_kill_is_left_out(cut: str) -> None:
    found = journal.Journal("test_cut")
    found.write({"entry_id": "a"})
    with found.path.open("a") as file:
        file.write(cut)
    assert journal.entries(found.path) == [{"entry_id": "a"}]


_WRITES = """
from jobs.journal import Journal
Journal("test_alive").write({"entry_id": "a"})
"""
_LOOKS = """
from jobs.journal import journals, orphans
print(len(list(journals("test_alive"))), len(list(orphans("test_alive"))))
"""


@contextmanager
def living(program: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has run the program, and stays until it is killed; its last line says so."""
    program += "\nprint('there', flush=True)\nimport time; time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "there\n"
            yield child
        finally:
            child.kill()


def killed(child: subprocess.Popen[str]) -> None:
    child.kill()
    assert child.wait(60) == -signal.SIGKILL


def standing() -> tuple[int, int]:
    """How many journals of living processes there are, and of dead ones."""
    return len(list(journal.journals("test_alive"))), len(list(journal.orphans("test_alive")))


def test_a_journal_lives_as_long_as_its_process(own_home: Path) -> None:
    with living(_WRITES) as child:
        assert standing() == (1, 0)
        assert standing() == (1, 0), "looking took the lock away"
        killed(child)
        assert standing() == (0, 1)


def test_a_process_that_numbers_its_own_sees_who_lives(own_home: Path) -> None:
    """As in a container beside another, on one volume."""
    apart = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody have process ids apart")

    def seen_from_apart() -> str:
        return subprocess.run([*apart, sys.executable, "-c", _LOOKS], check=True, capture_output=True, text=True).stdout

    with living(_WRITES) as child:
        assert seen_from_apart() == "1 0\n"
        killed(child)
        assert seen_from_apart() == "0 1\n"


def test_a_child_does_not_keep_its_dead_parent_alive(own_home: Path) -> None:
    """Neither one that was forked, which is a process of its own, nor a program that was started."""
    program = (
        _WRITES
        + """
import os, subprocess, sys, time
from jobs.liveness import this_process
mine, (reading, writing) = this_process(), os.pipe()
if (forked := os.fork()) == 0:
    os.write(writing, this_process().encode())
    time.sleep(600)
started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False)
print(mine, os.read(reading, 100).decode(), forked, started.pid, flush=True)
"""
    )
    with subprocess.Popen(
        [sys.executable, "-c", program + "time.sleep(600)"], stdout=subprocess.PIPE, text=True
    ) as parent:
        try:
            assert parent.stdout is not None
            mine, of_forked, *children = parent.stdout.readline().split()
            assert (is_alive(mine), is_alive(of_forked)) == (True, True)
            killed(parent)
            assert (is_alive(mine), is_alive(of_forked)) == (False, True)
        finally:
            parent.kill()
            for child in children:
                os.kill(int(child), signal.SIGKILL)


def test_what_dead_processes_left_is_cleared_and_the_living_stay(own_home: Path) -> None:
    with living(_WRITES) as dead, living(_WRITES):
        assert len(list((own_home / "processes").iterdir())) == 2
        killed(dead)
        mine = this_process()
        assert this_process() == mine
        assert len(list((own_home / "processes").iterdir())) == 2, "of the living one and of this"
        assert is_alive(mine)
        assert standing() == (1, 1)


def test_looking_for_processes_makes_nothing(own_home: Path) -> None:
    assert not is_alive("nobody")
    assert standing() == (0, 0)
    assert not list(own_home.iterdir())
