"""The action list as CSV: a row per call, with an empty `disposition` to be filled in and given back."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import TextIO

from jobs.handover.calls import Call

COLUMNS = (
    "contact_id", "data_source", "run_date", "program", "program_title", "priority_rank", "member_id", "decision",
    "channel", "team", "cate", "cate_lower", "cate_upper", "outcome_unit", "expected_net_value_usd", "reason_1", "reason_2",
    "reason_3", "verdict", "model_version", "disposition",
)  # fmt: skip
# A cell that begins so is run as a formula by spreadsheets (CWE-1236).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(calls: Sequence[Call], file: TextIO) -> None:
    """Header and one row per call."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for call in calls:
        told = {
            **call.row, "contact_id": call.contact_id, "program_title": call.program.title, "channel": call.channel,
            "team": call.team, "outcome_unit": call.program.outcome.unit, "disposition": "",
        }  # fmt: skip
        writer.writerow([_cell(told[name]) for name in COLUMNS])


def _cell(value: object) -> object:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
