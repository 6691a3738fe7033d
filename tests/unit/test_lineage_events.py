"""Events of steps: valid against OpenLineage's own schemas, one run id per attempt, no data, never in a night's way."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from lineage_schemas import validate

from contracts.settings import settings
from contracts.sources import SOURCES
from jobs import ledger
from jobs.audit_result import AuditResult, Findings, judge
from jobs.lineage import emitter, record
from jobs.lineage.emitter import night_file
from jobs.lineage.landed import landing_job
from jobs.lineage.work import JobLineage, Work

NIGHT = date(2026, 7, 1)
RUN = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A state folder per test; the run ledger itself is not written, since that needs the engine."""
    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path))
    settings.cache_clear()
    ledger._journal.cache_clear()
    monkeypatch.setattr(ledger, "flush", lambda *_: 0)
    yield
    record.end_run()
    monkeypatch.undo()
    settings.cache_clear()
    ledger._journal.cache_clear()


def events() -> list[dict[str, Any]]:
    return [json.loads(line) for line in night_file("tuva", NIGHT).read_text().splitlines()]


def night(run_id: str = RUN) -> Any:
    return ledger.run("nightly", run_id, data_source="tuva", run_date=NIGHT)


def audit() -> AuditResult:
    from contracts.catalog import contract

    table = contract("core.consent")
    broken = {"member_id__not_null": 2}
    rules = judge(table, Findings(rows=100, broken=broken, bad=2))
    return AuditResult("a", table.name, table.version, 100, 2, rules, "f", "tuva", table_version=7)


def worked_night() -> None:
    with night():
        with ledger.step("land tuva"):
            record.worked(lambda: [landing_job(SOURCES["tuva"]).work()])
        with ledger.step("contracts core"):
            record.audited([audit()])
        record.stands(lambda: [landing_job(SOURCES["desynpuf"])])
        with pytest.raises(ValueError, match="secret"), ledger.step("score"):
            raise ValueError("member secret-member-17 is odd")


def test_events_and_facets_are_valid_openlineage() -> None:
    worked_night()
    seen = validate(events())
    assert {
        "SchemaDatasetFacet", "ColumnLineageDatasetFacet", "DatasetVersionDatasetFacet", "SymlinksDatasetFacet",
        "DataQualityAssertionsDatasetFacet", "DataQualityMetricsInputDatasetFacet", "NominalTimeRunFacet",
        "ParentRunFacet", "ErrorMessageRunFacet", "OwnershipDatasetFacet", "TagsDatasetFacet",
    } <= seen  # fmt: skip


def test_an_assertion_says_what_was_expected_and_found() -> None:
    worked_night()
    ended = next(e for e in events() if e["job"]["name"] == "contracts.core" and e["eventType"] == "COMPLETE")
    told = next(d for d in ended["inputs"] if d["name"] == "core.consent")
    broken = [a for a in told["inputFacets"]["dataQualityAssertions"]["assertions"] if not a["success"]]
    assert [(a["name"], a["expected"], a["actual"]) for a in broken] == [
        ("member_id__not_null", "0 rows broken", "2 of 100 rows broken")
    ]
    assert told["facets"]["version"]["datasetVersion"] == "7"


def test_a_failed_step_tells_its_kind_and_no_data() -> None:
    worked_night()
    failed = [e for e in events() if e.get("eventType") == "FAIL"]
    assert [e["job"]["name"] for e in failed] == ["score", "nightly"]
    assert failed[0]["run"]["facets"]["errorMessage"]["message"] == "ValueError"
    assert "secret-member-17" not in night_file("tuva", NIGHT).read_text()


def test_every_run_starts_once_and_ends_once() -> None:
    worked_night()
    by_run: dict[str, list[str]] = {}
    for event in events():
        if "run" in event:
            by_run.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert all(states[0] == "START" and len(states) == 2 for states in by_run.values()), by_run


def test_a_retry_has_a_run_id_of_its_own_also_in_another_process() -> None:
    with night():
        for _ in range(2):
            with ledger.step("score"):
                pass
    # The same Dagster run, taken up by another process: its counters start from the file.
    with night(), ledger.step("score"):
        pass
    ids = [e["run"]["runId"] for e in events() if e["job"]["name"] == "score" and e["eventType"] == "START"]
    assert len(ids) == len(set(ids)) == 3


def test_lineage_that_cannot_be_made_is_counted_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no events today")

    with night():
        monkeypatch.setattr("jobs.lineage.events.complete", broken)
        with ledger.step("score") as step:
            step.rows_out = 3
    assert step.status == "succeeded"
    assert "not made (RuntimeError in nightly)" in lineage_message()


def test_what_is_told_by_a_function_may_fail_too() -> None:
    with night(), ledger.step("land tuva") as step:
        record.worked(lambda: [Work(str(1 / 0))])
    assert step.status == "succeeded"
    assert "1 not made (ZeroDivisionError in land.tuva)" in lineage_message()


def test_what_would_have_been_done_is_not_told_as_done() -> None:
    def declared() -> list[JobLineage]:
        record.used("model.tuva__ed_diversion", "1")  # as building the plan of a score does
        return [landing_job(SOURCES["desynpuf"])]

    with night(), ledger.step("shadow"):
        record.stands(declared)
    ended = next(e for e in events() if e["job"]["name"] == "shadow" and e.get("eventType") == "COMPLETE")
    assert ended["inputs"] == []
    assert "land.desynpuf" in {e["job"]["name"] for e in events()}


def test_a_killed_night_is_told_by_the_next() -> None:
    """What kill -9 leaves: a journal of a process that is gone, with a step that only started."""
    with night(), ledger.step("score"):
        pass
    mine = next((settings().home / "ledger").glob("*.ndjson"))
    started = next(line for line in mine.read_text().splitlines() if '"step": "score"' in line)
    mine.unlink()
    ledger._journal.cache_clear()
    (settings().home / "ledger" / "999999999-1-killed.ndjson").write_text(started + "\n")
    with night("22222222-2222-4333-8444-555555555555"):
        pass
    ended = {(e["job"]["name"], e["run"]["runId"]) for e in events() if e.get("eventType") == "ABORT"}
    assert ended == {("score", json.loads(started)["lineage_run"]), ("nightly", RUN)}


def test_a_line_cut_off_by_a_kill_does_not_stop_the_next_try() -> None:
    with night(), ledger.step("score"):
        pass
    with night_file("tuva", NIGHT).open("a") as file:
        file.write(f'{{"eventType": "START", "run": {{"runId": "{RUN}')
    with night(), ledger.step("score"):
        pass
    lines = night_file("tuva", NIGHT).read_text().splitlines()
    assert sum(line.endswith(RUN) for line in lines) == 1, "the next event was joined to the half line"
    told = [json.loads(line) for line in lines if not line.endswith(RUN)]
    ids = [one["run"]["runId"] for one in told if one["job"]["name"] == "score" and one["eventType"] == "START"]
    assert len(ids) == len(set(ids)) == 2
    assert "not made" not in lineage_message()


def lineage_message() -> str:
    from jobs.journal import entries

    paths = (settings().home / "ledger").glob("*.ndjson")
    return next(e["message"] for path in paths for e in entries(path) if e["step"] == "lineage")


class Receiver(BaseHTTPRequestHandler):
    status, delay = 200, 0.0
    taken: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.delay)
        if self.status == 200:
            self.taken.append(json.loads(body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """The test's output is no access log."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Receiver]]:
    kind = type("OneReceiver", (Receiver,), {"taken": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{server.server_port}")
    settings.cache_clear()
    yield kind
    server.shutdown()
    server.server_close()


def test_a_receiver_gets_what_the_file_has(receiver: type[Receiver]) -> None:
    worked_night()
    key = lambda e: (e["eventTime"], e["job"]["name"], e.get("eventType", ""))  # noqa: E731
    assert sorted(receiver.taken, key=key) == sorted(events(), key=key)
    assert lineage_message().startswith(f"{len(events())} events in ")
    assert "lost" not in lineage_message()


def test_a_file_that_cannot_be_written_keeps_nothing_from_the_receiver(receiver: type[Receiver]) -> None:
    settings().lineage_dir.write_text("a file where the folder should be")
    worked_night()
    assert re.search(r"^(\d+) events in .* s, \1 lost by file", lineage_message()), lineage_message()
    assert len(receiver.taken) == int(lineage_message().split()[0])


@pytest.mark.parametrize(("status", "delay"), [(500, 0.0), (200, 30.0)], ids=["answers 500", "hangs"])
def test_a_receiver_in_trouble_costs_seconds_and_is_counted(
    receiver: type[Receiver], monkeypatch: pytest.MonkeyPatch, status: int, delay: float
) -> None:
    receiver.status, receiver.delay = status, delay
    monkeypatch.setattr(emitter, "PATIENCE_SECONDS", 1.0)  # a fifth of what a night waits, so that the test need not
    began = time.monotonic()
    worked_night()
    assert time.monotonic() - began < 1.0 + 2.0
    assert f"{len(events())} lost by http" in lineage_message(), lineage_message()


def test_a_night_waits_five_seconds_at_most() -> None:
    assert emitter.PATIENCE_SECONDS <= 5.0


def test_a_receiver_that_is_down_costs_seconds_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    settings.cache_clear()
    began = time.monotonic()
    worked_night()
    assert time.monotonic() - began < 2.0
    assert f"{len(events())} lost by http" in lineage_message(), lineage_message()
