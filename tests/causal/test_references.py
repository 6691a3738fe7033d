"""The evaluation against brute force by definition, scikit-uplift and EconML's DRTester; and what a large one costs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from evaluation_references import Compared, definitions, econml_tester, scikit_uplift
from evaluation_worlds import WORLDS, coverage

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
from causal_sections.million_rows import measure


@pytest.mark.parametrize("compared", [definitions, scikit_uplift, econml_tester])
def test_numbers_are_those_of_the_references(compared: Callable[[], Iterator[Compared]]) -> None:
    for name, ours, theirs in compared():
        # grf's AUTOC is a sum of n steps, ours the integral: they differ by about log(n)/n of a unit.
        close = 2e-3 if "as a sum over rows" in name else 1e-9
        assert ours == pytest.approx(theirs, abs=close), name


@pytest.mark.parametrize("world", ["households of 3 that share half of the noise", "weights 1, 2 or 3"])
def test_every_interval_covers_its_truth(world: str) -> None:
    # 250 repetitions: the standard error of a share is 1.4 points; the bench takes 3,000.
    found = coverage(WORLDS[world], 250)
    assert all(0.90 <= share <= 0.99 for share in found.values()), found
    assert 0.94 <= sum(found.values()) / len(found) <= 0.965, found


def test_memory_and_time_of_a_large_evaluation() -> None:
    found = measure(300_000)
    assert found["seconds"] < 30, found
    assert found["peak"] - found["before"] < 400, found
