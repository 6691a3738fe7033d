"""A page as PDF by the print engine of a Chromium that is on the machine; nothing is downloaded."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from contracts.errors import UserError

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
    "--no-pdf-header-footer",
)  # fmt: skip


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome on the search path."""
    return next((path for name in CHROMIUM if (path := shutil.which(name))), None)


def print_page(page: Path) -> Path:
    """Print a page of ours to `<page>.pdf` beside it; returns the PDF's path.

    Chromium's sandbox needs user namespaces, which containers and root often lack: where it does not start, it is started
    again without. The page is ours, needs no network and holds no script.

    Raises:
        UserError: there is no Chromium, or it printed nothing.
    """
    found = find_chromium()
    if found is None:
        raise UserError(
            "A PDF needs Chromium or Chrome, and neither is on this machine.",
            todo="install one (Debian: apt-get install chromium), or print the page from any browser.",
        )
    out = page.with_suffix(".pdf")
    with tempfile.TemporaryDirectory(dir=page.parent, prefix=".print-") as folder:
        made = Path(folder) / out.name
        for sandbox in ((), ("--no-sandbox",)):
            argv = [
                found,
                *_FLAGS,
                *sandbox,
                f"--user-data-dir={folder}/profile",
                f"--print-to-pdf={made}",
                page.as_uri(),
            ]
            try:
                subprocess.run(argv, capture_output=True, timeout=120, check=False)
            except subprocess.TimeoutExpired:
                continue
            if made.exists() and made.read_bytes()[:5] == b"%PDF-":
                made.replace(out)
                out.chmod(0o600)
                return out
    raise UserError(f"{Path(found).name} printed nothing.", todo="print the page from any browser.")
