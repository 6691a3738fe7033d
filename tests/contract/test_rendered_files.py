"""Files rendered from the contracts are committed as the contracts render them."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.compile.dbt_yml import dbt_files

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("relative", sorted(dbt_files()))
def test_rendered_file_is_current(relative: str) -> None:
    path = ROOT / relative
    assert path.exists(), f"{relative} is missing: run `python -m contracts.compile dbt`"
    current = path.read_text(encoding="utf-8") == dbt_files()[relative]
    assert current, f"{relative} differs from its contracts: run `python -m contracts.compile dbt`"
