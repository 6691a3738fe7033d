"""The action list as FHIR R4 (4.0.1): a Task per call, a Group per program, and the Provenance of both.

https://hl7.org/fhir/R4/task.html, group.html, provenance.html. Patients are referred to by their number (a logical
reference), because the plan's server, and not this project, knows under which id it keeps them. Pure functions.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any

from jobs.handover.calls import Call

Resource = dict[str, Any]
# What a care system puts into Task.businessStatus, and what we read back from there.
DISPOSITION_SYSTEM = "urn:outreach:disposition"
_SYSTEM = "urn:outreach"
# Of the number of a call; what we read back, since a server may give the Task another id.
CONTACT_SYSTEM = f"{_SYSTEM}:contact"
_MEMBER_NUMBER = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MB", "display": "Member Number"}]}  # fmt: skip


def resources(calls: Sequence[Call], exported_at: dt.datetime, member_system: str) -> dict[str, list[Resource]]:
    """Resources by type, as bulk data keeps them: one file per type.

    Args:
        calls: of one night and source.
        exported_at: aware.
        member_system: URI of the numbering that `member_id` is a number of.
    """
    tasks = [_task(call, exported_at, member_system) for call in calls]
    keys = sorted({call.row["program"] for call in calls})
    groups = [_group([call for call in calls if call.row["program"] == key], member_system) for key in keys]
    made = [(f"Task/{task['id']}", call) for task, call in zip(tasks, calls, strict=True)]
    provenances = [
        _provenance(group, [target for target, call in made if call.row["program"] == key], calls, key, exported_at)
        for group, key in zip(groups, keys, strict=True)
    ]
    return {"Task": tasks, "Group": groups, "Provenance": provenances}


def _task(call: Call, exported_at: dt.datetime, member_system: str) -> Resource:
    row, program = call.row, call.program
    reasons = [row[name] for name in ("reason_1", "reason_2", "reason_3") if row[name]]
    task: Resource = {
        "resourceType": "Task",
        "id": call.contact_id,
        "identifier": [{"system": CONTACT_SYSTEM, "value": call.contact_id}],
        "groupIdentifier": {"system": f"{_SYSTEM}:list", "value": _list_name(row)},
        "status": "requested",
        "intent": "proposal",
        "priority": "routine",
        "code": {"coding": [{"system": f"{_SYSTEM}:program", "code": row["program"], "display": program.title}], "text": program.offer},
        "description": "; ".join(reasons) or program.offer,
        "for": _patient(row, member_system),
        "executionPeriod": {"start": row["run_date"].isoformat()},
        "authoredOn": _instant(exported_at),
        "lastModified": _instant(exported_at),
        "requester": {"display": f"Outreach prioritisation, {row['model_version']}"},
        "owner": {"display": call.team},
    }  # fmt: skip
    if row["priority_rank"] is not None:
        task["input"] = [
            {"type": {"text": "rank on the program's list"}, "valuePositiveInt": row["priority_rank"]},
            {"type": {"text": "channel"}, "valueString": call.channel},
        ]
    return task


def _group(calls: Sequence[Call], member_system: str) -> Resource:
    row, program = calls[0].row, calls[0].program
    return {
        "resourceType": "Group",
        "id": _id("group", _list_name(row)),
        "identifier": [{"system": f"{_SYSTEM}:list", "value": _list_name(row)}],
        "active": True,
        "type": "person",
        "actual": True,
        "code": {"coding": [{"system": f"{_SYSTEM}:program", "code": row["program"], "display": program.title}]},
        "name": f"{program.title}, {row['run_date'].isoformat()}",
        "quantity": len(calls),
        "member": [{"entity": _patient(call.row, member_system)} for call in calls],
    }


def _provenance(
    group: Resource, tasks: Sequence[str], calls: Sequence[Call], program: str, exported_at: dt.datetime
) -> Resource:
    """By what the list was made: the model, and the published rows (run and contract) that it was taken from."""
    row = next(call.row for call in calls if call.row["program"] == program)
    return {
        "resourceType": "Provenance",
        "id": _id("provenance", _list_name(row)),
        "target": [{"reference": f"Group/{group['id']}"}, *({"reference": task} for task in tasks)],
        "recorded": _instant(exported_at),
        "activity": {"text": f"Prioritised for outreach: {row['verdict_sentence']}"},
        "agent": [
            {
                "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "assembler", "display": "Assembler"}]},
                "who": {"display": f"Outreach prioritisation, {row['model_version']}"},
            }
        ],
        "entity": [
            {
                "role": "source",
                "what": {
                    "identifier": {"system": f"{_SYSTEM}:run", "value": row["run_id"]},
                    "display": f"outreach.priority, contract {row['contract_version']}, features {row['feature_version']}",
                },
            }
        ],
    }  # fmt: skip


def _patient(row: dict[str, Any], member_system: str) -> Resource:
    return {
        "type": "Patient",
        "identifier": {"type": _MEMBER_NUMBER, "system": member_system, "value": row["member_id"]},
    }


def _list_name(row: dict[str, Any]) -> str:
    return f"{row['data_source']}.{row['program']}.{row['run_date'].isoformat()}"


def _id(kind: str, name: str) -> str:
    """An id that FHIR allows: letters, digits, `-` and `.`, at most 64."""
    return f"{kind}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def _instant(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
