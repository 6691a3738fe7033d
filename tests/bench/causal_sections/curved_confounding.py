"""Where people decide by a curve: what is left of it after adjustment, and what the gates make of that.

The effect is the same for all, so that every `publish` is false. What decides is recorded, so that an adjustment exists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import expit

from causal_sections._studies import decided_by_people, table

TITLE = "Confounding by a curve, and an effect that is the same for all"
EFFECT = 0.5
# Log-odds of being treated, and what they have to do with the outcome, by features a, b, c.
Curve = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
CURVES: dict[str, tuple[str, Curve]] = {
    "line": ("a, b", lambda a, b, c: (0.7 * a + 0.3 * b, a + b)),
    "square": ("a², b", lambda a, b, c: (0.8 * (a**2 - 1) + 0.5 * b, a**2 + b)),
    "wave and product": (
        "sin 2a, bc",
        lambda a, b, c: (1.2 * np.sin(2 * a) + b * c, 2 * np.sin(2 * a) + 1.5 * b * c),
    ),
    "jump": (
        "a beyond ±1, b > 0",
        lambda a, b, c: (1.5 * (np.abs(a) > 1) - 0.5, 2 * (np.abs(a) > 1) + (b > 0)),
    ),
    "corner": (
        "a > 0.5 and b > 0.3, c",
        lambda a, b, c: (
            1.5 * ((a > 0.5) & (b > 0.3)) + 0.3 * c - 0.3,
            2 * ((a > 0.5) & (b > 0.3)) + c,
        ),
    ),
    "product of three": ("abc", lambda a, b, c: (0.8 * a * b * c, a * b * c + a)),
}


def run(full: bool) -> str:
    """Markdown: per curve and size, verdicts, coverage of the average effect and its error."""
    each, sizes = (16, (1_500, 6_000)) if full else (1, (1_500,))
    rows = []
    for name, (decides, curve) in CURVES.items():
        for n in sizes:
            rows.append((name, decides, f"{n:,}", str(each), *_judged(curve, n, each)))
            print(*rows[-1], flush=True)
    head = (
        "curve",
        "decided by",
        "people",
        "studies",
        "publish",
        "fallback",
        "blocked",
        "interval holds",
        "mean error / s.e.",
    )
    return (
        f"Whole studies, learners `auto`, no placebo outcomes; five standard normal features, an effect of {EFFECT} for everybody, "
        "noise of one. Every `publish` is false; an interval holds the effect as often as the last two columns say, and 95 % is "
        f"what it promises.\n\n{table(head, rows)}"
    )


def _judged(curve: Curve, n: int, each: int) -> tuple[str, ...]:
    found: Counter[str] = Counter()
    z = []
    for seed in range(each):
        facts = decided_by_people(world(curve, n, seed), seed).facts
        e = facts["estimates"]["1"]
        z.append((e["ate"] - EFFECT) / e["se"])
        found[facts["verdict"]["1"]] += 1
    held = np.mean(np.abs(z) < 1.96)
    counts = [str(found[v]) for v in ("publish", "fallback", "blocked")]
    return (*counts, f"{held:.0%}", f"{np.mean(z):+.1f}")


def world(curve: Curve, n: int, seed: int) -> pd.DataFrame:
    """A study's rows: a to e, t, y."""
    draw = np.random.default_rng([seed, n])
    x = draw.normal(size=(n, 5))
    odds, level = curve(*x.T[:3])
    t = (draw.uniform(size=n) < expit(odds)).astype(int)
    y = level + EFFECT * t + draw.normal(size=n)
    return pd.DataFrame(x, columns=list("abcde")).assign(t=t, y=y)
