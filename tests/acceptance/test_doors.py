"""What people open, on the plan as it was published: SQL through both engines, explain, status, hand-over."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from impala.dbapi import connect
from plan import NIGHT, ROOT, Plan

from jobs.engine.jars import pyspark_home
from jobs.engine.java import find_java
from jobs.engine.launch import free_port


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
    published = plan.night(NIGHT)
    assert spark == duckdb
    assert len(spark) == (published["priority_rank"] <= 20).sum() > 0
    assert not set(published["member_id"]) & {row["member_id"] for row in spark}, (
        "an analyst was shown a member's number"
    )


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


def test_the_month_is_an_asset(plan: Plan) -> None:
    """As its schedule or a click in the UI makes it."""
    made = subprocess.run(
        [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "dagster_project.definitions",
         "--select", "outreach/model_report", "--partition", f"{NIGHT[:7]}-01|tuva"],
        env={**plan.env, "DAGSTER_HOME": str(plan.home / "dagster")}, cwd=ROOT, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr[-3000:]
    page = plan.home / "reports" / "tuva" / f"models-{NIGHT[:7]}" / "index.html"
    assert "July 2026" in page.read_text()


@pytest.fixture(scope="module")
def bi_port(plan: Plan) -> Iterator[int]:
    """The door for BI tools beside the plan's engine."""
    port = free_port()
    started = plan.run("engine", "start", "--jdbc", "--jdbc-port", str(port)).stdout
    assert "Password, shown only now" in started
    yield port
    assert "closed" in plan.run("jdbc", "close").stdout


def log_in(plan: Plan, name: str, role: str) -> str:
    return json.loads(plan.run("jdbc", "grant", name, "--role", role, "--json").stdout)["password"]


def test_a_jdbc_driver_reads_what_the_role_may(plan: Plan, bi_port: int, tmp_path: Path) -> None:
    """Hive's own JDBC driver, as BI tools bring it, through the client that Spark ships."""
    sql = f"""select program, member_id, priority_rank, cate, run_date from priority
        where run_date = date '{NIGHT}' and priority_rank <= 5 order by program, priority_rank, member_id"""
    password = tmp_path / "password"
    password.write_text(log_in(plan, "anna", "analyst"))
    script = tmp_path / "ask.sql"
    script.write_text(f"{sql};\n".replace("\n", " "))
    java, jars = str(find_java()[0]), str(pyspark_home() / "jars" / "*")
    client = [java, "-cp", jars, "org.apache.hive.beeline.BeeLine", "-u", f"jdbc:hive2://127.0.0.1:{bi_port}/outreach"]
    done = subprocess.run(
        [*client, "-n", "anna", "-w", str(password), "--outputformat=csv2", "--silent=true", "-f", str(script)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    rows = list(csv.DictReader(line for line in done.stdout.splitlines() if line.strip()))
    told = plan.run(
        "sql", sql.replace("from priority", "from outreach.priority"), "--engine", "spark", "--format", "csv"
    )
    assert [list(row.values())[:3] for row in rows] == [
        list(row.values())[:3] for row in csv.DictReader(told.stdout.splitlines())
    ]
    assert len(rows) >= 5
    assert {row["run_date"] for row in rows} == {NIGHT}


def test_readings_of_members_through_the_door_are_on_record(plan: Plan, bi_port: int) -> None:
    sql = f"select member_id from priority where run_date = date '{NIGHT}' and priority_rank = 1"
    numbers = set(plan.night(NIGHT)["member_id"])

    def asked(name: str, role: str) -> set[str]:
        with connect(
            "127.0.0.1", bi_port, user=name, password=log_in(plan, name, role), auth_mechanism="PLAIN"
        ) as door:
            cursor = door.cursor()
            cursor.execute(sql)
            return {row[0] for row in cursor.fetchall()}

    assert asked("nurse", "care_manager") <= numbers
    assert not asked("bertha", "analyst") & numbers
    lines = [
        json.loads(line)
        for path in (plan.home / "access").glob("*.ndjson")
        for line in path.read_text().splitlines()
        if '"jdbc"' in line
    ]
    assert {(line["login"], line["role"]) for line in lines} == {("nurse", "care_manager")}
    assert lines[0]["tables"] == ["outreach.priority"]
    assert NIGHT not in lines[0]["statement"]


def test_a_statement_is_stopped_where_it_runs(plan: Plan, bi_port: int) -> None:
    # Hours of work. Spark looks for interrupts between rows that come out of a shuffle, not within a join's inner loop.
    long = """select count(*) from (select cate from priority distribute by cate) a, priority b, priority c
        where a.cate + b.cate < c.cate"""
    engine = psutil.Process(json.loads((plan.home / "engine" / "engine.json").read_text())["pid"])

    def is_busy() -> bool:
        before = sum(engine.cpu_times()[:2])
        time.sleep(2)
        return sum(engine.cpu_times()[:2]) - before > 0.8

    with connect(
        "127.0.0.1", bi_port, user="carl", password=log_in(plan, "carl", "analyst"), auth_mechanism="PLAIN"
    ) as door:
        cursor = door.cursor()
        cursor.execute_async(long)
        assert any(is_busy() for _ in range(30)), "the statement never ran"
        assert cursor.is_executing()
        cursor.cancel_operation()
        assert not all(is_busy() for _ in range(30)), "it goes on in Spark"
        cursor.execute("select count(*) from priority")
        assert cursor.fetchall()[0][0] > 0
