"""What the sensor of failed runs puts on record: which kind of alert, about what, and of whose night."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg
import pytest

from contracts.errors import ContractError, EngineError
from dagster_project.policies import no_retry
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
