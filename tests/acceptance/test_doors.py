"""What people open, on the plan as it was published: SQL through both engines, explain, status, hand-over."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from plan import NIGHT, Plan


def as_role(plan: Plan, role: str) -> Plan:
    other = Plan(plan.home)
    other.env["OUTREACH_ROLE"] = role
    return other


def test_both_engines_give_an_analyst_the_same_rows(plan: Plan) -> None:
    sql = f"""select program, member_id, priority_rank, decision, reason_1 from outreach.priority
        where run_date = date '{NIGHT}' and priority_rank <= 20 order by program, priority_rank, member_id"""
    spark, duckdb = (
        json.loads(plan.run("sql", sql, "--engine", engine, "--format", "json").stdout)
        for engine in ("spark", "duckdb")
    )
    assert spark == duckdb
    assert len(spark) > 20
    published = set(plan.night(NIGHT)["member_id"])
    assert not published & {row["member_id"] for row in spark}, "an analyst was shown a member's number"


def test_the_view_of_changes_is_there_for_spark_with_its_meanings(plan: Plan) -> None:
    told = plan.run(
        "sql", "select count(*) as n from outreach.priority_changes", "--engine", "spark", "--format", "json"
    )
    assert json.loads(told.stdout)[0]["n"] >= 0
    described = plan.run("sql", "describe outreach.priority_changes", "--format", "csv").stdout
    assert all(row["meaning"] for row in csv.DictReader(described.splitlines()))


def test_explain_and_status_need_no_engine(plan: Plan) -> None:
    row = plan.night(NIGHT).query("decision == 'outreach' and model_version != 'none'").iloc[0]
    asked = ("explain", "--member", row["member_id"], "--program", row["program"], "--date", NIGHT, "--json")
    found = json.loads(as_role(plan, "care_manager").run(*asked).stdout)
    assert found["row"]["priority_rank"] == row["priority_rank"]
    assert found["contributions"]["parts"], found["unexplained"]
    assert found["similar"] is not None
    assert row["member_id"] not in json.dumps(found)
    assert "Nothing was published" in plan.run(*asked, expect={2}).stderr, "an analyst asked by a member's number"
    status = json.loads(plan.run("status", "--json", expect={0, 1, 10, 11}).stdout)
    assert status["failed"] is None
    assert len(status["programs"]) == 3


def test_the_list_goes_out(plan: Plan, tmp_path: Path) -> None:
    care = as_role(plan, "care_manager")
    care.run("export", "--format", "fhir", "--date", NIGHT, "--out", str(tmp_path))
    care.run("export", "--date", NIGHT, "--out", str(tmp_path))
    called = plan.night(NIGHT).query("decision in ['outreach', 'explore']")
    tasks = (tmp_path / f"Task_tuva_{NIGHT}.ndjson").read_text().splitlines()
    rows = list(csv.DictReader((tmp_path / f"action_list_tuva_{NIGHT}.csv").open()))
    assert len(tasks) == len(rows) == len(called)
