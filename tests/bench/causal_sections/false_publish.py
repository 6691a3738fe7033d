"""How often does noise get published? Whole studies in which nobody benefits more than anybody else."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from causal.options import TrainOptions
from causal.study import run_study
from causal_sections._studies import table
from contracts.study import parse_study

TITLE = "False `publish` where nobody benefits more than anybody else"
ROWS = 600
OUTCOMES = ("continuous", "binary", "count")
DESIGNS = ("randomised", "observational")
# With an effect that is the same for all, ranking can still be "valuable at capacity": the harder case.
EFFECTS = (0.0, 0.5)


def run(full: bool) -> str:
    """Markdown: verdicts over worlds, and the rate of `publish`."""
    each = 25 if full else 1
    options = TrainOptions(n_trees=48, threads=1, refutation_rows=ROWS, refutation_simulations=2)
    rows, total = [], Counter[str]()
    for design in DESIGNS:
        for outcome in OUTCOMES:
            for effect in EFFECTS:
                found: Counter[str] = Counter()
                covered = 0
                for seed in range(each):
                    facts = run_study(world(design, outcome, effect, seed), parse_study(study(design)), seed, options=options).facts  # fmt: skip
                    e = facts["estimates"]["1"]
                    covered += e["ci_low"] <= average_effect(design, outcome, effect) <= e["ci_high"]
                    found[facts["verdict"]["1"]] += 1
                total += found
                counts = [str(found[v]) for v in ("publish", "fallback", "blocked")]
                rows.append((design, outcome, f"{effect:g}", *counts, f"{covered / each:.0%}"))
    n = sum(total.values())
    head = ("design", "outcome", "effect (linear scale)", "publish", "fallback", "blocked", "interval holds the effect")
    said = f"{n} studies of {ROWS} rows, learners `auto`: {total['publish']} published ({total['publish'] / n:.1%})."
    return f"{said}\n\n{table(head, rows)}"


def world(design: str, outcome: str, effect: float, seed: int) -> pd.DataFrame:
    """Six features; the first decides who is treated (observational) and how the outcome is; one shift for all."""
    rng = np.random.default_rng([seed, len(design), len(outcome), int(10 * effect)])
    x = rng.normal(size=(ROWS, 6))
    t = rng.binomial(1, 0.5 if design == "randomised" else 1 / (1 + np.exp(-0.7 * x[:, 0])), ROWS)
    noise = rng.normal(size=ROWS)
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(6)]).assign(t=t)
    return frame.assign(y=_outcome(outcome, x[:, 0], t * effect, noise, rng), before=x[:, 0] + rng.normal(size=ROWS))


def study(design: str) -> dict[str, object]:
    """The study of such a frame."""
    return {
        "name": "no heterogeneity",
        "treatment": {"column": "t", "control": 0, "treated": [1]},
        "outcome": {"column": "y", "better": "higher"},
        "assignment": "observational" if design == "observational" else {"randomized": 0.5},
        "placebo_outcomes": ["before"],
    }


def average_effect(design: str, outcome: str, effect: float) -> float:
    """The true average effect, the same for everybody on every scale."""
    return {"continuous": effect, "binary": 0.4 * effect, "count": effect}[outcome]


def _outcome(
    outcome: str, risk: np.ndarray, shift: np.ndarray, noise: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Additive on the outcome's own scale, so that nobody's effect differs from anybody's."""
    if outcome == "binary":
        return rng.binomial(1, 0.2 + 0.3 / (1 + np.exp(-risk)) + 0.4 * shift).astype(float)
    if outcome == "count":
        return rng.poisson(0.5 + 0.5 * np.minimum(np.exp(0.5 * risk), 4) + shift).astype(float)
    return risk + shift + noise
