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
from jobs.delta import ensure_tables
from jobs.ingest import ledger
from jobs.ingest.check import Checked, check, left, make_ready, refused, unreadable
from jobs.ingest.delivery import DATA_SUFFIXES, Delivery, describe, find_files, is_data_file
from jobs.ingest.load import FILES_PER_COMMIT, Ready, append_files, landed_hashes
from jobs.ingest.park import park
from jobs.ingest.report import DUPLICATE, IGNORED, LANDED, LEFT, PARKED, FileOutcome, LandingReport
from jobs.ingest.stage import Stage, staging

Progress = Callable[[str], None]
_AT_ONCE = 4


def ensure_raw(spark: SparkSession) -> None:
    """Create every source's raw tables empty where missing, so that dbt's staging models can always be built."""
    ensure_tables(spark, layer("raw"), at_once=_AT_ONCE)


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
    found = find_files([Path(path).absolute() for path in paths])  # the engine works in a folder of its own
    moment = now or datetime.now(UTC)
    lock = settings().home / f"ingest-{which.name}.lock"
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(lock), staging(which.name, run_id) as stage:
        tables = [which.raw_table(layout.entity) for layout in which.files]
        created = ensure_tables(spark, [contract(table) for table in (*tables, ledger.TABLE)], at_once=_AT_ONCE)
        landing = _Landing(spark, which, stage, moment, run_id, progress, created)
        landing.take(found)
    return LandingReport(which.name, run_id, tuple(landing.outcomes.values()), time.monotonic() - started)


@dataclass
class _Landing:
    """One call of `land`: where it is and what it has done so far."""

    spark: SparkSession
    source: Source
    stage: Stage
    moment: datetime
    run_id: str
    progress: Progress
    created: frozenset[str]
    on_record: frozenset[ledger.Entry] = frozenset()
    outcomes: dict[Path, FileOutcome] = field(default_factory=dict)

    def take(self, found: Sequence[tuple[Path, Path]]) -> None:
        deliveries = []
        for path, root in found:
            if (reason := self._not_read(path)) is not None:
                self.outcomes[path] = FileOutcome(path.name, "unknown", IGNORED, reason=reason)
                continue
            try:
                deliveries.append(describe(path, root))
            except OSError as error:
                self.outcomes[path] = left(path.name, unreadable(error))
        checks = [check(self.source, delivery) for delivery in deliveries]
        self.on_record = ledger.known(self.spark, self.source.name, sorted({d.sha256 for d in deliveries}))
        landed = self._landed(checks)
        self._append_all(self._make_all_ready(checks, landed))
        news = [(self.outcomes[d.path], d.date) for d in deliveries if self._is_news(self.outcomes[d.path])]
        ledger.record(self.spark, self.source.name, news, self.moment, self.run_id)
        self._park_all(deliveries)

    def _landed(self, checks: Sequence[Checked]) -> set[str]:
        """Hashes whose rows are in raw: by the ledger, and by the tables where a killed run left the ledger behind."""
        tables = {c.delivery.sha256: self.source.raw_table(c.outcome.entity) for c in checks if c.matched}
        told = {e.file_sha256 for e in self.on_record if e.status == LANDED}
        landed = {sha for sha, table in tables.items() if sha in told and table not in self.created}
        for table in sorted(set(tables.values()) - self.created):
            if unsure := sorted(sha for sha in tables if tables[sha] == table and sha not in landed):
                landed |= landed_hashes(self.spark, table, unsure)
        return landed

    def _not_read(self, path: Path) -> str | None:
        """Why a file is passed over; None: it is read."""
        if path.is_symlink() and not path.is_file():
            return "a link to a folder or to nothing; name the folder itself to have it read"
        if not is_data_file(path):
            return f"not a data file: its name ends with none of {', '.join(DATA_SUFFIXES)}"
        if self.source.is_unused(path.name) and not self._is_named(path):
            return f"not read for {self.source.name}"
        return None

    def _is_named(self, path: Path) -> bool:
        """`encounters.csv` of one source may be an unread file of another, but an entity's name always counts."""
        return any(layout.is_named(name) for layout in self.source.files for name in (path.name, path.parent.name))

    def _make_all_ready(self, checks: Sequence[Checked], landed: set[str]) -> list[Ready]:
        ready: list[Ready] = []
        seen = set(landed)
        for checked in checks:
            begun, delivery, outcome = time.monotonic(), checked.delivery, checked.outcome
            if outcome.status == LANDED and delivery.sha256 in seen:
                outcome = self._seen_before(checked, is_in_raw=delivery.sha256 in landed)
            elif outcome.status == LANDED:
                outcome = self._make_ready(checked, ready)
                seen |= {delivery.sha256} if outcome.status == LANDED else set()
            self.outcomes[delivery.path] = outcome.but(seconds=time.monotonic() - begun)
            self.progress(f"{delivery.name}: {outcome.status}{f' ({outcome.reason})' if outcome.reason else ''}")
        return ready

    def _make_ready(self, checked: Checked, ready: list[Ready]) -> FileOutcome:
        delivery = checked.delivery
        try:
            file = make_ready(self.spark, checked, self.stage)
        except (InputFileError, OSError) as error:
            if isinstance(error, OSError) and delivery.is_unchanged:
                raise  # not the file is at fault but the place where it is staged
            return refused(checked.outcome, delivery, error)
        if not delivery.is_unchanged:
            return left(delivery.name)
        ready.append(file)
        return checked.outcome.but(rows=file.rows)

    def _seen_before(self, checked: Checked, *, is_in_raw: bool) -> FileOutcome:
        mine = checked.delivery
        names = sorted(e.file_name for e in self.on_record if e.file_sha256 == mine.sha256 and e.status == LANDED)
        if is_in_raw and not names:
            reason = "its rows were landed by a run that ended before it could say so"
        elif not names or mine.name in names:
            reason = "the same content was landed before"
        else:
            reason = f"the same content was landed before as {names[0]}"
        return checked.outcome.but(status=DUPLICATE, reason=reason)

    def _is_news(self, outcome: FileOutcome) -> bool:
        """A night that meets the same files again adds nothing to the ledger."""
        mine = (outcome.file_sha256, outcome.file_name)
        told = {e.status for e in self.on_record if (e.file_sha256, e.file_name) == mine}
        known = outcome.status in told or (outcome.status == DUPLICATE and LANDED in told)
        return outcome.status not in (IGNORED, LEFT) and not (known and outcome.status != LANDED)

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
            if outcome.status == PARKED and not park(
                self.source.name, delivery, outcome.reason or "", self.moment, self.run_id
            ):
                self.outcomes[delivery.path] = left(delivery.name)
