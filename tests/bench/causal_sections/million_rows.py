"""Seconds and memory of evaluating one million rows, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from causal_sections._studies import table

TITLE = "Evaluation of 1,000,000 rows"
ROOT = Path(__file__).resolve().parents[3]

_PROGRAM = """
import json, sys, time
import numpy as np
sys.path.insert(0, "tests/bench")
from causal_sections._memory import peak_mib
from causal.evaluation.rules import evaluate_rules, evaluation_rows

n = int(sys.argv[1])
rng = np.random.default_rng(0)
benefit, need = rng.normal(size=n), np.round(rng.gamma(1.0, size=n), 1)
gamma = 0.1 * benefit + rng.normal(size=n)
cluster, weight = np.arange(n) // 2, rng.uniform(0.5, 2.0, n)
before = peak_mib()
start = time.perf_counter()
found = evaluate_rules(benefit, need, gamma, cluster, weight, fraction=0.2, seed=0)
seconds = time.perf_counter() - start
peak = peak_mib()
rows = len(evaluation_rows("arm", found))
print(json.dumps({"seconds": seconds, "before": before, "peak": peak, "rows": rows}))
"""


def measure(rows: int) -> dict[str, float]:
    """Seconds, MiB before and at the peak (imports and inputs included), and how many metrics came out."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(rows)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def run(full: bool) -> str:
    """Markdown: four rankings with ties, households and weights, every metric and paired difference, BLP and groups."""
    rows = []
    for n in (100_000, 1_000_000) if full else (100_000,):
        m = measure(n)
        rows.append((f"{n:,}", f"{m['seconds']:.1f}", f"{m['before']:.0f}", f"{m['peak']:.0f}", f"{m['rows']:.0f}"))
    return table(("rows", "seconds", "MiB before (imports, inputs)", "MiB at the peak", "metrics"), rows)
