"""Write a night's calls for a care system: whole files, readable by their owner only."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Mapping
from pathlib import Path

from contracts.errors import UserError
from contracts.settings import Settings
from jobs.engine.state import write_private
from jobs.handover.calls import calls_of_night
from jobs.handover.csv_file import write_csv
from jobs.handover.fhir import resources

FORMATS = ("csv", "fhir")


def export(
    kind: str, data_source: str, night: dt.date | None, out: Path, config: Settings, now: dt.datetime
) -> dict[Path, int]:
    """Write the files; rows by file. A file that is there is replaced.

    Args:
        kind: one of FORMATS.
        data_source: whose members.
        night: a published one; None: the last.
        out: folder, made where missing.
        config: settings.
        now: aware; FHIR says when a list was handed over.

    Raises:
        UserError: the list cannot be had (`calls_of_night`), or the folder cannot be written.
    """
    if kind not in FORMATS:
        raise UserError(f"There is no format {kind}.", expected=", ".join(FORMATS))
    day, calls = calls_of_night(data_source, night, config)
    if kind == "csv":
        text = io.StringIO()
        write_csv(calls, text)
        return _write(out, {f"action_list_{data_source}_{day}.csv": (text.getvalue(), len(calls))})
    found = resources(calls, now, config.member_id_system)
    files = {
        f"{name}_{data_source}_{day}.ndjson": ("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), len(rows))
        for name, rows in found.items()
    }  # fmt: skip
    return _write(out, files)


def _write(out: Path, files: Mapping[str, tuple[str, int]]) -> dict[Path, int]:
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, (text, _) in files.items():
            write_private(out / name, text)
    except OSError as error:
        raise UserError(f"{out} cannot be written ({type(error).__name__}).", todo="name a folder of yours.") from None
    return {out / name: rows for name, (_, rows) in files.items()}
