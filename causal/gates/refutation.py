"""DoWhy's refuters, applied to our own kind of estimate and judged by shift in standard errors.

Guards, each for a defect measured in DoWhy 0.14: the treatment is an integer (a bool crashes a refuter); the random
state is one generator object (an integer makes every subset of the subset refuter the same); its p-values are ignored
(with few simulations they are a normal fit to a handful of numbers); a NaN fails; a propensity-score estimator is
never used (a stale column there refutes right estimates).
"""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
import pandas as pd

from causal.aipw import aipw_scores, mean_estimate
from causal.folds import cluster_folds, cluster_sample
from causal.gates.context import GateContext
from causal.gates.result import GateResult, Status
from causal.nuisance import fit_linear

MAX_SHIFT = 1.5
_MAX_FEATURES = 40


def refutation(ctx: GateContext) -> GateResult:
    """Placebo treatment must give nothing; a random common cause and a random subset must change nothing."""
    hard = ctx.trial.design != "randomized"
    shifts = refutation_shifts(ctx)
    if any(not np.isfinite(v) for v in shifts.values()):
        broken = next(k for k, v in shifts.items() if not np.isfinite(v))
        said = f"The check `{broken}` gave no number, which counts as refuted."
        return GateResult("refutation", ctx.trial.arm, "fail", hard, None, MAX_SHIFT, said)
    worst = max(shifts, key=lambda k: shifts[k])
    value = shifts[worst]
    status: Status = "fail" if value > MAX_SHIFT else "pass" if value <= 1.0 else "inconclusive"
    words = {
        "placebo_treatment": "a made-up offer should have no effect",
        "random_common_cause": "an extra random feature should change nothing",
        "data_subset": "a random part of the people should give the same effect",
    }
    said = f"{words[worst].capitalize()}; it moved the estimate by {value:.2f} standard errors."
    return GateResult("refutation", ctx.trial.arm, status, hard, value, MAX_SHIFT, said)


def refutation_shifts(ctx: GateContext) -> dict[str, float]:
    """Shift of the mean refuted estimate in standard errors of the original, by refuter."""
    frame, features = _sample(ctx)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        level = logging.getLogger("dowhy").level
        logging.getLogger("dowhy").setLevel(logging.ERROR)
        try:
            return _run(frame, features, ctx.refutation_simulations, ctx.seed)
        finally:
            logging.getLogger("dowhy").setLevel(level)


def linear_aipw(data: pd.DataFrame, treatment: str, outcome: str, features: list[str]) -> tuple[float, float]:
    """Two-fold cross-fitted AIPW with penalised linear nuisances: quick enough to refit dozens of times."""
    Z, t, y = (data[features].to_numpy(float), data[treatment].to_numpy(int), data[outcome].to_numpy(float))
    cluster, weight = data["_cluster"].to_numpy(), data["_weight"].to_numpy(float)
    fold = cluster_folds(cluster, t, 2, 0)
    gamma = np.full(len(t), np.nan)
    for k in (0, 1):
        train, test = fold != k, fold == k
        if min(t[train].sum(), (1 - t[train]).sum()) < 10:
            return float("nan"), float("nan")
        e = fit_linear(Z[train], t[train].astype(float), weight[train], logistic=True).predict(Z[test])
        mu = [
            fit_linear(Z[train & (t == arm)], y[train & (t == arm)], weight[train & (t == arm)], logistic=False)
            for arm in (0, 1)
        ]
        gamma[test] = aipw_scores(
            t[test], y[test], mu[0].predict(Z[test]), mu[1].predict(Z[test]), np.clip(e, 0.02, 0.98)
        )
    found = mean_estimate(gamma, cluster, weight)
    return found.value, found.se


def _sample(ctx: GateContext) -> tuple[pd.DataFrame, list[str]]:
    assert ctx.Z is not None
    assert ctx.inside is not None
    trial = ctx.trial
    inside = np.flatnonzero(ctx.inside)
    keep = inside[cluster_sample(trial.cluster[inside], trial.t[inside], ctx.refutation_rows, ctx.seed)]
    Z = ctx.Z[keep]
    chosen = _most_related(Z, trial.t[keep], trial.y[keep])
    features = [f"x{j}" for j in chosen]
    frame = pd.DataFrame(Z[:, chosen], columns=features)
    return frame.assign(
        _t=trial.t[keep].astype("int64"), _y=trial.y[keep], _cluster=trial.cluster[keep], _weight=trial.weight[keep]
    ), features


def _most_related(Z: np.ndarray, t: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Columns most correlated with treatment or outcome: the refuted estimate has to be quick, not complete."""
    spread = Z.std(axis=0)
    centred = (Z - Z.mean(axis=0)) / np.where(spread > 1e-12, spread, np.inf)
    score = np.maximum(*(np.abs(centred.T @ (v - v.mean())) / max(v.std(), 1e-12) for v in (t.astype(float), y)))
    return np.sort(np.argsort(-score, kind="stable")[:_MAX_FEATURES])


def _run(frame: pd.DataFrame, features: list[str], simulations: int, seed: int) -> dict[str, float]:
    from dowhy.causal_estimator import CausalEstimate, CausalEstimator
    from dowhy.causal_identifier.identified_estimand import IdentifiedEstimand
    from dowhy.causal_refuters.data_subset_refuter import refute_data_subset
    from dowhy.causal_refuters.placebo_treatment_refuter import PlaceboType, refute_placebo_treatment
    from dowhy.causal_refuters.random_common_cause import refute_random_common_cause

    class LinearAipw(CausalEstimator):
        """Our estimator in DoWhy's interface."""

        def fit(self, data: pd.DataFrame, effect_modifier_names: list[str] | None = None, **_: Any) -> LinearAipw:
            return self

        def estimate_effect(
            self,
            data: pd.DataFrame,
            treatment_value: int = 1,
            control_value: int = 0,
            target_units: str = "ate",
            **_: Any,
        ) -> CausalEstimate:
            estimand = self._target_estimand
            treatment = estimand.treatment_variable[0]
            value, se = linear_aipw(data, treatment, "_y", estimand.get_adjustment_set())
            made = CausalEstimate(
                data=None,
                treatment_name=[treatment],
                outcome_name=["_y"],
                estimate=value,
                target_estimand=estimand,
                realized_estimand_expr=None,
                control_value=control_value,
                treatment_value=treatment_value,
            )
            made.se = se
            made.add_estimator(self)
            return made

    estimand = IdentifiedEstimand(
        None,
        treatment_variable=["_t"],
        outcome_variable=["_y"],
        backdoor_variables={"backdoor": features},
        default_backdoor_id="backdoor",
        identifier_method="backdoor",
    )
    estimator = LinearAipw(estimand)
    estimator._effect_modifier_names = []
    estimator._target_units = "ate"
    original = estimator.estimate_effect(frame)
    shared = {"num_simulations": simulations, "n_jobs": 1, "show_progress_bar": False}
    generator = np.random.RandomState(seed % 2**32)
    placebo = refute_placebo_treatment(
        frame, estimand, original, ["_t"], placebo_type=PlaceboType.PERMUTE, random_state=generator, **shared
    )
    cause = refute_random_common_cause(frame, estimand, original, random_state=generator, **shared)
    subset = refute_data_subset(frame, estimand, original, subset_fraction=0.8, random_state=generator, **shared)
    unit = original.se if np.isfinite(original.se) and original.se > 0 else float("nan")
    return {
        "placebo_treatment": float(abs(placebo.new_effect) / unit),
        "random_common_cause": float(abs(cause.new_effect - original.value) / unit),
        "data_subset": float(abs(subset.new_effect - original.value) / unit),
    }
