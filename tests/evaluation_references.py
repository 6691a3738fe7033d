"""The evaluation's numbers beside brute force by definition, scikit-uplift, and EconML's DRTester where it is right."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from causal.aipw import aipw_scores
from causal.evaluation.calibration import blp, group_effects
from causal.evaluation.ranking import autoc, gain, qini, rank_rows, top_fraction_effect

Compared = tuple[str, float, float]


def curve(score: np.ndarray, gamma: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares treated and the benefit gathered by then, row by row; tied rows share their mean (plain loops)."""
    shares, gathered = [0.0], [0.0]
    for value in sorted(set(score), reverse=True):
        rows = [i for i in range(len(score)) if score[i] == value]
        mean = sum(weight[i] * gamma[i] for i in rows) / sum(weight[i] for i in rows)
        for i in rows:
            shares.append(shares[-1] + weight[i] / weight.sum())
            gathered.append(gathered[-1] + weight[i] / weight.sum() * mean)
    return np.array(shares), np.array(gathered)


def brute_force(score: np.ndarray, gamma: np.ndarray, weight: np.ndarray, fraction: float) -> dict[str, float]:
    """Every metric from the curve, by integrating it numerically."""
    shares, gathered = curve(score, gamma, weight)
    q = (np.arange(200_000) + 0.5) / 200_000
    at = np.interp(q, shares, gathered)
    toc = at / q - gathered[-1]
    top = float(np.interp(fraction, shares, gathered)) / fraction
    return {
        "autoc": float(toc.mean()),
        "qini": float((q * toc).mean()),
        "top_fraction_effect": top,
        "gain": fraction * (top - float(gathered[-1])),
    }


def discrete_rate(score: np.ndarray, gamma: np.ndarray) -> dict[str, float]:
    """AUTOC and Qini as sums over rows, as grf defines them (its curve has n steps, ours is continuous)."""
    n = len(gamma)
    shares, gathered = curve(score, gamma, np.ones(n))
    toc = gathered[1:] / shares[1:] - gathered[-1]
    return {"autoc": float(toc.mean()), "qini": float(np.sum(np.arange(1, n + 1) / n**2 * toc))}


def scikit_uplift(n: int = 4_000, seed: int = 1) -> Iterator[Compared]:
    """Binary outcome, one treated and one control at every score: there its counts and AIPW scores say the same."""
    from sklearn.metrics import auc
    from sklift.metrics import qini_curve, uplift_at_k, uplift_auc_score, uplift_curve

    rng = np.random.default_rng(seed)
    x, better, worse = (np.repeat(rng.normal(size=n // 2), 2) for _ in range(3))
    t = np.tile([0, 1], n // 2)
    y = rng.binomial(1, 1 / (1 + np.exp(1 - x - 0.8 * t * (x > 0))))
    models = {"good": x + better, "bad": -x + 2 * worse}
    gamma = 2.0 * (2 * t - 1) * y
    areas = {}
    for name, score in models.items():
        ranking = rank_rows(score, gamma)
        areas[name] = qini(ranking).estimate.value
        at, height = uplift_curve(y, score, t)
        yield f"Qini area, {name} ranking, from `uplift_curve`", areas[name], (auc(at, height) - at[-1] * height[-1] / 2) / n**2  # fmt: skip
        at, height = qini_curve(y, score, t)
        yield f"Qini area, {name} ranking, from `qini_curve`", areas[name], 2 * (auc(at, height) - at[-1] * height[-1] / 2) / n**2  # fmt: skip
        top = top_fraction_effect(ranking, 0.2).estimate.value
        yield f"top fifth, {name} ranking, `uplift_at_k`", top, float(uplift_at_k(y, score, t, "overall", 0.2))
    ratio = uplift_auc_score(y, models["bad"], t) / uplift_auc_score(y, models["good"], t)
    yield "area of the bad over that of the good ranking, `uplift_auc_score`", areas["bad"] / areas["good"], ratio


def econml_tester(n: int = 1_002, seed: int = 2) -> Iterator[Compared]:
    """EconML's DR scores, BLP slope, groups and curves, for rows of which none lies on a cut."""
    from econml.validate.drtester import DRTester
    from econml.validate.utils import calc_uplift, calculate_dr_outcomes

    rng = np.random.default_rng(seed)
    prediction, t = rng.normal(size=n), rng.binomial(1, 0.4, n)
    y = prediction + t * (0.3 + 0.5 * prediction) + rng.normal(size=n)
    mu0, mu1, e = prediction, 0.3 + 1.4 * prediction, np.full(n, 0.4)
    theirs = calculate_dr_outcomes(t, y, np.column_stack([mu0, mu1]), np.column_stack([1 - e, e]))
    gamma = aipw_scores(t, y, mu0, mu1, e)
    yield "mean DR score", float(gamma.mean()), float(theirs.mean())
    yield "largest DR score", float(gamma.max()), float(theirs.max())
    tester = DRTester(model_regression=None, model_propensity=None, cate=None)
    tester.treatments, tester.n_treat = np.array([0, 1]), 1
    tester.dr_val_ = tester.dr_train_ = theirs
    tester.ate_val = theirs.mean(axis=0)
    tester.cate_preds_val_ = tester.cate_preds_train_ = prediction[:, None]
    own, one = np.arange(n), np.ones(n)
    slope = blp(prediction, gamma, own, one).slope
    assert slope is not None
    yield "BLP slope", slope.value, float(tester.evaluate_blp().params[0])
    groups = group_effects(prediction, gamma, own, one, n_groups=4)
    assert groups is not None
    table = tester.evaluate_cal(n_groups=4).plot_data_dict[1]
    for k in range(4):
        yield f"effect in quarter {k + 1}", groups.groups[k].value, float(table["gate"][k])
        # Theirs divides by the rows, ours by one less.
        ours = groups.groups[k].se * np.sqrt((n - 1) / n)
        yield f"its standard error, quarter {k + 1}", ours, float(table["se_gate"][k])
    ranking = rank_rows(prediction, gamma)
    percentiles = np.array([20.0, 50.0, 80.0])
    for metric in ("toc", "qini"):
        points = calc_uplift(prediction[:, None], prediction[:, None], theirs, percentiles, metric, 2)[2]
        for percentile, value in zip(percentiles, points["value"], strict=True):
            share = float(np.mean(prediction >= np.percentile(prediction, percentile)))
            found = gain(ranking, share).estimate.value
            yield f"{metric} at {share:.0%}", found / (share if metric == "toc" else 1), float(value)


def definitions(n: int = 40, seed: int = 3) -> Iterator[Compared]:
    """Brute force over few rows with ties and weights; and the discrete sums over many rows."""
    rng = np.random.default_rng(seed)
    score, gamma = rng.integers(0, 12, n).astype(float), rng.normal(size=n)
    weight = rng.integers(1, 5, n).astype(float)
    ranking = rank_rows(score, gamma, None, weight)
    slow = brute_force(score, gamma, weight, 0.3)
    for name, value in slow.items():
        fast = {"autoc": autoc, "qini": qini}.get(name)
        at_budget = {"top_fraction_effect": top_fraction_effect, "gain": gain}.get(name)
        found = fast(ranking) if fast else at_budget(ranking, 0.3) if at_budget else None
        assert found is not None
        yield f"{name}, {n} rows with ties and weights, by integration", found.estimate.value, value
    many = 5_000
    score, gamma = rng.normal(size=many), rng.normal(size=many)
    gamma += score
    ranking = rank_rows(score, gamma)
    for name, value in discrete_rate(score, gamma).items():
        found = {"autoc": autoc, "qini": qini}[name](ranking)
        yield f"{name}, {many} rows, as a sum over rows (grf's definition)", found.estimate.value, value
