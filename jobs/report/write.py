"""Collect, draw and write the report of a night, then the index: each file appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

from filelock import FileLock

from contracts.settings import settings
from jobs.lineage import record as lineage
from jobs.lineage.naming import NIGHT_REPORT
from jobs.report.collect import collect_night
from jobs.report.index import ENTRY, entry_json, program_page, read_entries, read_months
from jobs.report.night import NightReport
from jobs.report.render import render, render_index
from jobs.session import spark_session


def write_report(data_source: str, run_date: date) -> Path:
    """Write the page of a published night; returns its path.

    Raises:
        UserError: the night was not published.
    """
    report = collect_night(spark_session(), data_source, run_date)
    lineage.drawn(NIGHT_REPORT, run_date.isoformat())
    return save_report(report, settings().reports_dir)


def save_report(report: NightReport, reports: Path) -> Path:
    """Write `<reports>/<data_source>/<run_date>/index.html`, a page per program beside it, and `<reports>/index.html`.

    Args:
        report: what to draw.
        reports: folder of all reports; made where missing, readable by its owner only.
    """
    reports.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = reports / report.data_source / report.run_date.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    replace_file(page, render(report))
    for program in report.programs:
        replace_file(
            folder / program_page(program.plan.key), render(replace(report, programs=(program,)), is_whole=False)
        )
    replace_file(folder / ENTRY, entry_json(report))
    write_index(reports)
    return page


def write_index(reports: Path) -> Path:
    """Write the page that leads to all nights and months of models; returns its path."""
    # Two nights that end together must not lose one another's line in the index.
    with FileLock(reports / ".index.lock"):
        replace_file(reports / "index.html", render_index(read_entries(reports), read_months(reports)))
    return reports / "index.html"


def replace_file(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
