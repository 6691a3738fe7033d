"""Hand-over to care systems: CSV and FHIR R4 out, outcomes of the calls back in, through the ordinary inbox. No JVM."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from delta_world import FIRST, SECOND, priority_row, two_nights, write_table

from contracts.errors import UserError
from contracts.roles import Role
from contracts.settings import Settings, settings
from contracts.sources import source
from jobs import access_audit
from jobs.handover.calls import contact_id
from jobs.handover.csv_file import COLUMNS, _cell
from jobs.handover.dispositions import DISPOSITIONS, import_dispositions
from jobs.handover.export import export
from jobs.ingest.classify import classify
from jobs.ingest.delivery import date_in
from jobs.ingest.header import csv_header

NOW = dt.datetime(2026, 7, 2, 12, 30, tzinfo=dt.timezone(dt.timedelta(hours=-4)))
TODAY = dt.date(2026, 7, 3)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OUTREACH_ROLE", "care_manager")
    settings.cache_clear()
    access_audit._journal.cache_clear()
    two_nights(tmp_path / "home")
    yield settings()
    settings.cache_clear()
    access_audit._journal.cache_clear()


# What HL7 published for R4 (4.0.1): https://hl7.org/fhir/R4/{task,group,provenance,datatypes,json}.html
ELEMENTS = {
    "Task": "identifier instantiatesCanonical instantiatesUri basedOn groupIdentifier partOf status statusReason businessStatus"
    " intent priority code description focus for encounter executionPeriod authoredOn lastModified requester performerType"
    " owner location reasonCode reasonReference insurance note relevantHistory restriction input output",
    "Group": "identifier active type actual code name quantity managingEntity characteristic member",
    "Provenance": "target occurredPeriod occurredDateTime recorded policy location reason activity agent entity signature",
}
BASE = set(
    ["resourceType", "id", "meta", "implicitRules", "language", "text", "contained", "extension", "modifierExtension"]
)
REQUIRED = {
    "Task": {"status", "intent"}, "Group": {"type", "actual"}, "Provenance": {"target", "recorded", "agent"},
}  # fmt: skip
CODES = {
    (
        "Task",
        "status",
    ): "draft requested received accepted rejected ready cancelled in-progress on-hold failed completed entered-in-error",
    ("Task", "intent"): "unknown proposal plan order original-order reflex-order filler-order instance-order option",
    ("Task", "priority"): "routine urgent asap stat",
    ("Group", "type"): "person animal practitioner device medication substance",
    ("Provenance.entity", "role"): "derivation revision quotation source removal",
}
ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
LISTS = {
    "Task": {"identifier", "instantiatesCanonical", "basedOn", "partOf", "performerType", "insurance", "note", "relevantHistory", "input", "output"},
    "Group": {"identifier", "characteristic", "member"},
    "Provenance": {"target", "policy", "reason", "agent", "entity", "signature"},
}  # fmt: skip


def broken(resource: dict[str, Any]) -> list[str]:
    """Rules of R4 that a resource breaks."""
    kind, found = resource["resourceType"], []
    allowed = BASE | set(ELEMENTS[kind].split())
    found += [f"{kind} has no element {name}" for name in resource if name not in allowed]
    found += [f"{kind}.{name} is required" for name in REQUIRED[kind] if name not in resource]
    if not ID.fullmatch(resource["id"]):
        found.append("id")
    for (where, name), codes in CODES.items():
        holders = resource.get("entity", []) if "." in where else [resource]
        found += [
            f"{where}.{name}"
            for h in holders
            if where.split(".")[0] == kind and name in h and h[name] not in codes.split()
        ]
    for name in LISTS[kind] & set(resource):
        if not isinstance(resource[name], list):
            found.append(f"{kind}.{name} repeats, so it is an array")
    if any(isinstance(v, list) for k, v in resource.items() if k not in LISTS[kind]):
        found.append("an element that does not repeat is an array")
    found += [f"empty value at {path}" for path, value in walk(resource) if value in ("", None, [], {})]
    for path, value in walk(resource):
        if path.endswith((".authoredOn", ".lastModified", ".recorded")) and not INSTANT.fullmatch(value):
            found.append(f"{path} is no instant")
        if (
            isinstance(value, dict)
            and "coding" in value
            and not all({"system", "code"} <= set(c) for c in value["coding"])
        ):
            found.append(f"{path}.coding")
    if kind == "Task":
        if resource["lastModified"] < resource["authoredOn"]:
            found.append("inv-1: last modified is not before authored")
        if not all("type" in i and sum(k.startswith("value") for k in i) == 1 for i in resource.get("input", [])):
            found.append("Task.input has a type and one value")
    if kind == "Group" and resource.get("member") and not resource["actual"]:
        found.append("grp-1: only an actual group has members")
    if kind == "Group" and not all("entity" in member for member in resource.get("member", [])):
        found.append("Group.member.entity is required")
    if kind == "Provenance":
        found += ["agent.who is required" for agent in resource["agent"] if "who" not in agent]
        found += ["entity.what is required" for entity in resource.get("entity", []) if "what" not in entity]
    return found


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, value
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from walk(part, f"{path}.{name}")


def fhir(config: Settings, out: Path, night: dt.date = FIRST) -> dict[str, list[dict[str, Any]]]:
    files = export("fhir", "tuva", night, out, config, NOW)
    return {path.name.split("_")[0]: [json.loads(line) for line in path.read_text().splitlines()] for path in files}


def test_resources_keep_the_rules_of_r4(config: Settings, tmp_path: Path) -> None:
    found = fhir(config, tmp_path / "out")
    assert {kind: len(rows) for kind, rows in found.items()} == {"Task": 3, "Group": 1, "Provenance": 1}
    for rows in found.values():
        for resource in rows:
            assert broken(resource) == []
    group, provenance = found["Group"][0], found["Provenance"][0]
    assert [m["entity"]["identifier"]["value"] for m in group["member"]] == ["stays", "gone", "same"]
    assert {t["reference"] for t in provenance["target"]} == {
        f"Group/{group['id']}", *(f"Task/{task['id']}" for task in found["Task"]),
    }  # fmt: skip
    assert found["Task"][0]["authoredOn"] == "2026-07-02T16:30:00Z"


def test_the_rules_can_be_broken(config: Settings, tmp_path: Path) -> None:
    """Else the test above could not fail."""
    found = fhir(config, tmp_path / "out")
    task, group, provenance = found["Task"][0], found["Group"][0], found["Provenance"][0]
    assert broken({**task, "status": "open"})
    assert broken({name: value for name, value in task.items() if name != "intent"})
    assert broken({**task, "reasons": []})
    assert broken({**task, "lastModified": "2026-07-01T00:00:00Z"})
    assert broken({**task, "identifier": {}})
    assert broken({**group, "actual": False})
    assert broken({**group, "id": "a_b"})
    assert broken({**provenance, "agent": [{}]})
    assert broken({**provenance, "recorded": "2026-07-01"})


def test_csv_has_a_row_per_call_and_is_private(config: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (path, rows), = export("csv", "tuva", None, out, config, NOW).items()  # fmt: skip
    assert path.name == "action_list_tuva_2026-07-02.csv", "the last night by default"
    told = list(csv.DictReader(path.open()))
    assert (len(told), rows) == (3, 3)
    assert tuple(told[0]) == COLUMNS
    assert {row["member_id"] for row in told} == {"riser", "new", "drawn"}
    assert {row["disposition"] for row in told} == {""}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    record = "".join(file.read_text() for file in (config.home / "access").glob("*.ndjson"))
    assert '"door": "export"' in record
    assert "riser" not in record
    assert _cell("=1+1") == "'=1+1"
    assert _cell(-0.4) == -0.4


def test_what_cannot_be_exported(config: Settings, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="care_manager"):
        export("csv", "tuva", FIRST, tmp_path / "out", config.model_copy(update={"role": Role.ANALYST}), NOW)
    with pytest.raises(UserError, match="No list"):
        export("csv", "tuva", dt.date(2026, 1, 1), tmp_path / "out", config, NOW)
    with pytest.raises(UserError, match="No list"):
        export("csv", "desynpuf", None, tmp_path / "out", config, NOW)
    with pytest.raises(UserError, match="cannot be written"):
        export("csv", "tuva", FIRST, Path("/proc/nowhere"), config, NOW)
    assert not (tmp_path / "out").exists()


def test_a_contact_number_tells_nothing_and_stays(config: Settings, tmp_path: Path) -> None:
    first, again = (fhir(config, tmp_path / name)["Task"] for name in ("a", "b"))
    assert [task["id"] for task in first] == [task["id"] for task in again]
    assert first[0]["id"] == contact_id(priority_row("stays"))
    assert contact_id(priority_row("stays")) != contact_id(priority_row("stays", SECOND))


def filled(config: Settings, tmp_path: Path, **outcomes: str) -> Path:
    """The exported list with outcomes by member, as a care team would give it back."""
    (path, _), = export("csv", "tuva", FIRST, tmp_path / "out", config, NOW).items()  # fmt: skip
    rows = list(csv.DictReader(path.open()))
    back = tmp_path / "back.csv"
    with back.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({**row, "disposition": outcomes.get(row["member_id"], "")} for row in rows)
    return back


def test_outcomes_come_back_as_contacts(config: Settings, tmp_path: Path) -> None:
    found = import_dispositions(filled(config, tmp_path, stays="Reached", gone="wrong_number"), config, TODAY)
    assert (found.is_new, found.still_open, found.refused) == (True, 1, ())
    assert {d: n for d, n in found.contacts.items() if n} == {"reached": 1, "wrong_number": 1}
    assert found.file.parent == config.landing / "tuva"
    rows = {row["person_id"]: row for row in csv.DictReader(found.file.open())}
    assert (rows["stays"]["is_reached"], rows["gone"]["is_reached"]) == ("true", "false")
    assert (rows["stays"]["assigned_by"], rows["stays"]["assigned_date"]) == ("policy", "2026-07-01")
    assert float(rows["stays"]["assignment_probability"]) == 0.9
    # What landing makes of it: the contacts' layout, every column known, dated by its name.
    header = csv_header(found.file)
    matched = classify(source("tuva"), [found.file.name], header.names)
    assert matched.layout.entity == "outreach_contact"
    assert matched.drift.added == ()
    assert date_in(found.file.name) == TODAY


def test_an_import_is_on_record_by_its_own_name(config: Settings, tmp_path: Path) -> None:
    import_dispositions(filled(config, tmp_path, stays="reached"), config, TODAY)
    lines = "".join(file.read_text() for file in (settings().home / "access").glob("*.ndjson")).splitlines()
    doors = [entry["door"] for entry in sorted(map(json.loads, lines), key=lambda entry: entry["accessed_at"])]
    assert doors[-2:] == ["export", "dispositions"]


def test_the_same_outcomes_again_change_nothing(config: Settings, tmp_path: Path) -> None:
    back = filled(config, tmp_path, stays="reached")
    first = import_dispositions(back, config, TODAY)
    again = import_dispositions(back, config, TODAY + dt.timedelta(days=5))
    assert again.file == first.file
    assert (first.is_new, again.is_new) == (True, False)
    assert len(list((config.landing / "tuva").iterdir())) == 1


def test_an_outcome_that_comes_back_is_another_delivery(config: Settings, tmp_path: Path) -> None:
    """Reached, declined, reached after all: the last word counts, on the same day or later, whatever else was told."""
    told = [
        import_dispositions(filled(config, tmp_path, stays=outcome, gone="declined"), config, day)
        for outcome, day in (("reached", TODAY), ("declined", TODAY), ("reached", TODAY), ("reached", NOW.date()))
    ]
    assert [it.is_new for it in told] == [True, True, True, False]
    files = [it.file for it in told if it.file is not None]
    assert files == sorted(files), "by name, the later one comes last"
    assert files[3] == files[2]
    assert len({file.read_bytes() for file in files}) == 3, "landing tells files apart by their bytes"
    matched = classify(source("tuva"), [files[0].name], csv_header(files[0]).names)
    assert (matched.layout.entity, matched.drift.added) == ("outreach_contact", ())
    part = import_dispositions(filled(config, tmp_path, gone="declined"), config, TODAY)
    assert (part.file, part.is_new) == (files[2], False)
    (files[0].parent / "outreach_contact_2026-01-01.csv").write_text("not,ours\n")
    assert import_dispositions(filled(config, tmp_path, stays="no_answer"), config, TODAY).is_new


def test_the_last_word_comes_last_also_when_earlier_files_were_cleared_away(config: Settings, tmp_path: Path) -> None:
    for outcomes in ({"gone": "reached"}, {"stays": "no_answer"}):
        import_dispositions(filled(config, tmp_path, **outcomes), config, TODAY)
    inbox = config.landing / "tuva"
    min(inbox.iterdir()).unlink()
    last = import_dispositions(filled(config, tmp_path, stays="declined"), config, TODAY).file
    assert [file.name.split("_")[3] for file in sorted(inbox.iterdir())] == ["0002", "0003"]
    assert last == max(inbox.iterdir())
    assert not import_dispositions(filled(config, tmp_path, stays="declined"), config, TODAY).is_new


def test_files_that_cannot_be_read_are_refused_whole(config: Settings, tmp_path: Path) -> None:
    good, back = contact_id(priority_row("stays")), tmp_path / "back.csv"
    for line in (f'"{good},reached', f"{good},{'x' * 140_000}"):
        back.write_text(f"contact_id,disposition\n{good},\n{line}\n{good},declined\n")
        with pytest.raises(UserError, match="line 3 of back"):
            import_dispositions(back, config, TODAY)
    tasks = tmp_path / "tasks.ndjson"
    for status in ("x", {"coding": ["a"]}, {"coding": "a"}, ["a"], 1):
        tasks.write_text(json.dumps({"resourceType": "Task", "id": good, "businessStatus": status}) + "\n")
        with pytest.raises(UserError, match="line 1 of tasks"):
            import_dispositions(tasks, config, TODAY)
    separated = {"resourceType": "Task", "id": good, "description": "one\u2028two", "businessStatus": None}
    tasks.write_text(json.dumps(separated, ensure_ascii=False) + "\n")
    assert import_dispositions(tasks, config, TODAY).still_open == 1


def test_rows_that_fit_no_call_are_named_by_line(config: Settings, tmp_path: Path) -> None:
    good = contact_id(priority_row("stays"))
    back = tmp_path / "back.csv"
    back.write_text(
        f"contact_id,disposition\nnobody,reached\n{good},talked\n{good},declined\n{good},reached\n{good},declined\n"
    )
    found = import_dispositions(back, config, TODAY)
    assert [line for line, _ in found.refused] == [2, 3, 5]
    assert found.contacts["declined"] == 1
    assert "nobody" not in str(found.refused)
    nothing = tmp_path / "nothing.csv"
    nothing.write_text("contact_id,disposition\n")
    assert import_dispositions(nothing, config, TODAY).file is None
    back.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="lacks columns"):
        import_dispositions(back, config, TODAY)


@pytest.mark.parametrize("disposition", DISPOSITIONS)
def test_fhir_tasks_come_back_as_well(config: Settings, tmp_path: Path, disposition: str) -> None:
    task = fhir(config, tmp_path / "out")["Task"][0]
    task["status"] = "completed"
    task["businessStatus"] = {"coding": [{"system": "urn:outreach:disposition", "code": disposition}]}
    assert broken(task) == []
    back = tmp_path / "tasks.ndjson"
    back.write_text(json.dumps(task) + "\n\n")
    assert import_dispositions(back, config, TODAY).contacts[disposition] == 1
    back.write_text('{"resourceType": "Patient"}\n')
    with pytest.raises(UserError, match="Line 1"):
        import_dispositions(back, config, TODAY)


def test_a_blocked_program_calls_nobody_and_is_no_error(config: Settings, tmp_path: Path) -> None:
    write_table(config.home, "outreach.priority", [priority_row("x", decision="below_capacity", verdict="blocked")])
    found = export("fhir", "tuva", FIRST, tmp_path / "out", config, NOW)
    assert set(found.values()) == {0}


def test_a_list_that_calls_nobody_is_handed_over_empty_with_and_without_its_date(
    config: Settings, tmp_path: Path
) -> None:
    """Else a nightly export fails on the first quiet night, and yesterday's file is worked again."""
    write_table(config.home, "outreach.priority", [priority_row("x", SECOND, decision="below_capacity", channel=None)])
    for night in (SECOND, None):
        (path, rows), = export("csv", "tuva", night, tmp_path / "out", config, NOW).items()  # fmt: skip
        assert (path.name, rows) == ("action_list_tuva_2026-07-02.csv", 0)
        assert path.read_text().splitlines() == [",".join(COLUMNS)]


def test_outcomes_of_a_program_that_has_ended_come_back(config: Settings, tmp_path: Path) -> None:
    ended = [
        priority_row("ended", program="retired", channel="phone"),
        priority_row("older", program="retired", channel=None),
        priority_row("stays"),
    ]
    write_table(config.home, "outreach.priority", ended)
    with pytest.raises(UserError, match="of 2026-07-01 calls for retired through phone") as refused:
        export("csv", "tuva", FIRST, tmp_path / "out", config, NOW)
    assert "ended" not in str(refused.value).replace("retired", "")
    back = tmp_path / "back.csv"
    back.write_text("contact_id,disposition\n" + "".join(f"{contact_id(row)},reached\n" for row in ended))
    found = import_dispositions(back, config, TODAY)
    assert (found.contacts["reached"], found.refused) == (3, ())
    rows = {row["person_id"]: row for row in csv.DictReader(found.file.open())}
    assert [(rows[who]["channel"], rows[who]["team"]) for who in ("ended", "older")] == [("phone", ""), ("", "")]
    assert rows["stays"]["team"] == "nurse_line"


def test_a_task_is_known_by_its_identifier_whatever_id_a_server_gave_it(config: Settings, tmp_path: Path) -> None:
    task = fhir(config, tmp_path / "out")["Task"][0]
    told = {
        **task, "id": "42", "businessStatus": {"coding": [{"system": "urn:outreach:disposition", "code": "reached"}]},
        "identifier": [{"system": "https://care.example/task", "value": "T-42"}, *task["identifier"]],
    }  # fmt: skip
    back = tmp_path / "tasks.ndjson"
    back.write_text(
        "".join(json.dumps(it) + "\n" for it in (told, {**told, "identifier": None}, {**told, "identifier": "x"}))
    )
    found = import_dispositions(back, config, TODAY)
    assert (found.contacts["reached"], [line for line, _ in found.refused]) == (1, [2, 3])


def test_a_warehouse_that_a_foreign_engine_writes_and_that_is_here_is_handed_over(
    config: Settings, tmp_path: Path
) -> None:
    """As in `docker/compose.yaml`: all containers share its volume."""
    foreign = config.model_copy(update={"spark_remote": "sc://connect:15002"})
    named = foreign.model_copy(update={"warehouse": str(config.home / "warehouse")})
    assert sum(export("csv", "tuva", FIRST, tmp_path / "out", named, NOW).values()) == 3
    for unseen in (foreign, foreign.model_copy(update={"warehouse": "/nowhere"})):
        with pytest.raises(UserError, match="not a folder of this machine"):
            export("csv", "tuva", FIRST, tmp_path / "out", unseen, NOW)
