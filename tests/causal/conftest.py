"""Worlds with known truth, small enough for a busy machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causal.options import TrainOptions
from causal.train import TrainedStudy, train_study
from causal.trial import Trial, make_trial

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "causal"


@dataclass(frozen=True)
class World:
    """A trial with its true effects (natural sign: negative is good where `better` is lower)."""

    trial: Trial
    tau: np.ndarray
    risk: np.ndarray


def make_world(kind: str, n: int, seed: int = 0) -> World:
    """randomized | observational | hidden | null: outreach lowers y where f1 > 0; risk rises with f0.

    `hidden`: those offered were picked by a hunch that raises the outcome and is not among the features.
    """
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 6)), columns=[f"f{i}" for i in range(6)])
    hunch = rng.normal(size=n)
    risk = 1.0 + 0.8 * X["f0"].to_numpy() + (0.8 * hunch if kind == "hidden" else 0.0)
    tau = np.zeros(n) if kind == "null" else np.where(X["f1"] > 0, -1.2, 0.2)
    logit = 0.7 * X["f0"].to_numpy() + (1.0 * hunch if kind == "hidden" else 0.0)
    known = 0.5 if kind in ("randomized", "null") else None
    t = rng.binomial(1, known if known else 1 / (1 + np.exp(-logit)), n)
    y = risk + t * tau + rng.normal(size=n)
    before = risk + rng.normal(size=n)
    return World(make_trial(X, t, y, "lower", known_propensity=known, placebos={"before": before}), tau, risk)


@pytest.fixture(scope="session")
def world() -> Callable[..., World]:
    return make_world


@pytest.fixture(scope="session")
def quick() -> TrainOptions:
    return TrainOptions(
        learners=("constant", "causal_forest"), n_trees=100, threads=1, refutation_rows=1500, refutation_simulations=3
    )


@pytest.fixture(scope="session")
def randomized(quick: TrainOptions) -> tuple[World, TrainedStudy]:
    """One trained randomised world, shared by the tests that only look at it."""
    made = make_world("randomized", 3000, seed=1)
    return made, train_study(made.trial, quick, seed=5)


@pytest.fixture(scope="session")
def real_data() -> Path:
    if not REAL.exists():
        pytest.skip("real study files are not beside this checkout (shared/data/causal)")
    return REAL
