"""A small plan from nothing to its published lists, through the command line, as a user or a scheduler would run it."""

from __future__ import annotations

import json
import re

import duckdb
import pandas as pd
from plan import NEXT, NIGHT, PILOT_SHARE, Plan

DECISIONS = {"outreach", "explore", "holdout", "below_capacity", "suppressed", "outside_support", "not_eligible"}


def test_demo_says_where_everything_is(plan: Plan) -> None:
    for words in ("tables", "report", "make ui", "First rows of tonight's list"):
        assert words in plan.output, plan.output[-2000:]
    report = plan.home / "reports" / "tuva" / NIGHT / "index.html"
    assert report.stat().st_size > 5_000
    assert "ed_diversion" in plan.output


def test_the_pilot_randomises_the_share_that_was_asked_for(plan: Plan) -> None:
    randomised = plan.sql(
        """with pilot as (select member_id, date_trunc('month', assigned_date) as index_date from c
                          where program = 'ed_diversion' and assigned_by = 'pilot')
           select count(p.member_id) as drawn, count(*) as eligible
           from t left join pilot p using (member_id, index_date)
           where t.program = 'ed_diversion' and t.is_eligible and t.index_date in (select index_date from pilot)""",
        c="core.outreach_contact",
        t="truth.potential_outcome",
    ).iloc[0]
    # Some are in their wash-out after an earlier offer, and a few of the files' rows break a contract.
    assert 0.5 * PILOT_SHARE < randomised["drawn"] / randomised["eligible"] < 1.1 * PILOT_SHARE, randomised


def test_one_row_per_member_and_program(plan: Plan) -> None:
    rows = plan.night(NIGHT)
    assert not rows.duplicated(["program", "member_id"]).any()
    assert rows["program"].nunique() == 3
    assert set(rows["decision"]) <= DECISIONS
    assert (rows.groupby("program").size() == rows["member_id"].nunique()).all()


def test_limits_hold_and_one_program_per_member(plan: Plan) -> None:
    from contracts.programs import programs

    configured = programs()
    called = plan.night(NIGHT).query("decision in ['outreach', 'explore']")
    assert not called["member_id"].duplicated().any(), "a member is offered two programs on one night"
    for key, program in configured.programs.items():
        assert (called["program"] == key).sum() <= program.capacity_per_night
    assert len(called) > 0
    how = [configured.programs[p].channels[c] for p, c in zip(called["program"], called["channel"], strict=True)]
    used = {name: sum(h.minutes for h in how if h.team == name) / 60 for name in configured.teams}
    for name, team in configured.teams.items():
        assert used[name] <= team.hours_per_night + 1e-9
    assert sum(h.cost_usd for h in how) <= configured.nightly_budget_usd
    prices = plan.sql(f"select * from c where run_date = date '{NIGHT}'", c="outreach.capacity_price")
    told = prices[prices["resource_kind"] == "team"].set_index("resource")["used_quantity"]
    assert {name: round(hours, 6) for name, hours in told.items()} == {n: round(used[n], 6) for n in told.index}
    summary = plan.sql(f"select * from s where run_date = date '{NIGHT}'", s="outreach.program_summary")
    assert summary["planned_cost_usd"].sum() == sum(h.cost_usd for h in how)
    assert (summary["marginal_value_usd"].notna() == (summary["verdict"] == "publish")).all()


def test_nobody_is_called_who_must_not_be(plan: Plan) -> None:
    broken = plan.sql(
        f"""
        select count(*) as n from p join f on f.member_id = p.member_id and f.as_of_date = p.run_date
        where p.decision in ('outreach', 'explore') and p.run_date = date '{NIGHT}'
            and (f.is_deceased or f.is_hospice or not f.is_enrolled)""",
        p="outreach.priority", f="features.member_feature",
    )  # fmt: skip
    assert broken["n"][0] == 0
    refused = plan.sql(
        f"""
        with last as (
            select member_id, program, channel, arg_max(is_consented, (effective_date, known_at)) as yes
            from c where known_at < timestamp '{NIGHT}' and effective_date <= date '{NIGHT}' group by all)
        select count(*) as n from p join last on last.member_id = p.member_id and not yes
            and last.program in (p.program, 'all') and last.channel in (p.channel, 'all')
        where p.decision in ('outreach', 'explore') and p.run_date = date '{NIGHT}'""",
        p="outreach.priority", c="core.consent",
    )  # fmt: skip
    assert refused["n"][0] == 0


def test_every_called_member_has_a_reason_and_a_probability(plan: Plan) -> None:
    called = plan.night(NIGHT).query("decision == 'outreach'")
    assert called["reason_1"].notna().all()
    assert ((called["assignment_probability"] > 0.5) & (called["assignment_probability"] < 1)).all()


def test_killed_night_leaves_yesterday_and_can_be_run_again(plan: Plan) -> None:
    """kill -9 between core and publication; then the same command publishes."""
    yesterday = plan.night(NIGHT)
    plan.kill("nightly", "--date", NEXT, after="contracts core")
    assert plan.night(NEXT).empty, "a killed night published"
    pd.testing.assert_frame_equal(plan.night(NIGHT), yesterday)

    plan.run("nightly", "--date", NEXT)
    assert not plan.night(NEXT).empty


def test_called_members_rest_the_next_night(plan: Plan) -> None:
    tonight, next_night = plan.night(NIGHT), plan.night(NEXT)
    called = set(tonight.query("decision in ['outreach', 'explore']")["member_id"])
    called_next = set(next_night.query("decision in ['outreach', 'explore']")["member_id"])
    assert called, "the list is empty"
    assert not called & called_next, "a member is called on two nights in a row"


def test_holdout_is_persistent(plan: Plan) -> None:
    both = plan.night(NIGHT).merge(plan.night(NEXT), on=["program", "member_id"], suffixes=("", "_next"))
    held = both[both["decision"] == "holdout"]
    assert len(held) > 10
    assert not held["decision_next"].isin(["outreach", "explore", "below_capacity"]).any()


def test_orphaned_run_is_closed_and_ledger_tells(plan: Plan) -> None:
    steps = plan.sql("select job, step, status, duration_seconds from l", l="ops.run_ledger")
    assert {"score", "publish", "dbt core"} <= set(steps["step"])
    assert (steps["status"] == "succeeded").sum() > 10


def test_two_raw_facts_agree_with_the_files(plan: Plan) -> None:
    delivered = duckdb.sql(f"select count(*) as n from '{plan.home}/landing/tuva/medical_claim/*.parquet'").df()["n"][0]
    assert plan.sql("select count(*) as n from r", r="raw.tuva__medical_claim")["n"][0] == delivered


def test_user_errors_are_short_and_coded(plan: Plan) -> None:
    done = plan.run("nightly", "--date", "someday", expect={2})
    assert "YYYY-MM-DD" in done.stderr
    assert "Traceback" not in done.stderr
    done = plan.run("nightly", "--source", "nowhere", expect={2})
    assert "tuva" in done.stderr


def test_no_member_in_logs_or_report(plan: Plan) -> None:
    members = set(plan.night(NIGHT)["member_id"].head(500))
    texts = [plan.output, (plan.home / "reports" / "tuva" / NIGHT / "index.html").read_text()]
    texts += [path.read_text(errors="replace") for path in (plan.home / "engine").rglob("*.log")]
    found = [m for text in texts for m in members if re.search(rf"\b{re.escape(m)}\b", text)]
    assert not found, f"{len(found)} member ids appear in output, report or engine log"


def test_status_is_json_for_machines(plan: Plan) -> None:
    done = plan.run("engine", "status", "--json", expect={0})
    assert json.loads(done.stdout)
