"""What became of the calls: read from the file that a care system gives back, put into the inbox as contacts.

The inbox is that of every delivery, so that contacts are landed, checked and known like everything else; the same file
given twice makes one file there, and one that lands twice is a duplicate by its hash.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import UserError
from contracts.settings import Settings
from jobs.engine.state import write_private
from jobs.handover.calls import Call, calls_by_contact
from jobs.handover.fhir import DISPOSITION_SYSTEM

DISPOSITIONS = ("reached", "declined", "no_answer", "wrong_number")
SOURCE = "tuva"  # the one layout that has contacts
_COLUMNS = (
    "contact_id", "person_id", "program", "channel", "team", "assigned_date", "assigned_by", "is_offered",
    "assignment_probability", "is_reached", "disposition",
)  # fmt: skip


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        file: in the inbox; None when there was nothing to put there.
        is_new: False: the same outcomes were put there before.
        contacts: outcomes taken over, by disposition.
        still_open: rows without a disposition.
        refused: (line, why) of rows that could not be taken over; they name nobody.
    """

    file: Path | None
    is_new: bool
    contacts: Mapping[str, int]
    still_open: int
    refused: tuple[tuple[int, str], ...]


def import_dispositions(path: Path, config: Settings, today: dt.date) -> Imported:
    """Turn a file of outcomes into a file of contacts in the inbox.

    Args:
        path: the exported CSV with `disposition` filled in (`contact_id` and `disposition` suffice), or NDJSON of
            exported FHIR Tasks whose `businessStatus` holds it.
        config: settings.
        today: in the plan's time zone; when the warehouse learns of it.

    Raises:
        UserError: the file cannot be read, or the role may not.
    """
    told = list(_ndjson(path) if path.suffix.lower() in (".ndjson", ".json") else _csv(path))
    known = calls_by_contact(SOURCE, config)
    taken: dict[str, dict[str, Any]] = {}
    refused: list[tuple[int, str]] = []
    still_open = 0
    for line, contact, disposition in told:
        if not disposition:
            still_open += 1
        elif (why := _wrong(contact, disposition, known, taken)) is not None:
            refused.append((line, why))
        else:
            taken[contact] = _contact(known[contact], disposition)
    counts = {d: sum(row["disposition"] == d for row in taken.values()) for d in DISPOSITIONS}
    file, is_new = _into_inbox(taken, config, today) if taken else (None, False)
    return Imported(file, is_new, counts, still_open, tuple(refused))


def _wrong(
    contact: str, disposition: str, known: Mapping[str, Call], taken: Mapping[str, dict[str, Any]]
) -> str | None:
    if disposition not in DISPOSITIONS:
        return f"the disposition is none of {', '.join(DISPOSITIONS)}"
    if contact not in known:
        return "the contact_id is of no published call"
    if contact in taken and taken[contact]["disposition"] != disposition:
        return "the contact_id was given another disposition above"
    return None


def _contact(call: Call, disposition: str) -> dict[str, Any]:
    return {
        "contact_id": call.contact_id, "person_id": call.row["member_id"], "program": call.row["program"],
        "channel": call.channel, "team": call.team, "assigned_date": call.row["run_date"].isoformat(),
        "assigned_by": "policy", "is_offered": "true", "assignment_probability": repr(call.row["assignment_probability"]),
        "is_reached": "true" if disposition == "reached" else "false", "disposition": disposition,
    }  # fmt: skip


def _into_inbox(taken: Mapping[str, dict[str, Any]], config: Settings, today: dt.date) -> tuple[Path, bool]:
    """One file per set of outcomes, named by its content; landing tells its date from its name."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(taken[contact] for contact in sorted(taken))
    digest = hashlib.sha256(text.getvalue().encode()).hexdigest()[:16]
    inbox = config.landing / SOURCE
    there = sorted(inbox.glob(f"outreach_contact_*_{digest}.csv"))
    if there:
        return there[0], False
    inbox.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = inbox / f"outreach_contact_{today.isoformat()}_{digest}.csv"
    write_private(file, text.getvalue())
    return file, True


def _csv(path: Path) -> Iterator[tuple[int, str, str]]:
    """(line, contact, disposition) of each row."""
    rows = csv.DictReader(io.StringIO(_text(path)))
    if not {"contact_id", "disposition"} <= set(rows.fieldnames or ()):
        raise UserError(f"{path.name} lacks columns.", expected="contact_id and disposition")
    for row in rows:
        yield rows.line_num, (row["contact_id"] or "").strip(), (row["disposition"] or "").strip().lower()


def _ndjson(path: Path) -> Iterator[tuple[int, str, str]]:
    """The same of FHIR Tasks, one per line."""
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            task = json.loads(line)
            is_task = task["resourceType"] == "Task"
        except (ValueError, KeyError, TypeError):
            is_task = False
        if not is_task:
            raise UserError(f"Line {number} of {path.name} is no FHIR Task.", expected="NDJSON of Task resources")
        codings = (task.get("businessStatus") or {}).get("coding") or []
        code = next((c.get("code", "") for c in codings if c.get("system") == DISPOSITION_SYSTEM), "")
        yield number, str(task.get("id", "")), str(code).lower()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({type(error).__name__}).", expected="a text file in UTF-8") from None
