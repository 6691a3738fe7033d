"""What is kept of the dbt project's models follows its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from contracts.settings import settings
from dagster_project import manifest
from jobs import dbt

Models = Mapping[str, Sequence[str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A dbt project whose models are its files, in a state folder of its own."""
    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path))
    settings.cache_clear()
    folder = tmp_path / "project"
    (tmp_path / "dbt").mkdir()
    folder.mkdir()
    (folder / "one.sql").write_text("select 1")
    monkeypatch.setattr(dbt, "PROJECT", folder)
    yield folder
    settings.cache_clear()


@pytest.fixture
def load(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[Models, bool]]:
    """Load the models as a new process would; whether they had to be read."""
    reads: list[int] = []

    def read() -> Models:
        reads.append(1)
        return {f"core.{file.stem}": [] for file in project.iterdir()}

    monkeypatch.setattr(manifest, "_read_models", read)

    def again() -> tuple[Models, bool]:
        reads.clear()
        return manifest.models.__wrapped__(), bool(reads)

    return again


def test_another_process_does_not_read_them_again(load: Callable[[], tuple[Models, bool]]) -> None:
    assert load() == ({"core.one": []}, True)
    assert load() == ({"core.one": []}, False)


def test_a_file_that_came_went_or_changed_is_seen_whatever_its_date(
    project: Path, load: Callable[[], tuple[Models, bool]]
) -> None:
    load()
    (project / "one.sql").write_text("select 2")
    assert load() == ({"core.one": []}, True)
    (project / "one.sql").rename(project / "two.sql")
    assert load() == ({"core.two": []}, True)
    (project / "two.sql").unlink()
    assert load() == ({}, True)


@pytest.mark.parametrize("left", ["", "{", "{}"])
def test_a_damaged_file_is_made_anew(left: str, load: Callable[[], tuple[Models, bool]]) -> None:
    load()
    (settings().home / "dbt" / "models.json").write_text(left)
    assert load() == ({"core.one": []}, True)
    assert load() == ({"core.one": []}, False)
    assert [path.name for path in (settings().home / "dbt").iterdir()] == ["models.json"]
