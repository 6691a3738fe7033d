"""The lineage page in a real browser, at 200 datasets: found, followed up and down, in both schemes and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_world import opened
from lineage_world import wide_graph

from jobs.lineage.page import render


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("lineage") / "index.html"
    path.write_text(render(wide_graph(), "as a test made it"), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    with opened(browser, url, {"width": 1600, "height": 1000}, "light") as made:
        yield made


def highlighted(page: Any, way: str) -> set[str]:
    titles = page.eval_on_selector_all(f".card.{way} > button", "found => found.map((one) => one.title)")
    return set(titles)


def test_every_dataset_has_a_card_and_none_covers_another(page: Any) -> None:
    boxes = page.eval_on_selector_all(
        ".card",
        "found => found.map((one) => [one.offsetLeft, one.offsetTop, one.offsetWidth, one.offsetHeight].join())",
    )
    assert len(boxes) == len(set(boxes)) == 200
    columns: dict[int, list[tuple[int, int]]] = {}
    for left, top, _, height in (map(int, box.split(",")) for box in boxes):
        columns.setdefault(left, []).append((top, top + height))
    for spans in columns.values():
        assert all(one[1] <= other[0] for one, other in zip(sorted(spans), sorted(spans)[1:], strict=False))


def test_a_column_is_found_and_followed_both_ways(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("outreach.t0.c0")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="c0", exact=True).wait_for(timeout=10_000)
    assert page.url.endswith("#outreach.t0.c0")
    assert highlighted(page, "up") >= {"landing.t0", "raw.t0", "core.t0", "core.t1", "landing.t1"}
    assert "features.t1" not in highlighted(page, "up"), "the other chain joins after its features"
    assert highlighted(page, "down") == {"outreach.t0", "ops.t0"}
    assert page.get_by_text("core.t1.c5").is_visible(), "the panel tells the direct sources"
    names = page.eval_on_selector_all(".card.up li button", "found => found.map((one) => one.textContent)")
    assert set(names) == {"c0", "c5"}
    assert page.locator("#edges path.up").count() >= 9

    page.check("#only")
    assert page.locator(".card").count() == len(highlighted(page, "on")) < 20
    page.keyboard.press("Escape")
    assert page.locator(".card").count() == 200


def test_a_link_opens_the_page_at_a_table(browser: Any, url: str) -> None:
    page = browser.new_page()
    page.goto(f"{url}#core.t0")
    page.get_by_role("heading", name="core.t0", exact=True).wait_for(timeout=10_000)
    assert page.get_by_text("2 of 9 rows broken").is_visible()
    page.close()


def test_checks_are_told_by_colour_and_by_sign(page: Any) -> None:
    told = {
        state: page.eval_on_selector(
            f".card.{state}",
            "one => [getComputedStyle(one).borderLeftColor, one.querySelector('.mark').textContent]",
        )
        for state in ("passed", "warned", "failed", "unknown")
    }
    assert [sign for _, sign in told.values()] == ["✓", "!", "✕", ""]
    assert len({colour for colour, _ in told.values()}) == 4
    assert page.locator("#panel").get_by_text("core.t0").is_visible(), "what is broken is named before a choice is made"


def test_choosing_is_quick_at_200_datasets(page: Any) -> None:
    """Drawing 200 cards takes some 30 ms; ten times that would be felt."""
    took = page.evaluate(
        "(() => { const began = performance.now(); choose(0, 0); return performance.now() - began; })()"
    )
    assert took < 1000, f"{took:.0f} ms"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(browser: Any, url: str, scheme: str, tmp_path: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.goto(f"{url}#outreach.t0.c0")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    start = page.locator(".card.start").bounding_box()
    panel = page.locator("#panel").bounding_box()
    assert 0 <= start["x"] < 390
    assert start["y"] < panel["y"], "the chosen card is hidden below the panel"
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, back[4:-1].split(","))) < 200) == (scheme == "dark")
    page.close()
