"""The list of all nights: each page leaves a small file beside it, and the index is made from these."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from jobs.report import words
from jobs.report.night import NightReport

ENTRY = "night.json"


@dataclass(frozen=True)
class ProgramEntry:
    """One program of a night, as the index shows it; `called` None is hidden, `expected` is empty where nothing is claimed."""

    title: str
    verdict: str
    called: int | None
    key: str = ""
    expected: str = ""


@dataclass(frozen=True)
class NightEntry:
    """One night and source."""

    data_source: str
    run_date: date
    programs: tuple[ProgramEntry, ...]

    @property
    def folder(self) -> str:
        """Where its pages lie, relative to the index."""
        return f"{self.data_source}/{self.run_date.isoformat()}"

    @property
    def link(self) -> str:
        """Address of its page, relative to the index."""
        return f"{self.folder}/index.html"


def program_page(key: str) -> str:
    """File name of the page of one program, beside the night's."""
    return f"{key}.html"


def entry_json(report: NightReport) -> str:
    """What the index needs of a report; hidden counts stay hidden."""
    programs = [
        ProgramEntry(p.plan.title, p.verdict, p.called, p.plan.key, words.expected_briefly(p)) for p in report.programs
    ]
    entry = {"data_source": report.data_source, "run_date": report.run_date.isoformat()}
    return json.dumps({**entry, "programs": [asdict(p) for p in programs]}, indent=1)


def read_entries(reports: Path) -> list[NightEntry]:
    """Every night with a page below `reports`, latest first; the sources of one night by name."""
    found = [_entry(path) for path in reports.glob(f"*/*/{ENTRY}") if path.with_name("index.html").exists()]
    return sorted(sorted(found, key=lambda n: n.data_source), key=lambda n: n.run_date, reverse=True)


def _entry(path: Path) -> NightEntry:
    document = json.loads(path.read_text(encoding="utf-8"))
    programs = tuple(ProgramEntry(**program) for program in document["programs"])
    return NightEntry(document["data_source"], date.fromisoformat(document["run_date"]), programs)


def read_months(reports: Path) -> list[tuple[str, str]]:
    """Address and title of each month's page on models, latest first; by source where there are several."""
    found = sorted(reports.glob("*/models-*/index.html"), key=lambda path: path.parts[-3:], reverse=True)
    found.sort(key=lambda path: path.parent.name, reverse=True)
    titles = ((path, date.fromisoformat(f"{path.parent.name.removeprefix('models-')}-01")) for path in found)
    return [(path.relative_to(reports).as_posix(), f"{day:%B %Y} ({path.parts[-3]})") for path, day in titles]
