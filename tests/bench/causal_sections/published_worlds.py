"""Simulations that the literature knows as hard for adjustment: what whole studies make of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import expit

from causal_sections._studies import decided_by_people, table

TITLE = "Confounding in published simulations"
# Features (n, p), chances of being treated, outcome without treatment and effect (n,) each, of a world; noise is one.
World = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def kang_schafer(draw: np.random.Generator, n: int) -> World:
    """Kang & Schafer (2007): linear in four features, of which the study has transforms of long tails. No effect."""
    z = draw.normal(size=(n, 4))
    chance = expit(-z[:, 0] + 0.5 * z[:, 1] - 0.25 * z[:, 2] - 0.1 * z[:, 3])
    level = 210 + 27.4 * z[:, 0] + 13.7 * z[:, 1:].sum(axis=1)
    x = np.column_stack(
        [
            np.exp(z[:, 0] / 2),
            z[:, 1] / (1 + np.exp(z[:, 0])) + 10,
            (z[:, 0] * z[:, 2] / 25 + 0.6) ** 3,
            (z[:, 1] + z[:, 3] + 20) ** 2,
        ]
    )
    return x, chance, level, np.zeros(n)


def nie_wager_a(draw: np.random.Generator, n: int) -> World:
    """Nie & Wager (2021), setup A: chances and outcomes are hard, the effect is easy."""
    x = draw.uniform(size=(n, 6))
    wave = np.sin(np.pi * x[:, 0] * x[:, 1])
    effect = (x[:, 0] + x[:, 1]) / 2
    level = wave + 2 * (x[:, 2] - 0.5) ** 2 + x[:, 3] + 0.5 * x[:, 4]
    return x, np.clip(wave, 0.1, 0.9), level - effect / 2, effect


def nie_wager_c(draw: np.random.Generator, n: int) -> World:
    """Setup C: chances are easy, outcomes are hard, the effect is one."""
    x = draw.normal(size=(n, 6))
    level = 2 * np.log1p(np.exp(x[:, :3].sum(axis=1)))
    return x, expit(-x[:, 1] - x[:, 2]), level - 0.5, np.ones(n)


def nie_wager_d(draw: np.random.Generator, n: int) -> World:
    """Setup D: the arms have nothing to do with each other."""
    x = draw.normal(size=(n, 6))
    treated, control = np.maximum(x[:, :3].sum(axis=1), 0), np.maximum(x[:, 3:5].sum(axis=1), 0)
    return x, 1 / (1 + np.exp(-x[:, 0]) + np.exp(-x[:, 1])), control, treated - control


WORLDS: dict[str, Callable[[np.random.Generator, int], World]] = {
    "Kang & Schafer": kang_schafer,
    "Nie & Wager A": nie_wager_a,
    "Nie & Wager C": nie_wager_c,
    "Nie & Wager D": nie_wager_d,
}


def run(full: bool) -> str:
    """Markdown: per world and size, how far estimates are off, and verdicts."""
    each, sizes = (16, (1_000, 4_000)) if full else (1, (1_000,))
    rows = []
    for name, world in WORLDS.items():
        for n in sizes:
            rows.append((name, f"{n:,}", *_judged(world, n, each)))
            print(*rows[-1], flush=True)
    head = (
        "world",
        "people",
        "difference in means is off by",
        "ATE is off by",
        "its s.e.",
        "interval holds",
        "verdicts",
    )
    return (
        f"Whole studies, learners `auto`, {each} of each, no placebo outcomes; means over the studies, the true effect being that of the "
        f"people in support. In the first and third world the effect is the same for all.\n\n{table(head, rows)}"
    )


def _judged(world: Callable[[np.random.Generator, int], World], n: int, each: int) -> tuple[str, ...]:
    verdicts: Counter[str] = Counter()
    found = []
    for seed in range(each):
        frame, effect = _drawn(world, n, seed)
        done = decided_by_people(frame, seed)
        people = done.scores["unit_id"][done.scores["in_support"]].to_numpy()
        estimate, truth = done.facts["estimates"]["1"], effect[people].mean()
        found.append((estimate["naive_difference"] - effect.mean(), estimate["ate"] - truth, estimate["se"]))
        verdicts[done.facts["verdict"]["1"]] += 1
    naive, error, se = np.array(found).T
    held = np.mean(np.abs(error) < 1.96 * se)
    said = ", ".join(f"{v} {verdicts[v]}" for v in ("publish", "fallback", "blocked") if verdicts[v])
    return f"{naive.mean():+.2f}", f"{error.mean():+.3f}", f"{se.mean():.3f}", f"{held:.0%}", said


def _drawn(world: Callable[[np.random.Generator, int], World], n: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """A study's rows, and everybody's effect."""
    draw = np.random.default_rng([seed, n])
    x, chance, level, effect = world(draw, n)
    t = (draw.uniform(size=n) < chance).astype(int)
    y = level + effect * t + draw.normal(size=n)
    return pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])]).assign(t=t, y=y), effect
