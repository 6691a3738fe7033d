"""How often each gate fails where nothing is wrong, how often it finds the defect it is for, and what it costs.

    python tests/bench/bench_gates.py [--trials N] [--rows N] [--worlds WORD ...]      rates (minutes to hours)
    python tests/bench/bench_gates.py --cost [--rows 20000]                            seconds by step, one thread

A failing gate that looks for a defect should be rarer in sound trials than its alpha (.05); `veto` counts trials that
would have been published but for that gate. Effects are read from `tests/gate_worlds.py`.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gate_worlds import Defect, gate_world

from causal.gates.registry import GATE_NAMES
from causal.gates.result import verdict
from causal.options import TrainOptions
from causal.train import TrainedStudy, train_study
from causal.trial import Placebo

WORLDS: dict[str, dict[str, Any]] = {
    "sound randomized continuous": {"design": "randomized"},
    "sound randomized binary": {"design": "randomized", "outcome": "binary"},
    "sound randomized count": {"design": "randomized", "outcome": "count"},
    "sound randomized no effect": {"design": "randomized", "effect": 0.0},
    "sound observational continuous": {"design": "observational"},
    "sound observational binary": {"design": "observational", "outcome": "binary"},
    "sound observational count": {"design": "observational", "outcome": "count"},
    "sound observational no effect": {"design": "observational", "effect": 0.0},
    "hidden selection, no effect": {"design": "observational", "effect": 0.0, "defect": Defect(hidden=0.5)},
    "hidden selection, effect": {"design": "observational", "defect": Defect(hidden=0.5)},
    "faint hidden selection, no effect": {"design": "observational", "effect": 0.0, "defect": Defect(hidden=0.15)},
    "logged chances are wrong": {"design": "randomized", "defect": Defect(misassigned=0.8)},
    "a group benefits more, unseen": {"design": "randomized", "defect": Defect(group_effect=0.8)},
}


def studies(world: dict[str, Any], trials: int, rows: int, options: TrainOptions) -> Iterator[TrainedStudy]:
    """Independent trials of a world, trained and judged."""
    for seed in range(trials):
        yield train_study(gate_world(n=rows, seed=seed, **world), options, seed)


def rates(found: list[TrainedStudy]) -> pd.DataFrame:
    """Share of every status by gate, and of trials that this gate alone kept from being published."""
    count: Counter[tuple[str, str]] = Counter()
    for study in found:
        for at, gate in enumerate(study.gates):
            count[gate.name, gate.status] += 1
            others = [*study.gates[:at], replace(gate, status="pass"), *study.gates[at + 1 :]]
            count[gate.name, "veto"] += gate.status == "fail" and verdict(others) == "publish"
    columns = ("fail", "inconclusive", "pass", "veto")
    return pd.DataFrame({c: [count[name, c] / len(found) for name in GATE_NAMES] for c in columns}, index=GATE_NAMES)


def print_rates(trials: int, rows: int, words: list[str]) -> None:
    options = TrainOptions(learners=("linear_dr",), threads=1, refutation_rows=min(rows, 2000))
    for name, world in WORLDS.items():
        if words and not all(word in name for word in words):
            continue
        found = list(studies(world, trials, rows, options))
        verdicts = Counter(study.verdict for study in found)
        print(f"\n{name}: {trials} trials of {rows} rows; verdicts {dict(verdicts)}")
        print(rates(found).round(3).to_string(), flush=True)


def print_cost(rows: int, features: int = 120) -> None:
    """Seconds by step of one observational study as wide as a nightly program's, with five sets of excluded features."""
    rng = np.random.default_rng(0)
    trial = gate_world("observational", rows, 1)
    more = rng.poisson(1.0, size=(rows, features - trial.X.shape[1]))
    X = trial.X.assign(**{f"n{j}": more[:, j] for j in range(more.shape[1])})
    controls = {
        name: Placebo(control.values, tuple(f"n{j}" for j in range(5 * (k % 5), 5 * (k % 5) + 5)))
        for k, (name, control) in enumerate(trial.negative_controls.items())
    }
    study = train_study(replace(trial, X=X, negative_controls=controls), TrainOptions(threads=1), 1)
    total = sum(s for name, s in study.timings.items() if name != "gates" and not name.startswith("gate_"))
    total += study.timings["gates"]
    print(f"{rows} rows x {features} features, one thread: {total:.1f} s; learner {study.learner}")
    for name, seconds in study.timings.items():
        print(f"  {name:24s}{seconds:8.2f} s {seconds / total:6.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--worlds", nargs="*", default=[], help="words that a world's name must hold")
    parser.add_argument("--cost", action="store_true")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    if chosen.cost:
        print_cost(chosen.rows or 20_000)
    else:
        print_rates(chosen.trials, chosen.rows or 2_000, chosen.worlds)


if __name__ == "__main__":
    main()
