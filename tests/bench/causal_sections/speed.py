"""What fitting an effect model and scoring with intervals cost, beside EconML in the same run.

python tests/bench/causal_sections/speed.py
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from effect_worlds import effect_world

from causal.encoding import fit_encoder
from causal.learners.base import LearnerData, LearnerOptions
from causal.learners.recalibrated import Recalibrated, Shrinkage
from causal.learners.registry import REGISTRY
from causal.nuisance import Nuisances
from causal.trial import Trial, make_trial

TITLE = "Speed of scoring with intervals"

N_TREES = 200
N_NOISE = 45
TRAINED_ON, SCORED = 5_000, 10_000
_LEARNERS = ("bayes_r", "forest_dr", "causal_forest")


def program(n: int, seed: int = 1) -> Trial:
    """Person-trials, four of each person, with as many features as a nightly program has (60 encoded columns)."""
    made = effect_world("smooth", n, seed, assignment="observational", rows_per_person=4, offered=0.3).trial
    noise = np.random.default_rng(seed + 1).normal(size=(n, N_NOISE))
    X = made.X.assign(**{f"z{i}": noise[:, i] for i in range(N_NOISE)})
    return make_trial(
        X, made.t, made.y, "lower", cluster=made.cluster, placebos={"before": made.X["n0"].to_numpy() + noise[:, 0]}
    )


def best_of(times: int, work: Callable[[], Any]) -> float:
    """Fewest seconds: what the machine's other work costs is not ours."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def scoring() -> list[tuple[str, float, float]]:
    """Name, seconds to fit the effect model, and seconds for effects with intervals; one thread everywhere."""
    from econml.dml import CausalForestDML
    from econml.grf import CausalForest

    trial = program(TRAINED_ON + SCORED)
    Z = fit_encoder(trial.X).transform(trial.X)
    seen, new = slice(0, TRAINED_ON), Z[TRAINED_ON:]
    X, t, y = Z[seen], trial.t[seen], trial.y[seen]
    even = np.full(TRAINED_ON, float(t.mean()))
    level = np.full(TRAINED_ON, float(y.mean()))
    data = LearnerData(X, t, y, trial.weight[seen], trial.cluster[seen], Nuisances(level, level, even))
    rows = []
    for name in _LEARNERS:
        start = time.perf_counter()
        fitted = REGISTRY[name].fit(data, LearnerOptions(seed=1, n_trees=N_TREES))
        fit_seconds = time.perf_counter() - start
        served = Recalibrated(fitted, Shrinkage(0.0, 0.0, 1.0, 0.0, 0.0, fitted.interval_kind == "posterior"))
        rows.append((name, fit_seconds, best_of(2, lambda served=served: served.with_interval(new))))
    start = time.perf_counter()
    forest = CausalForest(N_TREES, criterion="het", n_jobs=1, random_state=1)
    forest.fit(X, (t - even).reshape(-1, 1), y - level)
    rows.append(
        ("EconML CausalForest", time.perf_counter() - start, best_of(2, lambda: forest.predict(new, interval=True)))
    )
    dml = CausalForestDML(discrete_treatment=True, n_estimators=N_TREES, n_jobs=1, random_state=1)
    start = time.perf_counter()
    dml.fit(y, t, X=X)
    fit_seconds = time.perf_counter() - start
    rows.append(("EconML CausalForestDML", fit_seconds, best_of(2, lambda: dml.effect_inference(new).conf_int())))
    return rows


def run(full: bool) -> str:
    """Markdown; `full` or not, it is the same minute."""
    with threadpool_limits(limits=1):
        rows = scoring()
    reference = rows[-1][2]
    lines = [
        f"One thread; {TRAINED_ON:,} rows learnt from, {SCORED:,} scored with intervals, 60 columns, {N_TREES} trees. "
        "EconML's DML learner fits its nuisances too; ours get them (see training).\n",
        "| model | fit, s | score with intervals, s | times as fast as CausalForestDML |",
        "|---|---|---|---|",
    ]
    lines += [f"| {name} | {fit:.1f} | {score:.2f} | {reference / score:.1f} |" for name, fit, score in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(run("--full" in sys.argv))
