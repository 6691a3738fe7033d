"""What training three programs costs, with every gate asked, in a process that does nothing else.

python tests/bench/causal_sections/training.py [--full]
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from effect_worlds import Outcome, effect_world

from causal.options import TrainOptions
from causal.train import train_study
from causal.trial import Trial, make_trial
from causal_sections._memory import peak_mib

TITLE = "Training three programs: time and memory"

ROWS, FEW_ROWS = 100_000, 4_000
N_NOISE, N_PLACEBOS, N_CONTROLS = 45, 2, 22
THREADS = TrainOptions().threads  # as a night trains
# Counts, as programs have them, are learnt on two scales and cost most.
_PROGRAMS: tuple[tuple[str, Outcome], ...] = (("smooth", "count"), ("step", "count"), ("linear", "continuous"))


def program(shape: str, outcome: Outcome, n: int, seed: int) -> Trial:
    """Person-trials, four of each person, 60 encoded columns, and as many placebos and controls as a nightly program has."""
    made = effect_world(
        shape, n, seed, assignment="observational", outcome=outcome, rows_per_person=4, offered=0.3
    ).trial
    rng = np.random.default_rng(seed + 1)
    noise = rng.normal(size=(n, N_NOISE))
    X = made.X.assign(**{f"z{i}": noise[:, i] for i in range(N_NOISE)})
    level = made.X["n0"].to_numpy()
    return make_trial(
        X, made.t, made.y, "lower", cluster=made.cluster,
        placebos={f"before {i}": level + rng.normal(size=n) for i in range(N_PLACEBOS)},
        negative_controls={f"control {i}": level + rng.normal(size=n) for i in range(N_CONTROLS)},
    )  # fmt: skip


def _train(rows: int) -> None:
    studies = []
    for seed, (shape, outcome) in enumerate(_PROGRAMS):
        start = time.perf_counter()
        study = train_study(program(shape, outcome, rows, seed), TrainOptions(threads=THREADS), seed)
        studies.append({"seconds": time.perf_counter() - start, "learner": study.learner, "steps": dict(study.timings)})
    print(json.dumps({"gb": peak_mib() / 2**10, "studies": studies}))


def measured(rows: int) -> dict[str, Any]:
    """Seconds by step of each study, and the peak of the process."""
    done = subprocess.run(
        [sys.executable, __file__, "--train", str(rows)], capture_output=True, text=True, check=True, timeout=3_000
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run(full: bool) -> str:
    """Markdown: total, peak, slowest steps."""
    rows = ROWS if full else FEW_ROWS
    found = measured(rows)
    steps = pd.DataFrame([s["steps"] for s in found["studies"]]).sum()
    # Steps named gate_* are parts of the step `gates`.
    slow = steps[~steps.index.str.startswith("gate_")].sort_values(ascending=False).head(8)
    seconds = sum(s["seconds"] for s in found["studies"])
    return (
        f"Three programs of {rows:,} person-trials (four of each person, 60 columns, {N_PLACEBOS} placebos, {N_CONTROLS} negative "
        f"controls, all learners, every gate), one after the other, on {THREADS} threads as a night trains: {seconds / 60:.1f} minutes, peak "
        f"{found['gb']:.1f} GB. Learners chosen: {', '.join(s['learner'] for s in found['studies'])}. Slowest steps, of all three: "
        + ", ".join(f"{name} {value:.0f} s" for name, value in slow.items())
        + "."
    )


if __name__ == "__main__":
    if "--train" in sys.argv:
        _train(int(sys.argv[-1]))
    else:
        print(run("--full" in sys.argv))
