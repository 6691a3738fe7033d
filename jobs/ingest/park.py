"""Set a bad file aside beside the reason, so that a person can look at both."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

from contracts.settings import settings
from jobs.ingest.delivery import Delivery


def park(source: str, delivery: Delivery, reason: str, moment: datetime, run_id: str) -> Path:
    """Put the file into `<parked>/<source>/` as `<first 12 of its hash>_<name>`, with `<that>.reason.json`.

    Taken out of our own inbox; a copy where the file lies elsewhere, for that is the user's. The same file is parked once.
    """
    config = settings()
    folder = config.parked / source
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / f"{delivery.sha256[:12]}_{delivery.name}"
    if not target.exists():
        _copy(delivery.path, target)
    if delivery.path.is_relative_to(config.landing):
        delivery.path.unlink()
    told = {
        "source": source,
        "file_name": delivery.name,
        "file_sha256": delivery.sha256,
        "size_bytes": delivery.size,
        "reason": reason,
        "parked_at": moment.isoformat(),
        "run_id": run_id,
    }
    target.with_name(f"{target.name}.reason.json").write_text(json.dumps(told, indent=2) + "\n")
    return target


def _copy(path: Path, target: Path) -> None:
    """By way of a temporary name: a crash leaves no half copy that looks whole. Readable by the owner only."""
    partial = target.with_name(f".{target.name}.part")
    shutil.copyfile(path, partial)
    partial.chmod(0o600)
    partial.replace(target)
