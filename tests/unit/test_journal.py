"""Local journals: lines survive being taken away while another writes, each exactly once."""

from __future__ import annotations

import threading

import pytest

from contracts.settings import settings
from jobs import journal


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
