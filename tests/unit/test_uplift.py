"""Windows of nights and their alarms, the limits of drift, and the parts of a simulated plan; no engine."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.monitoring import Monitoring, Patience
from contracts.programs import program, programs
from jobs.drift import _has_moved
from jobs.simulate.run import Part
from jobs.uplift import Window, _place, with_alarms


def _row(month: int, band: str, excludes: bool | None) -> dict[str, Any]:
    return {"window_start": date(2026, month, 1), "score_band": band, "excludes_prediction": excludes}


def test_a_window_runs_out_after_horizon_and_claims() -> None:
    window = Window(date(2025, 12, 1), 31, date(2025, 12, 31), "m:1")
    assert window.end == date(2026, 1, 1)
    assert window.known_as_of(program("ed_diversion")) == date(2026, 5, 31)
    assert window.known_as_of(program("medication_adherence")) == date(2026, 7, 30)


def test_only_the_whole_list_raises_alarms_and_order_does_not_matter() -> None:
    rows = [_row(m, band, m in (2, 3)) for m in (3, 1, 4, 2) for band in ("explored", "listed")]
    marked = with_alarms(rows, Patience(k=2, n=3))
    alarms = [(row["window_start"].month, row["score_band"]) for row in marked if row["is_alarm"]]
    assert alarms == [(3, "listed"), (4, "listed")]


def test_a_program_that_has_ended_is_told_last() -> None:
    rows = [{**_row(m, "listed", None), "program": key} for key in ("retired", *programs().programs) for m in (2, 1)]
    told = [(row["program"], row["window_start"].month) for row in sorted(rows, key=_place)]
    assert told == [(key, m) for key in (*programs().programs, "retired") for m in (1, 2)]


def test_patience_must_be_possible() -> None:
    with pytest.raises(ValidationError, match="4 of 3"):
        Patience(k=4, n=3)
    assert programs().monitoring.uplift == Patience(k=2, n=3)


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        ({}, False),
        ({"mean_z": 8.0, "mean_shift": 0.3}, True),
        ({"mean_z": 30.0, "mean_shift": 0.05}, False),  # certain, and too small to matter
        ({"mean_z": 2.0, "mean_shift": 0.6}, False),  # large, and chance
        ({"psi": 0.4}, False),  # bins reshuffled, nothing moved
        ({"psi": 0.4, "sd_shift": 0.3, "mean_z": 3.5}, True),
        ({"psi": 0.9, "sd_shift": 0.3, "mean_z": 1.6}, False),  # twenty people a side differ so by chance
        ({"psi": 0.4, "missing_shift": 0.5, "mean_z": None, "mean_shift": None, "sd_shift": None}, True),
        ({"psi": 0.4, "missing_shift": 0.2, "reference_count": 20, "night_count": 20}, False),
        ({"psi": 0.0, "mean_z": None, "sd_shift": None, "mean_shift": 1.0}, True),  # everybody had 0 and has 3 now
        ({"psi": 0.0, "mean_z": None, "sd_shift": None, "mean_shift": 1.0, "tn": 2}, False),
        ({"psi": 0.9, "mean_z": 40.0, "sd_shift": 9.0, "mean_shift": 1.0, "rn": 3}, False),  # three known values
        ({"psi": 0.0, "mean_z": None, "sd_shift": None, "mean_shift": None}, False),
        ({"psi": 1.5, "sd_shift": 0.3, "mean_z": 9.0, "variable": "area_ed_365d_share"}, False),
        ({"mean_z": -9.0, "mean_shift": 0.3, "variable": "area_ed_365d_share"}, True),
    ],
)
def test_what_counts_as_moved(change: dict[str, Any], moved: bool) -> None:
    still = {
        "variable": "age", "psi": 0.01, "mean_z": 0.5, "mean_shift": 0.01, "sd_shift": 0.01, "missing_shift": 0.0,
        "reference_count": 5000, "night_count": 5000, "rn": 4000, "tn": 4000,
    }  # fmt: skip
    assert _has_moved({**still, **change}, Monitoring()) is moved


def test_parts_of_a_plan_meet_without_overlap() -> None:
    day = date(2026, 3, 31)
    assert Part().is_delivered == "true"
    assert Part(until=day).is_delivered == "file_date <= date'2026-03-31'"
    assert Part(after=day).is_delivered == "file_date > date'2026-03-31'"


def test_alarms_are_of_the_kinds_that_ask_for_training() -> None:
    from jobs.due import TRAINING_KINDS

    assert {"drift", "realized_uplift"} == set(TRAINING_KINDS), "jobs/drift.py and jobs/uplift.py raise these"
