"""The causal core on known truth and on public data, as a page of evidence.

    python tests/bench/bench_causal.py                 every section in full, into docs/causal-evidence.md (two to three hours)
    python tests/bench/bench_causal.py --only NAME …   some sections in full; the others stay on the page as they are
    python tests/bench/bench_causal.py --short …       with few repetitions; writes nothing

A section is a module of tests/bench/causal_sections with `TITLE` and `run(full) -> Markdown`. One that needs data which are
not there says so in its text. One thread, so that times mean something beside others'.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
import warnings
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "bench"), str(ROOT)]

PAGE = ROOT / "docs" / "causal-evidence.md"
HEAD = (
    "# Evidence for the causal core\n\n"
    'Written by `make bench-causal` (`ARGS="--only NAME"` for one section). Seeds are fixed in the sections\' modules, '
    "`tests/bench/causal_sections`, so that all numbers but seconds and sizes of processes come out again. "
    "`make test-causal` checks the same claims with few repetitions."
)
LIBRARIES = ("econml", "dowhy", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy", "scikit-uplift")
# In the order of the page; sections that another part has not brought yet are left out.
ORDER = (
    "hillstrom", "nhefs", "ihdp", "average_effects", "evaluation", "false_publish", "curved_confounding", "published_worlds", "intervals", "million_rows", "simulator", "training", "large_study", "speed",
)  # fmt: skip


def sections() -> list[str]:
    """Names of the modules there are, in the order of ORDER, others after them."""
    found = sorted(p.stem for p in (ROOT / "tests" / "bench" / "causal_sections").glob("[a-z]*.py"))
    return [n for n in ORDER if n in found] + [n for n in found if n not in ORDER]


def write_page(new: dict[str, str]) -> None:
    """Put sections (name -> text) on the page, each with its date and versions, beside those that stand there."""
    made = f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    texts = {
        name: text
        for name in sections()
        if (text := _standing(importlib.import_module(f"causal_sections.{name}").TITLE))
    }
    for name, text in new.items():
        title = importlib.import_module(f"causal_sections.{name}").TITLE
        texts[name] = f"## {title}\n\n{text}\n\n*`--only {name}`, {datetime.now(UTC):%Y-%m-%d}; {made}.*"
    parts = [HEAD, *(texts[name] for name in sections() if name in texts)]
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _standing(title: str) -> str:
    """A section as it stands on the page, or nothing."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    found = [part for part in page.split("\n## ") if part.startswith(title + "\n")]
    return f"## {found[0].strip()}" if found else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", nargs="+", choices=sections(), default=sections(), metavar="NAME")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in chosen.only:
        section = importlib.import_module(f"causal_sections.{name}")
        print(f"== {section.TITLE} ({name})", flush=True)
        start = time.perf_counter()
        text = section.run(not chosen.short)
        print(f"{text}\n-- {time.perf_counter() - start:.0f} s\n", flush=True)
        if not chosen.short:
            write_page({name: text})


if __name__ == "__main__":
    main()
