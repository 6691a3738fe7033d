"""The operator's screen in a real browser: the asset graph, and a green run of the night."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from plan import ROOT, Plan

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def url(plan: Plan) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    child = subprocess.Popen(plan.command("ui", "--port", str(port), "--no-daemon"), env=plan.env, cwd=ROOT)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            assert child.poll() is None, "outreach ui ended by itself"
            try:
                with urllib.request.urlopen(f"{address}/server_info", timeout=2):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        else:
            pytest.fail("the UI did not answer within two minutes")
        yield address
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(timeout=60)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    if BROWSER is None:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser.new_page(viewport={"width": 1600, "height": 1000})
        browser.close()


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


def test_report_opens_without_a_network(page: object, plan: Plan) -> None:
    from plan import NIGHT

    page.goto((plan.home / "reports" / "tuva" / NIGHT / "index.html").as_uri(), wait_until="load")
    text = page.inner_text("body")
    assert "Emergency-visit diversion" in text
    page.screenshot(path=str(plan.home / "report.png"), full_page=True)
