"""The model's ranking beside the simple rules it has to beat, on the same held-out rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from causal.aipw import Estimate
from causal.evaluation.calibration import Blp, Gates, blp, group_effects
from causal.evaluation.ranking import (
    METRICS,
    Ranking,
    RankMetric,
    all_metrics,
    benefit_curve,
    paired_difference,
    rank_rows,
    top_share,
)

EVALUATION_COLUMNS = ["arm", "rule", "metric", "value", "se", "ci_low", "ci_high", "p_one_sided", "n"]
RULES = ("learner", "random", "constant", "baseline_risk")
CURVE_SHARES = tuple(n / 10 for n in range(1, 11))
DECILES = 10


@dataclass(frozen=True)
class Evaluation:
    """Everything measured on the held-out rows of one arm; benefits are positive when good.

    Attributes:
        metrics: rule -> metric name -> RankMetric.
        differences: "metric:rule" -> learner minus rule, paired.
        curves: rule -> benefit per person in support of treating the top of CURVE_SHARES (see `benefit_curve`).
        deciles: measured and predicted benefit by tenth of the prediction; None where it does not vary.
        share_harmed: share, by weight, of the top `fraction` with a predicted negative benefit.
        fraction: share of the rows, who are in support, that the capacity reaches.
        supported: share of all people who are in support.
    """

    metrics: Mapping[str, Mapping[str, RankMetric]]
    differences: Mapping[str, Estimate]
    blp: Blp
    gates: Gates | None
    curves: Mapping[str, tuple[Estimate, ...]]
    deciles: Gates | None
    share_harmed: float
    fraction: float
    n: int
    supported: float = 1.0

    @property
    def called(self) -> float:
        """`fraction` as a share of all people: who is not in support is not ranked and not called."""
        return self.fraction * self.supported


def evaluate_rules(
    benefit: np.ndarray,
    need: np.ndarray,
    gamma: np.ndarray,
    cluster: np.ndarray,
    weight: np.ndarray,
    *,
    fraction: float,
    seed: int,
    supported: float = 1.0,
    alpha: float = 0.05,
) -> Evaluation:
    """Compare ranking by predicted benefit with random order, no order, and order by untreated need.

    Args:
        benefit: predicted benefit of held-out rows (n,).
        need: baseline risk in the bad direction (n,): higher = worse without treatment.
        gamma: AIPW benefit scores (n,).
        fraction: budget as a share of the rows.
        supported: share of all people whom the rows are, by weight.
    """
    scores = {
        "learner": benefit,
        "random": np.random.default_rng(seed).random(len(gamma)),
        "constant": np.zeros(len(gamma)),
        "baseline_risk": need,
    }
    rankings: dict[str, Ranking] = {r: rank_rows(scores[r], gamma, cluster, weight) for r in RULES}
    metrics = {rule: all_metrics(rankings[rule], fraction, alpha) for rule in RULES}
    differences = {
        f"{name}:{rule}": paired_difference(metrics["learner"][name], metrics[rule][name], rankings["learner"], alpha)
        for name in METRICS
        for rule in RULES[1:]
    }
    selected = weight * top_share(benefit, weight, fraction)
    return Evaluation(
        metrics,
        differences,
        blp(benefit, gamma, cluster, weight, alpha),
        group_effects(benefit, gamma, cluster, weight, alpha=alpha),
        {rule: benefit_curve(rankings[rule], CURVE_SHARES, alpha) for rule in RULES},
        group_effects(benefit, gamma, cluster, weight, DECILES, alpha),
        float(np.average(benefit < 0, weights=selected)),
        fraction,
        len(gamma),
        supported,
    )


def evaluation_rows(arm: str, result: Evaluation) -> pd.DataFrame:
    """One long typed frame: arm, rule, metric, value, se, ci_low, ci_high, p_one_sided, n."""
    rows = [
        (arm, rule, name, m.estimate, m.p_one_sided)
        for rule, found in result.metrics.items()
        for name, m in found.items()
    ]
    rows += [
        (arm, f"learner_minus_{key.split(':')[1]}", key.split(":")[0], e, float("nan"))
        for key, e in result.differences.items()
    ]
    rows.append((arm, "learner", "blp_intercept", result.blp.intercept, float("nan")))
    if result.blp.slope is not None:
        rows.append((arm, "learner", "blp_slope", result.blp.slope, float("nan")))
    if result.gates is not None:
        rows += [(arm, "learner", f"gates_{k + 1}", e, float("nan")) for k, e in enumerate(result.gates.groups)]
    rows += [
        (arm, rule, curve_metric(share), e, float("nan"))
        for rule, curve in result.curves.items()
        for share, e in zip(CURVE_SHARES, curve, strict=True)
    ]
    if result.deciles is not None:
        for k, (e, predicted) in enumerate(zip(result.deciles.groups, result.deciles.predicted, strict=True), start=1):
            rows.append((arm, "learner", f"decile_{k}", e, float("nan")))
            rows.append((arm, "learner", f"decile_{k}_predicted", _certain(predicted, e.n), float("nan")))
    return pd.DataFrame(
        [(a, r, m, e.value, e.se, e.ci_low, e.ci_high, p, e.n) for a, r, m, e, p in rows],
        columns=EVALUATION_COLUMNS,
    )


def curve_metric(share: float) -> str:
    """Name, among the evaluation's metrics, of the benefit curve's value at a share of CURVE_SHARES."""
    return f"curve_{share * 100:.0f}"


def _certain(value: float, n: int) -> Estimate:
    """A number that is known and not estimated: no error, no interval."""
    nan = float("nan")
    return Estimate(value, nan, nan, nan, n)
