"""What landing did, file by file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from jobs.ingest.classify import Drift

NO_DRIFT = Drift()
LANDED, PARKED, DUPLICATE, IGNORED = "landed", "parked", "duplicate", "ignored"


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file.

    Attributes:
        entity: what it holds; `unknown` where that could not be told.
        status: `landed`, `parked`, `duplicate` (its content was landed before) or `ignored` (not data, or not read here).
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
        """Nothing was landed or known before, and something was parked."""
        return bool(self.of(PARKED)) and not self.of(LANDED) and not self.of(DUPLICATE)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        counts = {status: len(self.of(status)) for status in (LANDED, PARKED, DUPLICATE, IGNORED)}
        files = [{**asdict(file), "seconds": round(file.seconds, 3)} for file in self.files]
        return {
            "source": self.source, "run_id": self.run_id, "rows": self.rows, **counts,
            "seconds": round(self.seconds, 3), "files": files,
        }  # fmt: skip
