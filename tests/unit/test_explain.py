"""`outreach explain` on small Delta tables: what it tells to whom, what it hides, what stays on record. No JVM."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from delta_world import FIRST, SECOND, priority_row, two_nights, write_table

from contracts.deidentify import shown_columns, shown_value
from contracts.dictionary import ColumnEntry, TableEntry
from contracts.errors import UserError
from contracts.settings import Settings, settings
from jobs.explain.contributions import Contribution, Contributions, contributions
from jobs.explain.gather import Explanation, _shown, explain
from jobs.explain.show import lines
from jobs.explain.similar import Arm, similar
from jobs.query.access import readable
from jobs.query.duck import connect

TRAINED = date(2026, 6, 1)


def past(count: int, offered: bool, *, randomized: bool, outcome: float, tag: str) -> list[dict[str, Any]]:
    label = {"data_source": "tuva", "program": "ed_diversion", "trained_as_of": TRAINED, "run_id": "r"}
    return [
        {**label, "member_id": f"{tag}{n}", "index_date": date(2026, 1, 1), "is_offered": offered, "outcome": outcome,
         "is_randomized": randomized, "followup_days": 90, "is_trained_on": True, "propensity": 0.5, "in_support": True,
         "baseline": 1.0 + n / 100, "cate": -0.4}
        for n in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("explained")
    two_nights(made)
    rows = [
        *past(20, True, randomized=True, outcome=0.5, tag="a"),
        *past(12, False, randomized=True, outcome=1.5, tag="b"),
        *past(400, True, randomized=False, outcome=9.0, tag="c"),
    ]
    write_table(made, "causal.cohort", rows)
    write_table(made, "causal.oof_prediction", rows)
    write_table(made, "ops.input_file", [
        {"data_source": "tuva", "entity": "eligibility", "file_date": date(2026, 6, 30), "status": "landed"},
        {"data_source": "tuva", "entity": "eligibility", "file_date": date(2026, 7, 2), "status": "landed"},
        {"data_source": "tuva", "entity": "consent", "file_date": date(2026, 6, 20), "status": "parked"},
    ])  # fmt: skip
    return made


@pytest.fixture
def as_role(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Settings]]:
    from jobs import access_audit

    def take(role: str) -> Settings:
        monkeypatch.setenv("OUTREACH_HOME", str(home))
        monkeypatch.setenv("OUTREACH_ROLE", role)
        settings.cache_clear()
        access_audit._journal.cache_clear()
        return settings()

    yield take
    settings.cache_clear()
    access_audit._journal.cache_clear()


def told(found: Explanation) -> str:
    return "\n".join(lines(found))


def test_a_care_manager_asks_by_the_members_number(as_role: Callable[[str], Settings], home: Path) -> None:
    found = explain("riser", "ed_diversion", SECOND, "tuva", as_role("care_manager"))
    text = told(found)
    assert "call (rank 1)" in text
    assert "-0.4 emergency visits" in text
    assert "95 % interval -0.7 to -0.1" in text
    assert "Age 93" in text
    assert "eligibility        last delivered 2026-07-02, 0 days before" in text
    assert "consent" not in text, "a parked file told the night nothing"
    assert "its features are not here" in text
    assert "riser" not in text
    assert "riser" not in json.dumps(found.row, default=str)
    record = "".join(file.read_text() for file in (home / "access").glob("*.ndjson"))
    assert '"door": "explain"' in record
    assert "riser" not in record


def test_an_analyst_asks_by_pseudonym_and_sees_no_great_age(as_role: Callable[[str], Settings]) -> None:
    config = as_role("analyst")
    with pytest.raises(UserError, match="Nothing was published") as raised:
        explain("riser", "ed_diversion", SECOND, "tuva", config)
    assert "riser" not in str(raised.value)
    connection = connect(readable(["outreach.priority"], config.role), config)
    pseudonym = connection.sql("select member_id from outreach.priority where reason_1 like 'Age%'").fetchall()[0][0]
    text = told(explain(pseudonym, "ed_diversion", SECOND, "tuva", config))
    assert "Age 90 or over" in text
    assert "Age 93" not in text


def test_similar_people_are_those_drawn_by_lot_where_there_are_enough(as_role: Callable[[str], Settings]) -> None:
    found = explain("riser", "ed_diversion", FIRST, "tuva", as_role("care_manager")).similar
    assert found is not None
    assert found.is_randomized
    assert (found.offered.people, found.offered.mean_outcome) == (20, 0.5)
    assert (found.not_offered.people, found.not_offered.mean_outcome) == (12, 1.5)
    assert found.trained_as_of == TRAINED


@pytest.mark.parametrize("drawn", [10, 0])
def test_an_arm_of_fewer_than_11_people_is_not_shown(drawn: int, tmp_path: Path) -> None:
    rows = [
        *past(drawn, False, randomized=True, outcome=1.5, tag="b"),
        *past(200, True, randomized=False, outcome=9.0, tag="c"),
    ]
    write_table(tmp_path, "causal.cohort", rows)
    write_table(tmp_path, "causal.oof_prediction", rows)
    config = Settings(home=tmp_path, role="steward")
    connection = connect(readable(["causal.cohort", "causal.oof_prediction"], config.role), config)
    found = similar(connection, priority_row("x", baseline_risk=1.0, cate=None))
    assert found is not None
    assert not found.is_randomized
    assert found.offered.people == 200
    assert found.not_offered == Arm()


def test_contributions_add_up_and_name_the_values() -> None:
    class Booster:
        def predict(self, Z: np.ndarray, **_: Any) -> np.ndarray:
            return np.array([[0.5, -0.2, 0.1, 0.0, 7.0]])

    scorer = SimpleNamespace(
        features=("age", "ed"), reasons_of="benefit", encoder=SimpleNamespace(transform=lambda X: X.to_numpy()),
        reasons=SimpleNamespace(booster=Booster(), owner=np.array([0, 1, 1, 2]), features=("age", "ed", "never"), r2=0.9),
    )  # fmt: skip
    found = contributions(scorer, pd.DataFrame({"age": [93], "ed": [np.nan], "other": ["x"]}), {"age": "Age."})
    assert [(p.feature, p.value, round(p.contribution, 6)) for p in found.parts] == [
        ("age", 93, 0.5),
        ("ed", None, -0.1),
    ]
    assert found.others == pytest.approx(0.0)
    assert [p.value for p in _shown(found, is_identified=False).parts] == ["90 and over", None]
    assert _shown(replace(found), is_identified=True).parts[0].value == 93


@pytest.mark.parametrize(
    ("name", "values"),
    [("age", [0, 9, 67, 89, 90, 104, None]), ("days_since_ed_visit", [0, 29, 30, 59, 365, None]), ("medication_out_of_supply_days", [0, 45, 365]), ("ed_visit_30d_count", [2]),
     ("reason_1", ["Age 89", "Age 93", "Age 104", "2 inhaler fills in the last year", "Last emergency visit 0 days ago",
                   "Discharged from hospital 59 days ago", None])],
)  # fmt: skip
def test_values_are_shown_to_an_analyst_as_the_views_show_them(name: str, values: list[int | str | None]) -> None:
    import duckdb

    kind = "varchar" if name.startswith("reason_") else "int"
    entry_of = ColumnEntry(name, kind, "none", "years" if name == "age" else "days", "Meaning.")
    entry = TableEntry("features.x", "d", "o", "1", (), (entry_of,), None, ())
    (column,) = shown_columns(entry, b"", "duckdb")
    for value in values:
        viewed = duckdb.sql(f"select {column.sql} from (select $value::{kind} as {name})", params={"value": value})
        found = Contributions("benefit", (Contribution(name, "", value, 0.5),), 0.0, 0.9)
        (part,) = _shown(found, is_identified=False).parts
        assert part.value == viewed.fetchall()[0][0]


def test_a_reason_tells_no_exact_day() -> None:
    assert (
        shown_value("reason_2", "Discharged from hospital 59 days ago") == "Discharged from hospital 30 to 59 days ago"
    )


def test_the_command_reads_the_member_from_standard_input(
    as_role: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dagster_project.cli.explain import explain as command

    as_role("care_manager")
    monkeypatch.setattr("sys.stdin", io.StringIO("riser\n"))
    command("-", "ed_diversion", SECOND.isoformat(), "tuva", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["row"]["priority_rank"] == 1
    assert "member_id" not in found["row"]
    with pytest.raises(UserError, match="not a date"):
        command("x", "ed_diversion", "tomorrow", "tuva")
    with pytest.raises(UserError, match="No program"):
        command("x", "no_program", SECOND.isoformat(), "tuva")
