"""Worlds in which each gate has something to find, or nothing: sound trials, and one planted defect at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from causal.trial import Trial, make_trial

Design = Literal["randomized", "observational"]
Outcome = Literal["continuous", "binary", "count"]


@dataclass(frozen=True)
class Defect:
    """What is wrong with a world; 0 = nothing.

    Attributes:
        hidden: pull of an unmeasured state on choice, outcome and negative controls.
        group_effect: added to the benefit of one group (race `b`) that the features do not show.
        misassigned: pull of a feature on an assignment whose logged probabilities say one half.
    """

    hidden: float = 0.0
    group_effect: float = 0.0
    misassigned: float = 0.0


SOUND = Defect()


def gate_world(
    design: Design,
    n: int,
    seed: int,
    *,
    outcome: Outcome = "continuous",
    effect: float = 1.0,
    defect: Defect = SOUND,
    n_controls: int = 24,
) -> Trial:
    """A trial with curved selection on measured features, effects that vary, correlated negative controls and groups.

    `effect` scales the effect on y (lower is better); 0 = none for anybody. Every second unit shares a household.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 8))
    visits = rng.poisson(np.exp(0.5 * x[:, 0]))
    sex = rng.choice(["f", "m"], n)
    race = rng.choice(["a", "b", "c", "d", "e"], n, p=[0.5, 0.25, 0.15, 0.08, 0.02])
    state = rng.normal(size=n)
    chosen = 0.5 * x[:, 0] + 0.6 * (x[:, 1] > 0.5) - 0.4 * x[:, 0] * (x[:, 2] > 0) - 0.3 + defect.hidden * state
    if design == "randomized":
        chosen = defect.misassigned * x[:, 0] + defect.hidden * state
    t = rng.binomial(1, 1 / (1 + np.exp(-chosen)), n)
    tau = -effect * (0.2 + 0.6 * (x[:, 3] > 0)) - defect.group_effect * (race == "b")
    level = 0.5 * x[:, 0] + 0.3 * np.abs(x[:, 1]) + 0.1 * visits + defect.hidden * state + t * tau
    y = _observed(level, outcome, rng)
    features = pd.DataFrame(x, columns=[f"x{i}" for i in range(8)]).assign(visits=visits, sex=sex)
    return make_trial(
        features,
        t,
        y,
        "lower",
        cluster=np.arange(n) // 2 * 2 + (np.arange(n) % 2) * (rng.random(n) < 0.5),
        known_propensity=0.5 if design == "randomized" else None,
        placebos={"before": level - t * tau + rng.normal(size=n)},
        negative_controls=_controls(x, state * defect.hidden, n_controls, rng),
        groups=pd.DataFrame({"sex": sex, "race": race, "age": np.round(50 + 15 * x[:, 4])}),
    )


def _observed(level: np.ndarray, outcome: Outcome, rng: np.random.Generator) -> np.ndarray:
    if outcome == "binary":
        return rng.binomial(1, 1 / (1 + np.exp(1.0 - level))).astype(float)
    if outcome == "count":
        return rng.poisson(np.exp(0.7 * level - 0.7)).astype(float)
    return level + rng.normal(size=len(level))


def _controls(x: np.ndarray, state: np.ndarray, count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Past measures of all kinds that hang together beyond the features: counts, flags, skewed dollars, sums."""
    shared = rng.normal(size=len(x))
    found = {}
    for j in range(count):
        level = x[:, :4] @ rng.normal(scale=0.3, size=4) + 0.5 * shared + rng.uniform(0.0, 1.0) * state
        kind = j % 4
        noise = rng.normal(size=len(x))
        if kind == 0:
            values = rng.poisson(np.exp(0.6 * level - 0.5)).astype(float)
        elif kind == 1:
            values = (level + noise > 0.8).astype(float)
        elif kind == 2:
            values = np.exp(0.7 * (level + noise))
        else:
            values = level + noise
        found[f"control_{j}"] = values
    return found
