"""Land delivered files: each is checked, appended once to its raw table, or parked with its reason; the others go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock
from pyspark.sql.connect.session import SparkSession

from contracts.catalog import contract, layer
from contracts.errors import InputFileError
from contracts.settings import settings
from contracts.sources import Source, source
from jobs.delta import create_layers, ensure_table, ensure_tables
from jobs.ingest import ledger
from jobs.ingest.check import Checked, check, make_ready
from jobs.ingest.delivery import Delivery, describe, find_files, is_data_file
from jobs.ingest.load import FILES_PER_COMMIT, Ready, append_files, landed_hashes
from jobs.ingest.park import park
from jobs.ingest.report import DUPLICATE, IGNORED, LANDED, PARKED, FileOutcome, LandingReport
from jobs.ingest.stage import Stage, staging

Progress = Callable[[str], None]


def ensure_raw(spark: SparkSession) -> None:
    """Create every source's raw tables empty where missing, so that dbt's staging models can always be built."""
    ensure_tables(spark, layer("raw"))


def land(
    spark: SparkSession,
    source_name: str,
    paths: Iterable[Path],
    run_id: str,
    *,
    progress: Progress = lambda _: None,
    now: datetime | None = None,
) -> LandingReport:
    """Land every new file at or below `paths`.

    A file whose content (SHA-256) was landed before is a duplicate, whatever it is called now. After a crash, calling
    this again completes what was left: the raw tables themselves, not a note beside them, say what was landed.

    Args:
        source_name: one of `contracts.sources.SOURCES`.
        paths: files or folders, visible to this process.
        run_id: goes into the ledger and the Delta commits.
        progress: called with one line per step.
        now: time of ingestion.

    Raises:
        UserError: unknown source, or a path that does not exist.
    """
    started, which = time.monotonic(), source(source_name)
    found = find_files([Path(path) for path in paths])
    moment = now or datetime.now(UTC)
    lock = settings().home / f"ingest-{which.name}.lock"
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(lock), staging(run_id) as stage:
        _ensure(spark, which)
        landing = _Landing(spark, which, stage, moment, run_id, progress)
        landing.take(found)
    return LandingReport(which.name, run_id, tuple(landing.outcomes.values()), time.monotonic() - started)


def _ensure(spark: SparkSession, which: Source) -> None:
    create_layers(spark)
    for table in (*(which.raw_table(layout.entity) for layout in which.files), ledger.TABLE):
        ensure_table(spark, contract(table))


@dataclass
class _Landing:
    """One call of `land`: where it is and what it has done so far."""

    spark: SparkSession
    source: Source
    stage: Stage
    moment: datetime
    run_id: str
    progress: Progress
    outcomes: dict[Path, FileOutcome] = field(default_factory=dict)

    def take(self, found: Sequence[tuple[Path, Path]]) -> None:
        deliveries = []
        for path, root in found:
            if not is_data_file(path) or (self.source.is_unused(path.name) and not self._is_named(path)):
                reason = "not a data file" if not is_data_file(path) else f"not read for {self.source.name}"
                self.outcomes[path] = FileOutcome(path.name, "unknown", IGNORED, reason=reason)
            else:
                deliveries.append(describe(path, root))
        hashes = sorted({delivery.sha256 for delivery in deliveries})
        tables = [self.source.raw_table(layout.entity) for layout in self.source.files]
        landed = landed_hashes(self.spark, tables, hashes)
        on_record = ledger.known(self.spark, self.source.name, hashes)
        ready = self._check_all(deliveries, landed, on_record)
        self._append_all(ready)
        new = [d for d in deliveries if self._is_news(self.outcomes[d.path], on_record)]
        ledger.record(
            self.spark, self.source.name, [(self.outcomes[d.path], d.date) for d in new], self.moment, self.run_id
        )
        self._park_all(deliveries)

    def _is_named(self, path: Path) -> bool:
        """`encounters.csv` of one source may be an unread file of another, but an entity's name always counts."""
        return any(layout.is_named(name) for layout in self.source.files for name in (path.name, path.parent.name))

    def _check_all(
        self, deliveries: Sequence[Delivery], landed: set[str], on_record: set[tuple[str, str, str]]
    ) -> list[Ready]:
        ready, seen = [], set(landed)
        for delivery in deliveries:
            begun = time.monotonic()
            first = delivery.sha256 not in seen
            checked = check(self.source, delivery)
            outcome = checked.outcome
            if outcome.status != PARKED and not first:
                outcome = self._seen_before(outcome, delivery, on_record, is_in_raw=delivery.sha256 in landed)
            elif outcome.status == LANDED:
                outcome = self._make_ready(checked, ready)
            if outcome.status == LANDED:
                seen.add(delivery.sha256)
            self.outcomes[delivery.path] = outcome.but(seconds=time.monotonic() - begun)
            self.progress(f"{delivery.name}: {outcome.status}{f' ({outcome.reason})' if outcome.reason else ''}")
        return ready

    def _make_ready(self, checked: Checked, ready: list[Ready]) -> FileOutcome:
        try:
            file = make_ready(self.spark, checked, self.stage)
        except InputFileError as error:
            return checked.outcome.but(status=PARKED, reason=str(error))
        ready.append(file)
        return checked.outcome.but(rows=file.rows)

    def _seen_before(
        self, outcome: FileOutcome, delivery: Delivery, on_record: set[tuple[str, str, str]], *, is_in_raw: bool
    ) -> FileOutcome:
        names = sorted(name for sha, name, status in on_record if sha == delivery.sha256 and status == LANDED)
        if is_in_raw and not names:
            reason = "its rows were landed by a run that ended before it could say so"
        elif delivery.name in names or not names:
            reason = "the same content was landed before"
        else:
            reason = f"the same content was landed before as {names[0]}"
        return outcome.but(status=DUPLICATE, reason=reason)

    def _is_news(self, outcome: FileOutcome, on_record: set[tuple[str, str, str]]) -> bool:
        """A night that meets the same files again adds nothing to the ledger."""
        same = {status for sha, name, status in on_record if (sha, name) == (outcome.file_sha256, outcome.file_name)}
        return (
            outcome.status != IGNORED
            and outcome.status not in same
            and not (outcome.status == DUPLICATE and LANDED in same)
        )

    def _append_all(self, ready: Sequence[Ready]) -> None:
        for layout in self.source.files:
            table = self.source.raw_table(layout.entity)
            files = [file for file in ready if file.matched.layout is layout]
            for start in range(0, len(files), FILES_PER_COMMIT):
                part, begun = files[start : start + FILES_PER_COMMIT], time.monotonic()
                append_files(self.spark, table, part, self.moment, self.run_id)
                rows, seconds = sum(file.rows for file in part), time.monotonic() - begun
                self.progress(f"{table}: {rows:,} rows of {len(part)} files in {seconds:.1f} s")

    def _park_all(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            outcome = self.outcomes[delivery.path]
            if outcome.status == PARKED:
                park(self.source.name, delivery, outcome.reason or "", self.moment, self.run_id)
