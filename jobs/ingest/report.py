"""What landing did, file by file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from jobs.ingest.classify import Drift

NO_DRIFT = Drift()
LANDED, PARKED, DUPLICATE, IGNORED, LEFT = "landed", "parked", "duplicate", "ignored", "left"


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file.

    Attributes:
        entity: what it holds; `unknown` where that could not be told.
        status: `landed`, `parked`, `duplicate` (its content was landed before), `ignored` (not data, or not read here) or
            `left` (it changed while it was read, or cannot be read: where it lies, for the next time).
        rows: data rows; None where they were not counted.
        reason: why it was not landed.
    """

    file_name: str
    entity: str
    status: str
    rows: int | None = None
    reason: str | None = None
    drift: Drift = NO_DRIFT
    file_sha256: str = ""
    size_bytes: int = 0
    seconds: float = 0.0

    def but(self, **changes: Any) -> FileOutcome:
        return replace(self, **changes)


@dataclass(frozen=True)
class LandingReport:
    """What one call of `land` did."""

    source: str
    run_id: str
    files: tuple[FileOutcome, ...]
    seconds: float

    def of(self, status: str) -> tuple[FileOutcome, ...]:
        return tuple(file for file in self.files if file.status == status)

    @property
    def rows(self) -> int:
        """Rows landed."""
        return sum(file.rows or 0 for file in self.of(LANDED))

    @property
    def is_failure(self) -> bool:
        """Nothing was landed or known before, and something was parked or left."""
        return bool(self.of(PARKED) or self.of(LEFT)) and not self.of(LANDED) and not self.of(DUPLICATE)

    @property
    def not_landed(self) -> str:
        """How many files were not landed, in words; duplicates are no news."""
        counts = {status: len(self.of(status)) for status in (PARKED, IGNORED, LEFT)}
        return ", ".join(f"{n} {status}" for status, n in counts.items() if n or status == PARKED)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        counts = {status: len(self.of(status)) for status in (LANDED, PARKED, DUPLICATE, IGNORED, LEFT)}
        files = [{**asdict(file), "seconds": round(file.seconds, 3)} for file in self.files]
        return {
            "source": self.source, "run_id": self.run_id, "rows": self.rows, **counts,
            "seconds": round(self.seconds, 3), "files": files,
        }  # fmt: skip
