"""Worlds with known truth, small enough for a busy machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causal.options import TrainOptions
from causal.trial import Trial, make_trial

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "causal"


@dataclass(frozen=True)
class World:
    """A trial with its true effects (natural sign: negative is good where `better` is lower)."""

    trial: Trial
    tau: np.ndarray
    risk: np.ndarray


def make_world(kind: str, n: int = 3000, seed: int = 0, p: int = 6) -> World:
    """randomized | observational | hidden | null: events that outreach lowers for those with f1 > 0, risk by f0."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, p)), columns=[f"f{i}" for i in range(p)])
    hunch = rng.normal(size=n)
    risk = 1.0 + 0.8 * X["f0"].to_numpy() + (0.8 * hunch if kind == "hidden" else 0.0)
    tau = np.zeros(n) if kind == "null" else np.where(X["f1"] > 0, -1.2, 0.2)
    logit = 0.7 * X["f0"].to_numpy() + (1.0 * hunch if kind == "hidden" else 0.0)
    e = np.full(n, 0.5) if kind in ("randomized", "null") else 1 / (1 + np.exp(-logit))
    t = rng.binomial(1, e)
    y = risk + t * tau + rng.normal(size=n)
    before = risk + rng.normal(size=n)
    known = 0.5 if kind in ("randomized", "null") else None
    trial = make_trial(X, t, y, "lower", known_propensity=known, placebos={"before": before})
    return World(trial, tau, risk)


QUICK = TrainOptions(
    learners=("constant", "causal_forest"), n_trees=100, threads=1, refutation_rows=1500, refutation_simulations=3
)


@pytest.fixture(scope="session")
def real_data() -> Path:
    if not REAL.exists():
        pytest.skip("real study files are not beside this checkout (shared/data/causal)")
    return REAL
