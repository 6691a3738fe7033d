"""Set a bad file aside beside the reason, so that a person can look at both."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

from contracts.settings import settings
from jobs.ingest.delivery import Delivery


def park(source: str, delivery: Delivery, reason: str, moment: datetime, run_id: str) -> bool:
    """Put the file into `<parked>/<source>/` as `<first 12 of its hash>_<name>`, with `<that>.reason.json`.

    Taken out of our own inbox; a copy where the file lies elsewhere, for that is the user's. The same file is parked once.

    Returns:
        False: it is not the file any more that was read, and is left as it is.
    """
    config = settings()
    folder = config.parked / source
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / f"{delivery.sha256[:12]}_{delivery.name}"
    if not target.exists() and not _copied(delivery, target):
        return False
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
    if delivery.is_in(config.landing):
        if not delivery.is_unchanged:
            return False
        delivery.path.unlink()
    return True


def _copied(delivery: Delivery, target: Path) -> bool:
    """By way of a temporary name: a crash leaves no half copy that looks whole. Readable by the owner only."""
    partial = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(delivery.path, partial)
    except OSError:
        if delivery.is_unchanged:
            raise
    if not delivery.is_unchanged:
        partial.unlink(missing_ok=True)
        return False
    partial.chmod(0o600)
    partial.replace(target)
    return True
