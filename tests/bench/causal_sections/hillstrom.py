"""A randomised trial with three arms that nobody here made: effects, ranking, and the same rows with arms shuffled."""

from __future__ import annotations

from collections import Counter

import numpy as np

from causal.options import TrainOptions
from causal.study import run_study
from causal_sections._studies import ABSENT, REAL, hillstrom, load, table
from contracts.study import parse_study

TITLE = "Hillstrom e-mail trial (64,000 customers, three arms)"
SEEDS = 20
SHUFFLED_ROWS = 9_000


def run(full: bool) -> str:
    """Markdown: effects beside differences in means, verdicts, and verdicts of shuffled arms."""
    if not REAL.exists():
        return ABSENT
    return "\n\n".join([_effects(full), _shuffled(full)])


def _effects(full: bool) -> str:
    frame = load("hillstrom.csv.gz")
    options = TrainOptions(threads=1) if full else TrainOptions(n_trees=20, threads=1, max_train_rows=4_000)
    facts = run_study(frame, parse_study(hillstrom()), 1, options=options).facts
    rows = []
    for arm, e in facts["estimates"].items():
        gap = (e["ate"] - e["naive_difference"]) / e["se"]
        autoc = facts["ranking"][arm]["learner"]
        rows.append(
            (
                arm,
                f"{e['naive_difference']:.5f}",
                f"{e['ate']:.5f}",
                f"{e['ci_low']:.5f} to {e['ci_high']:.5f}",
                f"{gap:+.2f}",
                facts["learner_by_arm"][arm],
                f"{autoc['autoc']:.4f} ± {autoc['autoc_se']:.4f}",
                facts["verdict"][arm],
            )
        )
    head = (
        "arm",
        "difference in means",
        "ATE",
        "95 % interval",
        "gap in standard errors",
        "learner",
        "AUTOC",
        "verdict",
    )
    return table(head, rows)


def _shuffled(full: bool) -> str:
    frame = load("hillstrom.csv.gz")
    seeds = SEEDS if full else 3
    options = TrainOptions(n_trees=48, threads=1, refutation_rows=1_000, refutation_simulations=2)
    verdicts: Counter[str] = Counter()
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        part = frame.iloc[rng.permutation(len(frame))[:SHUFFLED_ROWS]].reset_index(drop=True)
        part["segment"] = rng.permutation(part["segment"])
        verdicts[run_study(part, parse_study(hillstrom(["Mens E-Mail"])), seed, options=options).facts["verdict"]["Mens E-Mail"]] += 1  # fmt: skip
    return (
        f"Arms shuffled, {seeds} seeds of {SHUFFLED_ROWS:,} customers, men's e-mail against none: "
        + ", ".join(f"`{name}` {count}" for name, count in verdicts.most_common())
        + "."
    )
