"""Lineage of landing: delivered files of one kind become the rows of one raw table, column by column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from contracts.catalog import catalog
from contracts.sources import SOURCES, Source
from jobs.lineage import naming
from jobs.lineage.columns import ColumnLineage, How
from jobs.lineage.columns import Source as From
from jobs.lineage.work import JobLineage, Read, Statistics, Work

if TYPE_CHECKING:
    from jobs.ingest.report import FileOutcome, LandingReport

FILES_TABLE = "ops.input_file"


def landing_job(source: Source) -> JobLineage:
    """What landing a source reads and writes, whatever was delivered."""
    outputs = {source.raw_table(layout.entity): _columns(source, layout.entity) for layout in source.files}
    inputs = frozenset(naming.landing(source.name, layout.entity) for layout in source.files)
    outputs[FILES_TABLE] = ColumnLineage(tables=inputs)
    return JobLineage(f"land.{source.name}", inputs, outputs, f"Lands files of {source.name}, each once.")


def _columns(source: Source, entity: str) -> ColumnLineage:
    """A raw table has the delivered columns as they are, and those that the layout does not know as JSON."""
    files = naming.landing(source.name, entity)
    delivered = set(naming.columns(files))
    table = catalog()[source.raw_table(entity)]
    same = {c: frozenset({From(files, c, How.IDENTITY)}) if c in delivered else frozenset() for c in table.column_names}
    if "delivered_file_date" in delivered:
        same["file_date"] = frozenset({From(files, "delivered_file_date", How.TRANSFORMATION)})
    return ColumnLineage(same, tables=frozenset({files}))


def landed(report: LandingReport) -> list[Work]:
    """What one landing did: the job as declared, and of each kind the files that were landed by it."""
    work = landing_job(SOURCES[report.source]).work()
    for layout in SOURCES[report.source].files:
        files = [file for file in report.of("landed") if file.entity == layout.entity]
        if files:
            name = naming.landing(report.source, layout.entity)
            work.read(Read(name, statistics=_statistics(files), files=tuple(file.file_name for file in files)))
    return [work]


def _statistics(files: Iterable[FileOutcome]) -> Statistics:
    kept = list(files)
    return Statistics(sum(file.rows or 0 for file in kept), sum(file.size_bytes for file in kept), len(kept))
