"""The operator's screen in a real browser: the asset graph, and a green run of the night."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from browser_world import free_port, wait_for
from plan import ROOT, Plan


@pytest.fixture(scope="module")
def url(plan: Plan) -> Iterator[str]:
    address = f"http://127.0.0.1:{(port := free_port())}"
    child = subprocess.Popen(plan.command("ui", "--port", str(port), "--no-daemon"), env=plan.env, cwd=ROOT)
    try:
        wait_for(address, child)
        yield address
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(timeout=60)


@pytest.fixture(scope="module")
def page(browser: Any) -> object:
    return browser.new_page(viewport={"width": 1600, "height": 1000})


def test_asset_graph_shows_the_layers(page: object, url: str, plan: Plan) -> None:
    page.goto(f"{url}/asset-groups", wait_until="domcontentloaded")
    for layer in ("raw", "staging", "core", "features", "training", "outreach"):
        page.get_by_text(layer, exact=True).first.wait_for(timeout=90_000)
    picture = plan.home / "graph.png"
    page.screenshot(path=str(picture))
    assert picture.stat().st_size > 20_000, "the graph's picture is empty"


def test_asset_lineage_shows_the_tables(page: object, url: str, plan: Plan) -> None:
    page.goto(f"{url}/assets/outreach/priority?view=lineage", wait_until="domcontentloaded")
    for table in ("member_score", "action_list", "night_report"):
        page.get_by_text(table, exact=True).first.wait_for(timeout=90_000)
    page.screenshot(path=str(plan.home / "lineage.png"))


def test_runs_are_green(page: object, url: str, plan: Plan) -> None:
    page.goto(f"{url}/runs", wait_until="domcontentloaded")
    page.get_by_text("trained_night").first.wait_for(timeout=90_000)
    page.get_by_text("Success").first.wait_for(timeout=30_000)
    picture = plan.home / "runs.png"
    page.screenshot(path=str(picture))
    assert picture.stat().st_size > 20_000


def test_an_asset_shows_its_checks(page: object, url: str, plan: Plan) -> None:
    page.goto(f"{url}/assets/outreach/priority?view=checks", wait_until="domcontentloaded")
    page.get_by_text("interval_holds_estimate").first.wait_for(timeout=90_000)
    page.screenshot(path=str(plan.home / "checks.png"))


def test_an_asset_shows_its_columns_and_what_they_are_made_from(page: object, url: str, plan: Plan) -> None:
    page.goto(f"{url}/assets/outreach/priority?view=overview", wait_until="domcontentloaded")
    for words in ("Row count", "cate_lower", "phi: health_plan_beneficiary_number", "made_from"):
        page.get_by_text(words, exact=True).first.wait_for(timeout=90_000)
    last = "select count(*) as n from p where run_date = (select max(run_date) from p)"
    rows = plan.sql(last, p="outreach.priority")["n"][0]
    assert page.get_by_text(f"{rows:,}", exact=True).count() >= 1, (
        f"the row count of the last night, {rows:,}, is missing"
    )
    page.locator("tr", has=page.get_by_text("made_from", exact=True)).last.get_by_text("Show Markdown").click()
    page.get_by_text("causal.member_score").first.wait_for(timeout=30_000)
    page.screenshot(path=str(plan.home / "columns.png"))


def test_a_view_shows_its_columns(page: object, url: str) -> None:
    page.goto(f"{url}/assets/outreach/action_list?view=overview", wait_until="domcontentloaded")
    for words in ("expected_net_value_usd", "phi: health_plan_beneficiary_number", "made_from"):
        page.get_by_text(words, exact=True).first.wait_for(timeout=90_000)


def test_a_broken_rule_has_a_history_and_opens_its_quarantine_query(page: object, url: str, plan: Plan) -> None:
    broken = plan.sql("select table_name, rules[1] as rule from q order by all", q="ops.quarantine")
    assert len(broken), "the simulated plan's files break no rule: nothing to look at"
    table, rule = broken.iloc[0]
    page.goto(f"{url}/assets/{table.replace('.', '/')}?view=checks&checkDetail={rule}", wait_until="domcontentloaded")
    page.get_by_text("Show Markdown").first.wait_for(timeout=90_000)
    page.get_by_text("Show Markdown").first.click()
    page.get_by_text(f"array_contains(rules, '{rule}')").first.wait_for(timeout=30_000)
    page.keyboard.press("Escape")
    page.get_by_text("Execution history").click()
    page.get_by_text("Evaluation result").first.wait_for(timeout=30_000)
    page.screenshot(path=str(plan.home / "history.png"))
