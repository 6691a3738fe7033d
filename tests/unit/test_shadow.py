"""Whatever happens to a challenger, the night that is out stays a success; what happened is told."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg
import pytest
from registry_world import PROGRAM, SOURCE, Registry

from contracts.errors import EngineError, RegistryError
from contracts.programs import programs
from jobs import shadow
from jobs.decisions import Actor, approve, promote
from jobs.shadow import shadow_night

NIGHT = date(2026, 11, 23)
MARIA = Actor("Maria", "person", "maria")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The alerts that would be written."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(shadow, "record_alert", lambda **alert: found.append(alert))
    return found


def unreachable(*_: object, **__: object) -> object:
    raise EngineError("No engine in this test.")


@pytest.mark.parametrize(
    "error", [RegistryError("The model registry is damaged."), MemoryError(), ValueError("member 12345")]
)
def test_a_shadow_that_fails_as_a_whole_is_told_without_data(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, told: list[dict[str, Any]], error: Exception
) -> None:
    def broken(_: str) -> list[object]:
        raise error

    monkeypatch.setattr(shadow, "_shadows", broken)
    assert shadow_night(SOURCE, NIGHT, run_id="r") == []
    (alert,) = told
    assert (alert["kind"], alert["severity"], alert["run_date"]) == ("model", "warn", NIGHT)
    assert "No challenger was compared" in alert["message"]
    assert "12345" not in alert["message"]


def test_not_even_an_alert_that_cannot_be_written_fails_the_night(registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    registry.train()
    monkeypatch.setattr(shadow, "spark_session", unreachable)
    monkeypatch.setattr(shadow, "record_alert", unreachable)
    assert shadow_night(SOURCE, NIGHT, run_id="r") == []
    assert "The alert was not written either" in capsys.readouterr().err


def test_who_is_scored_in_the_shadow(registry: Registry) -> None:
    """One program's champion has no challenger, one's challenger was blocked, one's lost its file."""
    first, second, third = programs().programs
    assert first == PROGRAM
    champion = registry.train(program=first)
    approve(champion, MARIA, "read")
    promote(champion, MARIA)
    registry.train("blocked", program=second)
    registry.train("fallback", program=third).scorer_path.unlink()
    found = {s.program.key: (s.status, s.message) for s in shadow._shadows(SOURCE)}
    assert found == {
        second: ("unfit", f"outreach.tuva.{second}/1: its gates blocked it."),
        third: ("unfit", f"outreach.tuva.{third}/1: its file is missing."),
    }
    registry.train(program=first)
    assert shadow._shadows(SOURCE)[0].status == "scored"
    registry.train(program=first, tags={"learner": "none"})
    assert "no effect model" in shadow._shadows(SOURCE)[0].message


@dg.resource
def _no_lakehouse() -> None:
    """The warehouse is not touched."""


def test_a_failed_shadow_does_not_fail_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_project.assets.shadowed import TABLES, shadow_scoring
    from dagster_project.partitions import Night
    from dagster_project.resources import LAKEHOUSE

    monkeypatch.setattr(shadow, "shadow_night", lambda *_, **__: [])
    result = dg.materialize(
        [shadow_scoring],
        resources={LAKEHOUSE: _no_lakehouse},
        partition_key=Night(NIGHT, SOURCE).key,
        instance=dg.DagsterInstance.ephemeral(),
    )
    assert result.success
    assert result.asset_materializations_for_node("shadow_scoring") == []
    checks = result.get_asset_check_evaluations()
    assert {".".join(check.asset_key.path) for check in checks} == set(TABLES)
    assert not any(check.passed for check in checks)
    assert {check.severity for check in checks} == {dg.AssetCheckSeverity.WARN}
