"""Held-apart worlds with known effects for every person: to design an estimator on some, and to judge it on others.

`DESIGN` shapes may be looked at while an estimator is made; `JUDGE` shapes may not: they are other functions of other
features, and only the printed averages of `tests/bench/causal_sections/intervals.py` come from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from causal.trial import Trial, make_trial

Outcome = Literal["continuous", "binary", "count"]
Assignment = Literal["randomized", "observational"]


@dataclass(frozen=True)
class EffectWorld:
    """A trial, the true effect of every row (natural sign), and as many new people with theirs."""

    trial: Trial
    tau: np.ndarray
    new: pd.DataFrame
    new_tau: np.ndarray


@dataclass(frozen=True)
class _People:
    """Features: six normal (two pairs correlated), two skewed counts, three yes/no, one word of four."""

    normal: np.ndarray
    count: np.ndarray
    flag: np.ndarray
    word: np.ndarray

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(
            {f"n{i}": self.normal[:, i] for i in range(6)}
            | {f"c{i}": self.count[:, i] for i in range(2)}
            | {f"f{i}": self.flag[:, i] for i in range(3)}
            | {"word": np.array(["north", "east", "south", "west"])[self.word]}
        )


Shape = Callable[[_People], np.ndarray]

DESIGN: dict[str, Shape] = {
    "constant": lambda x: np.zeros(len(x.word)),
    "linear": lambda x: x.normal[:, 0] + 0.5 * x.normal[:, 1] - 0.5 * x.flag[:, 0],
    "step": lambda x: (x.normal[:, 0] > 0.3).astype(float),
    "smooth": lambda x: np.sin(1.5 * x.normal[:, 0]) + 0.5 * x.normal[:, 2] ** 2,
    "sparse": lambda x: x.flag[:, 1] * x.normal[:, 3],
}
JUDGE: dict[str, Shape] = {
    "flat": lambda x: np.zeros(len(x.word)),
    "many_linear": lambda x: x.normal @ np.array([0.5, 0.4, -0.3, 0.3, 0.2, -0.2]) + 0.1 * x.count[:, 0],
    "two_steps": lambda x: ((x.normal[:, 1] > -0.2) & (x.count[:, 1] > 0)).astype(float) + 0.5 * x.flag[:, 2],
    "hump": lambda x: np.exp(-(x.normal[:, 2] ** 2)) + 0.4 * np.tanh(2 * x.normal[:, 4]),
    "one_flag": lambda x: x.flag[:, 0].astype(float),
    "ramp": lambda x: np.clip(x.normal[:, 3], 0.0, 1.5) + 0.3 * (x.word == 2),
    "product": lambda x: x.normal[:, 0] * x.normal[:, 5] + 0.3 * x.normal[:, 2],
}


def effect_world(
    shape: str,
    n: int,
    seed: int,
    *,
    assignment: Assignment = "randomized",
    outcome: Outcome = "continuous",
    rows_per_person: int = 1,
    spread: float = 0.5,
    offered: float = 0.5,
) -> EffectWorld:
    """Make a world.

    Args:
        shape: key of DESIGN or JUDGE.
        n: rows, of n / rows_per_person people whose outcomes hang together beyond the features.
        spread: standard deviation of the effect in units of a continuous outcome's noise (binary: a tenth of it on the
            probability, counts: half of it on the rate); the average effect is as large.
        offered: chance of treatment (mean of it where it depends on features).
    """
    rng = np.random.default_rng(seed)
    size = {"continuous": 1.0, "binary": 0.2, "count": 0.5}[outcome] * spread
    x, new = _people(n, rows_per_person, rng), _people(4_000, 1, rng)
    form = {**DESIGN, **JUDGE}[shape]
    raw, raw_new = form(x), form(new)
    centre, scale = raw_new.mean(), raw_new.std() or 1.0
    tau, tau_new = (size * ((r - centre) / scale - 1.0) for r in (raw, raw_new))
    chance = np.full(n, offered)
    if assignment == "observational":
        pull = 0.6 * x.normal[:, 0] - 0.5 * (x.normal[:, 1] > 0.5) + 0.3 * x.flag[:, 0] + 0.2 * x.count[:, 0]
        level = np.log(offered / (1 - offered)) - pull.mean()
        chance = 1 / (1 + np.exp(-(pull + level)))
    t = rng.binomial(1, chance)
    person = np.arange(n) // rows_per_person
    own = rng.normal(size=n)[person] if rows_per_person > 1 else np.zeros(n)
    level0 = (
        0.5 * x.normal[:, 0] + 0.4 * np.abs(x.normal[:, 1]) + 0.3 * x.count[:, 0] * x.flag[:, 0] + 0.2 * x.flag[:, 2]
    )
    y, tau = _outcome(level0, own, t, tau, outcome, rng)
    trial = make_trial(
        x.frame(), t, y, "lower", cluster=person, known_propensity=chance if assignment == "randomized" else None
    )
    if outcome != "continuous":
        # Chances and rates are held in their range; new people's effects are held likewise.
        level_new = (
            0.5 * new.normal[:, 0] + 0.4 * np.abs(new.normal[:, 1]) + 0.3 * new.count[:, 0] * new.flag[:, 0]
            + 0.2 * new.flag[:, 2]
        )  # fmt: skip
        tau_new = _held(level_new, np.zeros(len(level_new)), tau_new, outcome)[1]
    return EffectWorld(trial, tau, new.frame(), tau_new)


def _people(n: int, rows_per_person: int, rng: np.random.Generator) -> _People:
    """Three quarters of a person's features stay from row to row."""
    people = -(-n // rows_per_person)
    person = np.arange(n) // rows_per_person
    normal = rng.normal(size=(people, 6))[person]
    if rows_per_person > 1:
        normal[:, ::4] = np.sqrt(0.75) * normal[:, ::4] + 0.5 * rng.normal(size=normal[:, ::4].shape)
    normal[:, 1] = 0.5 * normal[:, 0] + np.sqrt(0.75) * normal[:, 1]
    normal[:, 5] = 0.3 * normal[:, 4] + np.sqrt(0.91) * normal[:, 5]
    return _People(
        normal,
        rng.poisson(rng.gamma(1.0, 1.0, size=(people, 2)))[person].astype(float),
        rng.binomial(1, [0.5, 0.3, 0.15], size=(people, 3))[person].astype(float),
        rng.integers(0, 4, people)[person],
    )


def _held(level: np.ndarray, own: np.ndarray, tau: np.ndarray, outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Untreated chance or rate, and the effect that leaves the treated one in its range."""
    if outcome == "binary":
        base = np.clip(1 / (1 + np.exp(1.2 - 0.6 * (level + own))), 0.02, 0.98)
        return base, np.clip(base + tau, 0.01, 0.99) - base
    base = np.exp(0.5 * (level + 0.5 * own))
    return base, np.maximum(base + tau, 0.05) - base


def _outcome(
    level: np.ndarray, own: np.ndarray, t: np.ndarray, tau: np.ndarray, outcome: Outcome, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    if outcome == "continuous":
        return level + 0.7 * own + t * tau + rng.normal(size=len(t)), tau
    # The effect given the features is that at the person's average state; own states move outcomes, not effects.
    base, kept = _held(level, np.zeros(len(t)), tau, outcome)
    if outcome == "binary":
        return rng.binomial(1, base + t * kept).astype(float), kept
    return rng.poisson((base + t * kept) * rng.gamma(4.0, 0.25, len(t))).astype(float), kept
