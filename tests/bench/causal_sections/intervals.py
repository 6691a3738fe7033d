"""Do person-level intervals hold the truth? Studies trained end to end on worlds kept apart, scored on new people.

python tests/bench/causal_sections/intervals.py [--full]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from effect_worlds import DESIGN, JUDGE, Assignment, EffectWorld, Outcome, effect_world

from causal.gates.registry import GATE_NAMES
from causal.options import DEFAULT_LEARNERS, TrainOptions
from causal.train import train_study

TITLE = "Person-level intervals"

AUTO = "auto"
QUICK = ("lasso_bayes", "bayes_r", "linear_dr")
SLOW = ("causal_forest", "forest_dr", AUTO)
TREES = 100
_QUIET = frozenset(GATE_NAMES) - {"design"}
_DESIGNS: tuple[tuple[Assignment, Outcome, int, float], ...] = (
    ("randomized", "continuous", 1, 0.5),
    ("observational", "binary", 3, 0.5),
    ("randomized", "count", 1, 0.3),
    ("observational", "continuous", 4, 0.4),
    ("randomized", "binary", 1, 0.5),
    ("observational", "count", 2, 0.5),
)


@dataclass(frozen=True)
class Coverage:
    """One study: share of new people whose interval holds their effect, mean width and error in deviations of the
    effect (in half the average effect where that is larger)."""

    shape: str
    n: int
    learner: str
    covered: float
    width: float
    error: float
    seconds: float


def judge(world: EffectWorld, shape: str, learner: str, *, trees: int, seed: int) -> Coverage:
    """Train on the world's trial, score its new people."""
    names = DEFAULT_LEARNERS if learner == AUTO else (learner,)
    start = time.perf_counter()
    options = TrainOptions(learners=names, n_trees=trees, threads=1, skip_gates=_QUIET)
    study = train_study(world.trial, options, seed)
    scored = study.scorer.score(world.new)
    known = scored["in_support"].to_numpy()
    tau = world.new_tau[known]
    cate, lower, upper = (scored.loc[known, c].to_numpy() for c in ("cate", "cate_lower", "cate_upper"))
    spread = float(np.std(tau))
    unit = max(spread, abs(float(np.mean(tau))) / 2)
    return Coverage(
        shape,
        world.trial.n,
        study.learner,
        float(np.mean((lower <= tau) & (tau <= upper))),
        float(np.mean(upper - lower)) / unit,
        float(np.sqrt(np.mean((cate - tau) ** 2))) / unit,
        time.perf_counter() - start,
    )


def worlds(
    shapes: Sequence[str], sizes: Sequence[int], repeats: int, root: int
) -> Iterator[tuple[str, EffectWorld, int]]:
    """Every shape at every size; designs and outcomes take turns."""
    turn = 0
    for n in sizes:
        for shape in shapes:
            for _ in range(repeats):
                assignment, outcome, rows, offered = _DESIGNS[turn % len(_DESIGNS)]
                seed = root + turn
                turn += 1
                made = effect_world(
                    shape, n, seed, assignment=assignment, outcome=outcome, rows_per_person=rows, offered=offered
                )
                yield shape, made, seed


def measure(
    learners: Sequence[str], shapes: Sequence[str], sizes: Sequence[int], repeats: int, *, trees: int, root: int
) -> dict[str, list[Coverage]]:
    """Coverage of every learner in every world."""
    found: dict[str, list[Coverage]] = {learner: [] for learner in learners}
    for shape, world, seed in worlds(shapes, sizes, repeats, root):
        for learner in learners:
            found[learner].append(judge(world, shape, learner, trees=trees, seed=seed))
    return found


def table(found: dict[str, list[Coverage]]) -> str:
    """Per learner: average coverage with its standard error over worlds, the worst tenth, width and error."""
    lines = [
        "| learners | worlds | coverage at nominal 95 % | s.e. | worst tenth of worlds | mean width / sd of effect | RMSE / sd of effect |",
        "|---|---|---|---|---|---|---|",
    ]
    for learner, rows in found.items():
        covered = np.array([r.covered for r in rows])
        lines.append(
            f"| {learner} | {len(rows)} | {covered.mean():.3f} | {covered.std() / np.sqrt(len(rows)):.3f}"
            f" | {np.quantile(covered, 0.1):.2f} | {np.mean([r.width for r in rows]):.2f}"
            f" | {np.mean([r.error for r in rows]):.2f} |"
        )
    return "\n".join(lines)


def run(full: bool) -> str:
    """Judge shapes only; the design shapes were looked at while the intervals were made. Forests get fewer worlds."""
    shapes = tuple(JUDGE)
    found = measure(QUICK, shapes, (2_000, 6_000) if full else (2_000,), 2 if full else 1, trees=TREES, root=90_000)
    if full:
        found |= measure(SLOW, shapes, (2_000, 4_000), 1, trees=TREES, root=95_000)
    return (
        "Studies trained end to end on worlds kept apart, scored on 4,000 new people each: shapes of effects that were not "
        "looked at while the intervals were made, randomised and observational, continuous, binary and count outcomes, one to "
        "four rows per person, 30 to 50 % offered. Width and error in standard deviations of the effect (half the average "
        "effect where it does not vary). Coverage is right on average over people and worlds, not for every person: it is "
        "lowest where an effect jumps.\n\n" + table(found) + "\n"
    )


def main() -> None:
    """Print the section; `--design` prints the design shapes instead, world by world."""
    if "--design" in sys.argv:
        names = [a for a in sys.argv[1:] if not a.startswith("--")] or list(QUICK)
        found = measure(names, tuple(DESIGN), (2_000, 5_000), 2, trees=TREES, root=10_000)
        for rows in found.values():
            for r in rows:
                print(r, flush=True)
        print(table(found))
    else:
        print(run("--full" in sys.argv))


if __name__ == "__main__":
    main()
