"""The README's pictures, from the tables and pages of a state folder: `make pictures`, after `make demo`.

Everything shown is aggregates, names of tables and simulated members' counts. Not a test: it writes docs/pictures/.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser_world import chromium, free_port, opened, wait_for  # noqa: E402
from PIL import Image  # noqa: E402

from jobs.report.pdf import find_chromium  # noqa: E402

WIDE, PHONE, GRAPH = {"width": 1240, "height": 1000}, {"width": 390, "height": 844}, {"width": 1600, "height": 900}


def main() -> int:
    """Take all pictures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="state folder with a published night")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures", help="folder for the pictures")
    chosen = parser.parse_args()
    nights = sorted((chosen.home / "reports" / "tuva").glob("2*/index.html"))
    if not nights or find_chromium() is None:
        print("Pictures need a published night (make demo) and a Chromium on this machine.", file=sys.stderr)
        return 2
    chosen.out.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OUTREACH_HOME": str(chosen.home.resolve())}
    cli = [sys.executable, "-m", "dagster_project.cli"]
    subprocess.run([*cli, "docs", "--no-dbt"], env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with chromium() as browser:
        report(browser, nights[-1].resolve(), chosen.out)
        docs(browser, chosen.home.resolve() / "docs", chosen.out)
        dagster(browser, cli, environment, chosen.out)
    return 0


def report(browser: Any, night: Path, out: Path) -> None:
    """The first screen, the evidence of the first program ranked by benefit, and a phone."""
    with opened(browser, night.as_uri(), WIDE, "light") as page:
        keep(page.screenshot(), out / "report.png")
        ranked = page.locator("section.program", has=page.locator(".pill.publish"))
        shown = ranked.first if ranked.count() else page.locator("section.program").first
        top = shown.locator("h3", has_text="What benefit is expected").bounding_box()
        end = shown.locator("h3", has_text="Why these people").bounding_box()
        page.set_viewport_size({"width": WIDE["width"], "height": int(end["y"]) + 100})
        clip = {"x": 60, "y": top["y"] - 16, "width": WIDE["width"] - 120, "height": end["y"] - top["y"]}
        keep(page.screenshot(clip=clip, full_page=True), out / "report-evidence.png")
    with opened(browser, night.as_uri(), PHONE, "dark") as page:
        keep(page.screenshot(), out / "report-phone.png")


def docs(browser: Any, folder: Path, out: Path) -> None:
    """The lineage of a column that judges models and never scores, and the dictionary at a search."""
    with opened(browser, f"{(folder / 'lineage.html').as_uri()}#core.member.race", GRAPH, "light") as page:
        page.check("#only")
        page.click("#fit")
        page.wait_for_timeout(300)
        keep(page.screenshot(), out / "lineage.png")
    with opened(browser, (folder / "dictionary.html").as_uri(), {"width": 1240, "height": 720}, "light") as page:
        page.fill("#search", "core.medical_claim date")
        keep(page.screenshot(), out / "dictionary.png")


def dagster(browser: Any, cli: list[str], environment: dict[str, str], out: Path) -> None:
    """The asset graph around the published table, in Dagster's own screen."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    child = subprocess.Popen(
        [*cli, "ui", "--port", str(port), "--no-daemon"], env=environment, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        wait_for(address, child)
        page = browser.new_page(viewport=GRAPH)
        page.goto(
            f"{address}/assets/outreach/priority?view=lineage&lineageScope=neighbors", wait_until="domcontentloaded"
        )
        for table in ("member_score", "action_list", "night_report"):
            page.get_by_text(table, exact=True).first.wait_for(timeout=90_000)
        page.wait_for_timeout(2_000)
        keep(page.screenshot(), out / "dagster.png")
        page.close()
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(timeout=60)


def keep(png: bytes, path: Path) -> None:
    """Write a picture with 256 colours: a third of the size, and nobody sees it."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1).save(
        path, optimize=True
    )
    print(path, f"{path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
