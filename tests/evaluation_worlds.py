"""Worlds in which every number of an evaluation is known, and how often the intervals hold it.

A rank share u of the true order has benefit m(u) = (1 - u)^2 / 2; AIPW scores are m plus noise. The truth of every
metric is an integral of m that needs none of our code. A second ranking, "need", follows the first with correlation .6.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from causal.aipw import Estimate, aipw_scores, att_estimate, estimate, mean_estimate
from causal.evaluation.rules import Evaluation, evaluate_rules
from causal.folds import cluster_folds
from causal.nuisance import cross_fit

SEED = 20261124
FRACTION = 0.2
ALIKE = 0.6
LEVELS = 10
GRID = (np.arange(20_000) + 0.5) / 20_000


@dataclass(frozen=True)
class World:
    """Rows of one simulated evaluation: `size` per cluster, weights 1 to `heaviest`, scores in `levels` (None = no ties), noise of variance 1."""

    rows: int = 1_500
    size: int = 1
    heaviest: int = 1
    levels: int | None = None
    noise: str = "normal"


WORLDS = {
    "independent rows": World(),
    "households of 3 that share half of the noise": World(size=3),
    "weights 1, 2 or 3": World(heaviest=3),
    f"scores in {LEVELS} levels": World(levels=LEVELS),
    "skewed noise (exponential)": World(noise="exponential"),
    "very skewed noise (log-normal)": World(noise="log-normal"),
}


def benefit_at(u: np.ndarray, levels: int | None = None) -> np.ndarray:
    """m(u); its mean within each of `levels` equal shares."""
    if levels is None:
        return 0.5 * (1 - u) ** 2
    block = np.minimum((u * levels).astype(int), levels - 1)
    low, high = block / levels, (block + 1) / levels
    return ((1 - low) ** 3 - (1 - high) ** 3) / (6 * (high - low))


def truth(world: World) -> dict[str, float]:
    """Every quantity's true value, by numerical integration over the rank share."""
    m = benefit_at(GRID, world.levels)
    found, by_need = _ranked(m), _ranked(_need_ranking(world))
    found |= {f"{name} against need": value - by_need[name] for name, value in found.items()}
    p = _prediction(GRID, world)
    found["blp_slope"] = float(np.mean((p - p.mean()) * m) / np.var(p))
    found["average effect"] = float(m.mean())
    if world.levels is None:
        fifths = m.reshape(5, -1).mean(axis=1)[::-1]
        found |= {f"gates_{k + 1}": float(v) for k, v in enumerate(fifths)}
        found["gates, top minus bottom"] = float(fifths[-1] - fifths[0])
    found["top_fraction_effect against constant"] = found["top_fraction_effect"] - found["average effect"]
    return found


def simulate(world: World, rng: np.random.Generator) -> Evaluation:
    """One evaluation of the world."""
    n = world.rows
    cluster = np.arange(n) // world.size
    z = rng.normal(size=n)
    need = ALIKE * z + np.sqrt(1 - ALIKE**2) * rng.normal(size=n)
    u = norm.sf(z)
    noise = rng.normal(size=n)
    if world.noise == "exponential":
        noise = rng.exponential(size=n) - 1
    elif world.noise == "log-normal":
        noise = (np.exp(rng.normal(size=n)) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
    if world.size > 1:
        noise = (noise + rng.normal(size=cluster.max() + 1)[cluster]) / np.sqrt(2)
    gamma = benefit_at(u, world.levels) + noise
    weight = rng.integers(1, world.heaviest + 1, n).astype(float)
    return evaluate_rules(_prediction(u, world), need, gamma, cluster, weight, fraction=FRACTION, seed=0)


def intervals(found: Evaluation) -> dict[str, tuple[float, float]]:
    """Every interval of an evaluation by the name that `truth` gives it."""
    out = {name: m.estimate for name, m in found.metrics["learner"].items()}
    out |= {f"{name} against need": found.differences[f"{name}:baseline_risk"] for name in out}
    out["top_fraction_effect against constant"] = found.differences["top_fraction_effect:constant"]
    out["average effect"] = found.blp.intercept
    if found.blp.slope is not None:
        out["blp_slope"] = found.blp.slope
    if found.gates is not None:
        out |= {f"gates_{k + 1}": e for k, e in enumerate(found.gates.groups)}
        out["gates, top minus bottom"] = found.gates.top_minus_bottom
    return {k: (e.ci_low, e.ci_high) for k, e in out.items()}


def coverage(world: World, runs: int, seed: int = SEED) -> dict[str, float]:
    """Share of `runs` intervals that hold the truth, by quantity."""
    rng, true = np.random.default_rng(seed), truth(world)
    hits: Counter[str] = Counter()
    for _ in range(runs):
        found = intervals(simulate(world, rng))
        hits.update(k for k in true if found[k][0] <= true[k] <= found[k][1])
    return {k: hits[k] / runs for k in true}


DESIGNS = ("randomised", "observational", "households randomised")


def effect_coverage(design: str, runs: int, n: int = 500, seed: int = SEED) -> dict[str, float]:
    """Coverage of ATE and ATT with the study's own cross-fitted nuisances, and of two intervals that must not be trusted.

    The effect rises with a feature that (observational) also decides who is treated, so that ATE and ATT differ.
    Households of 2 are treated together and share half of the noise.
    """
    rng = np.random.default_rng(seed)
    hits: Counter[str] = Counter()
    size = 2 if design == "households randomised" else 1
    for run in range(runs):
        home, own, one = np.arange(n) // size, np.arange(n), np.ones(n)
        x = rng.normal(size=(n, 4))
        e = 1 / (1 + np.exp(0.4 - 0.7 * x[:, 0])) if design == "observational" else np.full(n, 0.4)
        t = (rng.random(n)[home] < e).astype(int)
        noise = (rng.normal(size=n) + rng.normal(size=n)[home]) / np.sqrt(2)
        y = x[:, 0] + 0.5 * x[:, 1] + t * (0.5 + 0.5 * x[:, 0]) + noise
        known = np.full(n, np.nan) if design == "observational" else e
        u, _ = cross_fit(x, t, y, one, known, cluster_folds(home, t, 3, run), "continuous", seed=run)
        gamma = aipw_scores(t, y, u.mu0, u.mu1, u.propensity)
        found = {
            "ATE": (mean_estimate(gamma, home), 0.5),
            "ATT": (att_estimate(t, y, u.mu0, u.propensity, home), _att(design)),
            "ATE, rows taken for independent": (mean_estimate(gamma, own), 0.5),
            "difference in means, for the ATE": (_difference(t, y), 0.5),
        }
        hits.update(name for name, (e, true) in found.items() if e.ci_low <= true <= e.ci_high)
        hits.update({name: 0 for name in found})
    return {k: v / runs for k, v in hits.items()}


def _difference(t: np.ndarray, y: np.ndarray) -> Estimate:
    """Difference in means with the usual interval."""
    one, zero = y[t == 1], y[t == 0]
    return estimate(
        float(one.mean() - zero.mean()), float(np.sqrt(one.var() / len(one) + zero.var() / len(zero))), len(y)
    )


def _prediction(u: np.ndarray, world: World) -> np.ndarray:
    """What a model would say: the order is right, the sizes are not."""
    return norm.isf(u) if world.levels is None else benefit_at(u, world.levels) + 0.3


def _ranked(m: np.ndarray) -> dict[str, float]:
    """Metrics of a ranking whose mean benefit at the share GRID is m."""
    top = m[GRID <= FRACTION].mean()
    return {
        "autoc": float(np.mean(m * (-np.log(GRID) - 1))),
        "qini": float(np.mean(m * (0.5 - GRID))),
        "top_fraction_effect": float(top),
        "gain": FRACTION * float(top - m.mean()),
    }


def _need_ranking(world: World) -> np.ndarray:
    """Mean benefit at every share of the ranking by need, by Gauss-Hermite quadrature."""
    nodes, mass = np.polynomial.hermite_e.hermegauss(200)
    z = ALIKE * norm.isf(GRID)[:, None] + np.sqrt(1 - ALIKE**2) * nodes[None, :]
    return benefit_at(norm.sf(z), world.levels) @ (mass / mass.sum())


def _att(design: str) -> float:
    """Average effect among the treated of `effect_coverage`, by quadrature."""
    if design != "observational":
        return 0.5
    nodes, mass = np.polynomial.hermite_e.hermegauss(100)
    e = mass / (1 + np.exp(0.4 - 0.7 * nodes))
    return float(np.sum(e * (0.5 + 0.5 * nodes)) / e.sum())
