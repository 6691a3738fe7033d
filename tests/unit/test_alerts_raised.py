"""Alerts on failed runs and on lists that are late: of which kind, about what, and of whose night."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from delta_world import SECOND, two_nights

from contracts.errors import ContractError, EngineError
from contracts.settings import settings
from dagster_project.definitions import defs
from dagster_project.partitions import Night
from dagster_project.policies import POOL, no_retry
from dagster_project.schedules import daily_lateness, nightly
from dagster_project.sensors import failed_run

NIGHT = {"dagster/partition/date": "2026-11-02", "dagster/partition/source": "tuva"}
BROKEN = ContractError(
    "core.member broke its contract 1.2.0 and is blocked.", todo="Look at ops.contract_result; mend the input."
)


@pytest.fixture
def alerts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was recorded, instead of the table, which needs an engine."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr("jobs.alerts.record_alert", lambda **alert: found.append(alert))
    return found


def fail(*errors: Exception, tags: dict[str, str]) -> str:
    """A run of one step per error that ends with all of them, seen by the sensor; its id."""

    def step(number: int, error: Exception) -> Any:
        @dg.op(name=f"step_{number}")
        def broken() -> None:
            raise no_retry(error) from error

        return broken

    @dg.job(name="nightly", executor_def=dg.in_process_executor)
    def night() -> None:
        for number, error in enumerate(errors):
            step(number, error)()

    with dg.instance_for_test() as on:
        run_id = night.execute_in_process(instance=on, tags=tags, raise_on_error=False).run_id
        run = on.get_run_by_id(run_id)
        (failure,) = on.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        event = failure.get_dagster_event()
        failed_run(dg.build_run_status_sensor_context("failed_run", event, on, run).for_run_failure())
    return run_id


def test_a_broken_contract_is_an_alert_about_its_table(alerts: list[dict[str, Any]]) -> None:
    run_id = fail(BROKEN, tags=NIGHT)
    assert alerts == [{
        "kind": "contract", "subject": "core.member", "run_id": run_id, "message": f"Step step_0 failed: {BROKEN}",
        "data_source": "tuva", "run_date": date(2026, 11, 2),
    }]  # fmt: skip


def test_a_contract_that_names_no_table_is_about_the_job(alerts: list[dict[str, Any]]) -> None:
    fail(ContractError("The frame lacks columns."), tags=NIGHT)
    assert [(alert["kind"], alert["subject"]) for alert in alerts] == [("contract", "nightly")]


def test_another_failure_is_told_beside_it(alerts: list[dict[str, Any]]) -> None:
    fail(BROKEN, EngineError("The engine is gone."), tags=NIGHT)
    assert [(alert["kind"], alert["subject"]) for alert in alerts] == [
        ("contract", "core.member"),
        ("failure", "nightly"),
    ]


@pytest.mark.parametrize(("tags", "night"), [(NIGHT, ("tuva", date(2026, 11, 2))), ({}, (None, None))])
def test_a_failure_is_of_its_runs_night(
    alerts: list[dict[str, Any]], tags: dict[str, str], night: tuple[str | None, date | None]
) -> None:
    fail(ValueError("member 4711"), tags=tags)
    assert [(alert["kind"], alert["data_source"], alert["run_date"]) for alert in alerts] == [("failure", *night)]
    assert "4711" not in alerts[0]["message"]


@pytest.fixture
def lateness(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was raised, instead of the table, which needs an engine."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr("jobs.lateness.raise_once", lambda **alert: found.append(alert))
    return found


def look_for(source: str, night: date) -> str:
    """As the daemon looks for one list; the run's id."""
    done = defs.resolve_job_def("lateness").execute_in_process(partition_key=Night(night, source).key)
    assert done.success
    return done.run_id


def test_a_list_that_is_published_is_not_late(own_home: Path, lateness: list[dict[str, Any]]) -> None:
    two_nights(own_home)
    look_for("tuva", SECOND)
    assert lateness == []


def test_a_list_that_is_due_and_not_published_is_late(own_home: Path, lateness: list[dict[str, Any]]) -> None:
    """Although that of the day before is there, which `outreach status` does not call late yet."""
    two_nights(own_home)
    due = SECOND + timedelta(days=1)
    run_id = look_for("tuva", due)
    assert lateness == [{
        "kind": "lateness", "subject": "tuva", "run_id": run_id, "data_source": "tuva", "run_date": due,
        "message": "The list of 2026-07-03 for tuva is due and not published. Look with `outreach status --source tuva`; if no night "
        "runs, start it with `outreach nightly --date 2026-07-03 --source tuva`.",
    }]  # fmt: skip


def test_the_list_of_another_source_does_not_count(own_home: Path, lateness: list[dict[str, Any]]) -> None:
    two_nights(own_home)
    look_for("desynpuf", SECOND)
    assert [alert["subject"] for alert in lateness] == ["desynpuf"]


def test_before_the_first_night_a_list_is_late(lateness: list[dict[str, Any]]) -> None:
    look_for("tuva", SECOND)
    assert [alert["run_date"] for alert in lateness] == [SECOND]


def test_each_mornings_list_is_looked_for_after_its_night() -> None:
    """In the plan's time zone, of the day for which it is scheduled, also when the daemon comes later to it."""
    at = datetime(2026, 7, 3, 6, tzinfo=ZoneInfo(settings().timezone))
    asked = list(daily_lateness(dg.build_schedule_context(scheduled_execution_time=at)))
    assert [request.partition_key for request in asked] == [
        Night(date(2026, 7, 3), source).key for source in settings().nightly_sources
    ]
    assert (daily_lateness.cron_schedule, nightly.cron_schedule) == ("0 6 * * *", "0 3 * * *")
    assert daily_lateness.execution_timezone == nightly.execution_timezone
    assert daily_lateness.default_status is nightly.default_status


def test_the_look_does_not_wait_for_the_night_that_it_looks_for() -> None:
    job, night = (defs.resolve_job_def(name) for name in ("lateness", "nightly"))
    assert POOL in {pool for node in night.all_node_defs for pool in node.pools}
    assert not {pool for node in job.all_node_defs for pool in node.pools}
    assert "lakehouse" not in job.resource_defs
