"""What tests and pictures share of a real browser: starting it, and what a page must keep at any width and in both schemes."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jobs.report.pdf import find_chromium

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
LOOKS = (("desk", DESK, "light"), ("desk-dark", DESK, "dark"), ("phone", PHONE, "light"), ("phone-dark", PHONE, "dark"))
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

# Every visible text against what is painted behind it (WCAG 2.2, 1.4.3: 4.5, large text 3). Backgrounds of our pages are
# plain colours; texts in pictures stand on the card.
_WEAK = """() => {
  const parse = (colour) => { const n = (colour.match(/[\\d.]+/g) || []).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const light = ([r, g, b]) => [r, g, b].map((x) => x / 255).map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
    .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (one) => { for (let e = one; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
  const found = new Map();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const words = walk.currentNode.textContent.trim(), one = walk.currentNode.parentElement;
    if (!words || ["SCRIPT", "STYLE", "TITLE", "DESC", "title", "desc", "OPTION"].includes(one.tagName) || !one.checkVisibility()) continue;
    const style = getComputedStyle(one), size = parseFloat(style.fontSize);
    const colour = parse(one instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(colour), light(behind(one))].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    const needed = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if (ratio < needed) found.set(words.slice(0, 40), Math.round(ratio * 100) / 100);
  }
  return Object.fromEntries(found);
}"""


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium of this machine, driven by playwright; nothing is downloaded."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Any, url: str, viewport: dict[str, int], scheme: str) -> Iterator[Any]:
    """A page at a width and in a scheme; errors of its script fail."""
    page = browser.new_page(viewport=viewport, color_scheme=scheme)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(url, wait_until="load")
    try:
        yield page
    finally:
        page.close()
    assert not errors, errors


def weak_texts(page: Any) -> dict[str, float]:
    """Texts whose contrast is below WCAG AA, with their ratio."""
    return dict(page.evaluate(_WEAK))


def scrolls_sideways(page: Any) -> int:
    """Pixels by which the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def seconds_to_open(page: Any) -> float:
    """From the start of the navigation until everything is loaded and drawn once."""
    return float(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")) / 1000


def free_port() -> int:
    """A port on loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: str, child: subprocess.Popen[Any]) -> None:
    """Until the server answers; two minutes at most."""
    for _ in range(240):
        assert child.poll() is None, "outreach ui ended by itself"
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError("the UI did not answer within two minutes")
