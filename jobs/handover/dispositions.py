"""What became of the calls: read from the file that a care system gives back, put into the inbox as contacts.

The inbox is that of every delivery, so that contacts are landed, checked and known like everything else. Outcomes that
the inbox tells already make no second file there; one that was told otherwise in between is told anew.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import UserError
from contracts.settings import Settings
from jobs.engine.state import write_private
from jobs.handover.calls import calls_by_contact, offer_of
from jobs.handover.fhir import CONTACT_SYSTEM, DISPOSITION_SYSTEM

DISPOSITIONS = ("reached", "declined", "no_answer", "wrong_number")
SOURCE = "tuva"  # the one layout that has contacts
_COLUMNS = (
    "contact_id", "person_id", "program", "channel", "team", "assigned_date", "assigned_by", "is_offered",
    "assignment_probability", "is_reached", "disposition", "file_name",
)  # fmt: skip
# Without a number: files of before there were numbers.
_OURS = re.compile(r"outreach_contact_(\d{4}-\d\d-\d\d)_(?:(\d+)_)?[0-9a-f]{16}\.csv")


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        file: in the inbox; None when there was nothing to put there.
        is_new: False: the inbox tells these outcomes already.
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
            taken[contact] = _contact(contact, known[contact], disposition)
    counts = {d: sum(row["disposition"] == d for row in taken.values()) for d in DISPOSITIONS}
    file, is_new = _into_inbox(taken, config, today) if taken else (None, False)
    return Imported(file, is_new, counts, still_open, tuple(refused))


def _wrong(
    contact: str, disposition: str, known: Mapping[str, object], taken: Mapping[str, dict[str, Any]]
) -> str | None:
    if disposition not in DISPOSITIONS:
        return f"the disposition is none of {', '.join(DISPOSITIONS)}"
    if contact not in known:
        return "the contact_id is of no published call"
    if contact in taken and taken[contact]["disposition"] != disposition:
        return "the contact_id was given another disposition above"
    return None


def _contact(contact: str, row: dict[str, Any], disposition: str) -> dict[str, Any]:
    channel, team = offer_of(row)
    return {
        "contact_id": contact, "person_id": row["member_id"], "program": row["program"],
        "channel": channel, "team": team, "assigned_date": row["run_date"].isoformat(),
        "assigned_by": "policy", "is_offered": "true", "assignment_probability": repr(row["assignment_probability"]),
        "is_reached": "true" if disposition == "reached" else "false", "disposition": disposition,
    }  # fmt: skip


def _into_inbox(taken: Mapping[str, dict[str, Any]], config: Settings, today: dt.date) -> tuple[Path, bool]:
    """One file per set of outcomes that is news; landing tells its date from its name.

    It states its name, which is numbered: outcomes that come back after others were told in between are another file by
    their bytes too, and no duplicate to landing.
    """
    inbox = config.landing / SOURCE
    files = _imported(inbox)
    told = {row["contact_id"]: (row["disposition"], file) for file in files for _, row in _rows(file)}
    if all(contact in told and told[contact][0] == row["disposition"] for contact, row in taken.items()):
        return max((told[contact][1] for contact in taken), key=list(files).index), False
    outcomes = json.dumps([(contact, taken[contact]["disposition"]) for contact in sorted(taken)])
    digest = hashlib.sha256(outcomes.encode()).hexdigest()[:16]
    number = max(files.values(), default=0) + 1  # not their count: some may have been cleared away
    file = inbox / f"outreach_contact_{today.isoformat()}_{number:04}_{digest}.csv"
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**taken[contact], "file_name": file.name} for contact in sorted(taken))
    inbox.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(file, text.getvalue())
    return file, True


def _imported(inbox: Path) -> dict[Path, int]:
    """What earlier imports put there, each with its number (0: without one), the oldest first."""
    named = [(match, path) for path in inbox.glob("outreach_contact_*.csv") if (match := _OURS.fullmatch(path.name))]
    dated = sorted((match[1], int(match[2] or 0), path.name, path) for match, path in named)
    return {path: number for _, number, _, path in dated}


def _csv(path: Path) -> Iterator[tuple[int, str, str]]:
    """(line, contact, disposition) of each row."""
    for line, row in _rows(path):
        yield line, (row["contact_id"] or "").strip(), (row["disposition"] or "").strip().lower()


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row). Strict: else a quote that is not closed makes one value of all that follows."""
    reader, begun = csv.DictReader(io.StringIO(_text(path)), strict=True), 1
    try:
        if not {"contact_id", "disposition"} <= set(reader.fieldnames or ()):
            raise UserError(f"{path.name} lacks columns.", expected="contact_id and disposition")
        begun = reader.line_num + 1
        for row in reader:
            yield reader.line_num, row
            begun = reader.line_num + 1
    except csv.Error:
        raise UserError(
            f"The row that begins in line {begun} of {path.name} cannot be read as CSV.",
            expected="quotes that are closed, and no value of more than 131,072 characters",
            todo="mend the line; nothing of the file was taken over.",
        ) from None


def _ndjson(path: Path) -> Iterator[tuple[int, str, str]]:
    """The same of FHIR Tasks, one per line."""
    for number, line in enumerate(_text(path).split("\n"), start=1):  # JSON may hold other line separators
        if not line.strip():
            continue
        try:
            task = json.loads(line)
            is_task = task["resourceType"] == "Task"
        except (ValueError, KeyError, TypeError, RecursionError):
            is_task = False
        if not is_task:
            raise UserError(f"Line {number} of {path.name} is no FHIR Task.", expected="NDJSON of Task resources")
        if (codings := _codings(task.get("businessStatus"))) is None:
            raise UserError(
                f"The Task in line {number} of {path.name} has a businessStatus that is no CodeableConcept.",
                expected='{"coding": [{"system": …, "code": …}]}',
            )
        code = next((c.get("code", "") for c in codings if c.get("system") == DISPOSITION_SYSTEM), "")
        yield number, _contact_of(task), str(code).lower()


def _contact_of(task: dict[str, Any]) -> str:
    """Our number of the call. A server that creates a resource gives it an id of its own and keeps its identifiers."""
    named = task.get("identifier")
    ours = [
        str(one.get("value", ""))
        for one in (named if isinstance(named, list) else [])
        if isinstance(one, dict) and one.get("system") == CONTACT_SYSTEM
    ]
    return ours[0] if ours else str(task.get("id", ""))


def _codings(status: Any) -> list[dict[str, Any]] | None:
    """The codings of a CodeableConcept, none where there is none; None: it is something else."""
    if status is None:
        return []
    codings = (status.get("coding") or []) if isinstance(status, dict) else None
    return codings if isinstance(codings, list) and all(isinstance(it, dict) for it in codings) else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({type(error).__name__}).", expected="a text file in UTF-8") from None
