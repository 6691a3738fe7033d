"""Which code made a row: the release and, in a checkout, the commit."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path


def release() -> str:
    """E.g. `0.1.0`."""
    return version("outreach-uplift")


@cache
def code_version() -> str:
    """E.g. `0.1.0+a1b2c3d4`; without a checkout or without git only the release."""
    root = Path(__file__).resolve().parents[1]
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--short=8", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except OSError:
        return release()
    return f"{release()}+{found.stdout.strip()}" if found.returncode == 0 else release()
