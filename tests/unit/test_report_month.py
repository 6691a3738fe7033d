"""The monthly page on models: trainings, decisions, the challenger beside the champion, what came of past lists."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from report_world import ED, MADE, MED, NIGHT, night_rows
from typer.testing import CliRunner

from contracts.errors import UserError
from contracts.programs import programs
from contracts.settings import settings
from jobs.report.index import read_months
from jobs.report.month import MonthRows, assemble_month, month_end, render_month
from jobs.report.write import write_index


def month_rows() -> MonthRows:
    night = night_rows()
    decision = {
        "program": ED, "action": "promote", "model_version": f"outreach.tuva.{ED}/3", "previous_version": f"outreach.tuva.{ED}/2",
        "actor": "Dr Example", "actor_kind": "person", "note": "Better at the top.", "outcome": "done",
        "decided_at": datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    }  # fmt: skip
    compared = {
        "program": ED, "challenger_version": f"outreach.tuva.{ED}/3", "served_version": f"outreach.tuva.{ED}/2",
        "served_verdict": "publish", "nights": 20,
        "scored": 19, "list_agreement": 0.62, "rank_correlation": 0.71, "score_psi": 0.04, "served_value_usd": 81_000.0,
        "challenger_list_by_served_usd": 70_400.0, "challenger_value_usd": 93_000.0, "served_list_by_challenger_usd": None,
        "last_night": date(2026, 11, 22),
    }  # fmt: skip
    return MonthRows(
        nights=[{"program": ED, "verdict": "publish", "model_version": f"outreach.tuva.{ED}/2", "n": 21}],
        models=night.models, gates=night.gates, evaluation=night.evaluation, flow=night.flow,
        decisions=[decision], compared=[compared], realized=night.realized,
    )  # fmt: skip


def drawn(rows: MonthRows) -> str:
    page = render_month(assemble_month(rows, programs().programs, "tuva", NIGHT, MADE))
    return " ".join(page.split())


def test_page_tells_trainings_decisions_and_the_comparison() -> None:
    page = drawn(month_rows())
    assert "21 nights: ranked by expected benefit" in page
    assert f'href="../../models/outreach.tuva.{ED}/3/card.html"' in page
    assert "promoted" in page
    assert "Dr Example" in page
    assert "19 of 20" in page
    assert "62%" in page
    assert "$81,000, $70,400" in page
    assert "$93,000, –" in page
    assert "In 1 of 2 months the prediction lay outside the interval." in page
    assert page.index(f'id="{ED}"') < page.index("Benefit curve: what more offers bring")


def test_who_ranked_is_true_for_every_verdict() -> None:
    rows = month_rows()
    nights = [
        {"program": ED, "verdict": v, "model_version": f"outreach.tuva.{ED}/{k}", "n": 2}
        for k, v in enumerate(("publish", "fallback"), start=1)
    ]
    served = [
        {**rows.compared[0], "served_version": version, "served_verdict": verdict}
        for version, verdict in (("none", "blocked"), (f"outreach.tuva.{ED}/1", "fallback"))
    ]
    page = drawn(replace(rows, nights=nights, compared=served))
    assert f'The model that ranked: <a href="../../models/outreach.tuva.{ED}/1/card.html">' in page
    assert f'while the rule ranked: <a href="../../models/outreach.tuva.{ED}/2/card.html">' in page
    assert 'data-label="Served" class="name">nothing: calls were stopped</td>' in page
    assert 'data-label="Served" class="name">the simple rule</td>' in page


def test_numbers_of_a_refuted_model_are_not_printed() -> None:
    blocked = drawn(month_rows()).split(f'id="{MED}"')[1]
    assert "failed a test that must not fail" in blocked
    assert "Benefit curve" not in blocked


def test_a_quiet_month_is_refused_and_an_earlier_training_is_told_as_such() -> None:
    none = replace(month_rows(), nights=[], decisions=[], models=[], compared=[], realized=[])
    with pytest.raises(UserError, match="November 2026"):
        drawn(none)
    december = assemble_month(month_rows(), programs().programs, "tuva", date(2026, 12, 5), MADE)
    assert december.programs[0].trained == []
    assert december.programs[0].evidence is not None
    assert month_end(date(2026, 12, 5)) == date(2027, 1, 1)


def test_the_index_leads_to_the_months(tmp_path: Path) -> None:
    for month in ("2026-10", "2026-11"):
        page = tmp_path / "tuva" / f"models-{month}" / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text("<p>")
    assert [title for _, title in read_months(tmp_path)] == ["November 2026 (tuva)", "October 2026 (tuva)"]
    assert 'href="tuva/models-2026-11/index.html"' in write_index(tmp_path).read_text()


def test_the_command_finds_pages_and_asks_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_project.cli import _register, app
    from jobs.report.assemble import assemble
    from jobs.report.write import save_report

    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path))
    settings.cache_clear()
    try:
        _register("report")
        runner = CliRunner()
        refused = runner.invoke(app, ["report"])
        assert isinstance(refused.exception, UserError), "there is no night yet"
        save_report(assemble(night_rows(), programs().programs, "tuva", NIGHT, MADE), settings().reports_dir)
        found = json.loads(runner.invoke(app, ["report", "--program", ED, "--json"]).stdout)
        assert Path(found["page"]).name == f"{ED}.html"
        assert "Medication" not in Path(found["page"]).read_text().split("<main")[1].split("What is scarce")[0]
        assert isinstance(runner.invoke(app, ["report", "--program", "nothing"]).exception, UserError)
        assert isinstance(runner.invoke(app, ["report", "--date", "yesterday"]).exception, UserError)
    finally:
        settings.cache_clear()
