"""Files rendered from the contracts are committed as the contracts render them, and no others are."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.compile.render import leftovers, rendered

ROOT = Path(__file__).resolve().parents[2]
FILES = rendered()


@pytest.mark.parametrize("relative", sorted(FILES))
def test_rendered_file_is_current(relative: str) -> None:
    path = ROOT / relative
    assert path.exists(), f"{relative} is missing: run `outreach contracts render`"
    current = path.read_text(encoding="utf-8") == FILES[relative]
    assert current, f"{relative} differs from its contracts: run `outreach contracts render`"


def test_no_file_of_a_table_that_is_gone() -> None:
    assert not leftovers(ROOT, FILES), "run `outreach contracts render`"
