"""When a training is due before its week is over, and that it is asked for once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from registry_world import NAME, SOURCE, Registry

from jobs import due
from jobs.decisions import Actor, approve, promote
from jobs.due import Alarm, alarms_since, training_due

MARIA = Actor("Maria", "person", "maria")


class FakeAlarms:
    """A drift table in memory, read as `alarms_since` reads `ops.alert`."""

    def __init__(self, *alarms: Alarm) -> None:
        self.alarms, self.asked = alarms, list[tuple[str, datetime]]()

    def __call__(self, data_source: str, since: datetime) -> Iterable[Alarm]:
        self.asked.append((data_source, since))
        return [alarm for alarm in self.alarms if alarm.raised_at > since]


def alarm(number: int, hours: float, kind: str = "drift") -> Alarm:
    return Alarm(f"a{number}", kind, f"feature_{number}", datetime.now(UTC) + timedelta(hours=hours))


def test_nothing_trained_is_left_to_the_first_night(registry: Registry) -> None:
    assert training_due(SOURCE, FakeAlarms(alarm(1, 1))) is None


def test_quiet_nights_ask_for_nothing(registry: Registry) -> None:
    model = registry.train()
    alarms = FakeAlarms(alarm(1, -1))
    assert training_due(SOURCE, alarms) is None
    assert alarms.asked == [(SOURCE, model.created_at)], "alarms from before the training would train again"


def test_an_alarm_asks_once_and_a_training_answers_it(registry: Registry) -> None:
    registry.train()
    alarms = FakeAlarms(alarm(1, 0.5), alarm(2, 1, "realized_uplift"))
    first, again = training_due(SOURCE, alarms), training_due(SOURCE, alarms)
    assert first is not None
    assert first.reasons == ("drift: feature_1", "realized uplift: feature_2")
    assert first == again, "the same alarms would start a second training"
    assert training_due(SOURCE, FakeAlarms(*alarms.alarms, alarm(3, 2))).key != first.key
    newer = registry.train()
    between = Alarm("a4", "drift", "age", newer.created_at - timedelta(milliseconds=1))
    assert training_due(SOURCE, FakeAlarms(between)) is None, "the training has answered this alarm already"


def test_a_champion_that_may_not_score_asks_for_training(registry: Registry) -> None:
    model = registry.train()
    approve(model, MARIA, "read")
    promote(model, MARIA)
    assert training_due(SOURCE, FakeAlarms()) is None
    model.scorer_path.unlink()
    found = training_due(SOURCE, FakeAlarms())
    assert found is not None
    assert found.reasons == (f"{NAME}/1 may not score: its file is missing",)
    registry.train()
    assert training_due(SOURCE, FakeAlarms()) is None, (
        "a sound version waits for a person; training again would not help"
    )


class FakeSpark:
    """A session whose only table is `ops.alert`, or which has none."""

    def __init__(self, rows: list[dict[str, Any]] | None) -> None:
        self.rows, self.asked = rows, ""
        self.catalog = self

    def tableExists(self, name: str) -> bool:
        return self.rows is not None and name == "ops.alert"

    def sql(self, text: str) -> FakeSpark:
        self.asked = text
        return self

    def collect(self) -> list[dict[str, Any]]:
        return self.rows or []


def test_alarms_come_from_the_alerts(registry: Registry) -> None:
    now = datetime(2026, 11, 23, 5, tzinfo=UTC)
    spark = FakeSpark([{"alert_id": "x", "kind": "drift", "subject": "age", "raised_at": now.timestamp()}])
    assert alarms_since(spark, SOURCE, now) == [Alarm("x", "drift", "age", now)]
    for condition in ("kind in ('drift', 'realized_uplift')", "severity = 'error'", f"data_source = '{SOURCE}'"):
        assert condition in spark.asked
    assert alarms_since(FakeSpark(None), SOURCE, now) == [], "a warehouse without any alert"


@pytest.fixture
def after_a_night(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Evaluates the sensor as the daemon does on 2026-11-23, after a night of three weeks before was run."""
    from dagster_project.sensors import due_training

    def evaluate(alarms: FakeAlarms, tags: dict[str, str] | None = None) -> dg.RunRequest | dg.SkipReason:
        monkeypatch.setattr("jobs.session.spark_session", lambda: None)
        monkeypatch.setattr(due, "alarms_since", lambda _, source, since: alarms(source, since))
        night = {"dagster/partition/date": "2026-11-02", "dagster/partition/source": SOURCE}
        with dg.DagsterInstance.ephemeral() as instance:
            run = instance.create_run_for_job(nothing, tags=night if tags is None else tags)
            event = dg.DagsterEvent(event_type_value="PIPELINE_SUCCESS", job_name="nightly")
            context = dg.build_run_status_sensor_context("due_training", event, instance, run)
            with monkeypatch.context() as now:
                now.setattr("contracts.settings.Settings.today", lambda _: date(2026, 11, 23))
                return due_training(context)

    return evaluate


@dg.job
def nothing() -> None:
    """Stands for the night that ended."""


def test_the_sensor_requests_todays_training_of_the_nights_source(after_a_night: Any, registry: Registry) -> None:
    registry.train()
    asked = after_a_night(FakeAlarms(alarm(1, 1)))
    assert isinstance(asked, dg.RunRequest)
    assert dict(asked.partition_key.keys_by_dimension) == {"date": "2026-11-23", "source": SOURCE}
    assert asked.run_key.startswith(f"due-{SOURCE}-")
    assert asked.tags["outreach/trained_because"] == "drift: feature_1"


def test_the_sensor_says_why_it_asks_for_nothing(after_a_night: Any, registry: Registry) -> None:
    registry.train()
    assert "Nothing asks" in after_a_night(FakeAlarms()).skip_message
    assert "not of one night" in after_a_night(FakeAlarms(), {}).skip_message


def test_training_is_scheduled_weekly_and_when_due() -> None:
    from dagster_project.schedules import weekly_training
    from dagster_project.sensors import due_training

    assert (weekly_training.cron_schedule, weekly_training.job_name) == ("0 22 * * 0", "training")
    assert [target.job_name for target in due_training.targets] == ["training"]
