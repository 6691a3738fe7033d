"""A whole study of a million people through the path of `outreach study run`: seconds and memory, from file to report.

python tests/bench/causal_sections/large_study.py [--full]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from causal_sections._studies import table

TITLE = "A study of 1,000,000 people, from file to report"
ROOT = Path(__file__).resolve().parents[3]

_STUDY = """
name: large
data: trial.parquet
treatment: {column: offered, control: 0, treated: [1]}
outcome: {column: visits, better: lower}
assignment: {randomized: 0.5}
"""
_PROGRAM = """
import json, sys, time
from pathlib import Path
sys.path[:0] = [".", "tests/bench"]
from causal_sections._memory import peak_mib
from jobs.study import run_study_file

start = time.perf_counter()
files = run_study_file(Path(sys.argv[1]) / "study.yaml", Path(sys.argv[1]) / "results")
print(json.dumps({"seconds": time.perf_counter() - start, "gb": peak_mib() / 2**10, "facts": str(files.facts)}))
"""


def write_study(folder: Path, n: int, seed: int = 5) -> float:
    """Write a randomised trial of visits, spared where `x1` is above 0; returns its true average effect."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({f"x{i}": rng.normal(size=n).round(3) for i in range(15)})
    X["region"], X["past_visits"] = rng.choice(["a", "b", "c", "d"], n), rng.poisson(2, n)
    offered = rng.integers(0, 2, n)
    rate = np.exp(0.2 * X["x0"] - 0.5 + 0.1 * X["past_visits"]).to_numpy()
    spared = np.where(X["x1"] > 0, np.exp(-0.2), 1.0)
    X.loc[rng.random(n) < 0.05, "x3"] = np.nan
    X["offered"], X["visits"] = offered, rng.poisson(rate * np.where(offered == 1, spared, 1.0))
    X.to_parquet(folder / "trial.parquet", index=False)
    (folder / "study.yaml").write_text(_STUDY, encoding="utf-8")
    return float(np.mean(rate * (spared - 1.0)))


def run(full: bool) -> str:
    """Markdown: one row per size."""
    rows = []
    for n in (100_000, 1_000_000) if full else (20_000,):
        with tempfile.TemporaryDirectory() as name:
            truth = write_study(Path(name), n)
            done = subprocess.run(
                [sys.executable, "-c", _PROGRAM, name], cwd=ROOT, capture_output=True, text=True, check=True
            )
            found = json.loads(done.stdout)
            facts = json.loads(Path(found["facts"]).read_text(encoding="utf-8"))
        ate = facts["estimates"]["1"]
        rows.append(
            (f"{n:,}", f"{found['seconds']:.0f}", f"{found['gb']:.1f}", facts["verdict"]["1"], f"{truth:.4f}",
             f"{ate['ate']:.4f} ({ate['ci_low']:.4f} to {ate['ci_high']:.4f})")
        )  # fmt: skip
    return (
        "A randomised trial of 17 features in Parquet, all learners, every gate; learners are fitted on "
        "a sample of it (`max_train_rows`), everything else uses all rows.\n\n"
        + table(("people", "seconds", "GB at the peak", "verdict", "true average effect", "estimate"), rows)
    )


if __name__ == "__main__":
    print(run("--full" in sys.argv))
