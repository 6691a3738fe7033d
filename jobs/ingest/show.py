"""Landing on a terminal: progress while it runs, a table when it is done. Quiet where nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from jobs.ingest.report import LANDED, FileOutcome, LandingReport
from jobs.terminal import counted, table_console


@contextmanager
def watched(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A function that shows one line of progress on standard error; does nothing without a terminal."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    with console.status("") as status:
        yield status.update


def show(report: LandingReport) -> None:
    """One line per file, then what changed about their columns, then the sum."""
    console = table_console()
    table = Table(title=f"{report.source}: files", title_justify="left")
    table.add_column("file", overflow="fold", min_width=36)
    for name in ("entity", "status", "rows", "note"):
        table.add_column(name, justify="right" if name == "rows" else "left")
    for file in report.files:
        rows = f"{file.rows:,}" if file.rows is not None else ""
        table.add_row(file.file_name, file.entity, file.status, rows, file.reason or _drift(file))
    console.print(table)
    landed = counted(len(report.of(LANDED)), "file")
    console.print(f"{landed} landed, {counted(report.rows, 'row')}; {report.not_landed}; {report.seconds:.1f} s")


def _drift(file: FileOutcome) -> str:
    drift = file.drift
    parts = [
        f"renamed: {', '.join(f'{old} → {new}' for old, new in drift.renamed)}" if drift.renamed else "",
        f"new columns kept: {', '.join(drift.added)}" if drift.added else "",
        f"{len(drift.missing)} optional columns not delivered" if drift.missing else "",
        *drift.notes,
    ]
    return "; ".join(part for part in parts if part)
