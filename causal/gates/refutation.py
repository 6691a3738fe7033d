"""DoWhy's refuters, applied to our own kind of estimate and judged by shift in standard errors.

Guards, each for a defect measured in DoWhy 0.14: the treatment is an integer (a bool crashes a refuter); the random
state is one generator object (an integer makes every subset of the subset refuter the same); its p-values are ignored
(with few simulations they are a normal fit to a handful of numbers); a NaN fails; a propensity-score estimator is
never used (a stale column there refutes right estimates). The dummy-outcome refuter draws from NumPy's global state,
which is seeded around it and put back; and its own way of making an outcome from the features breaks for an integer
treatment (it bins every column of the frame), so it is handed one that we made (`_dummy_outcome`).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from causal.aipw import aipw_scores, mean_estimate
from causal.encoding import correlations
from causal.folds import cluster_folds, cluster_sample
from causal.gates.context import GateContext
from causal.gates.result import GateResult, Status
from causal.nuisance import cross_fit, fit_linear

# Shifts in standard errors that count as refuted; two thirds of each still pass. Simulations average the noise of a
# permuted treatment and of subsets away, but all dummy outcomes share one assignment, whose imbalance alone can move them
# by a standard error: 1.5 would block an eighth of such sound trials, 2.5 one in eighty.
MAX_SHIFT = {"placebo_treatment": 1.5, "random_common_cause": 1.5, "data_subset": 1.5, "dummy_outcome": 2.5}
_MAX_FEATURES = 40


def refutation(ctx: GateContext) -> GateResult:
    """Hard unless chance decided. A placebo treatment and an outcome made of the features alone must show nothing; a
    random common cause and a random subset must change nothing.
    """
    hard = ctx.trial.design != "randomized"
    shifts = refutation_shifts(ctx)
    if any(not np.isfinite(v) for v in shifts.values()):
        broken = next(k for k, v in shifts.items() if not np.isfinite(v))
        said = f"The check `{broken}` gave no number, which counts as refuted."
        return GateResult("refutation", ctx.trial.arm, "fail", hard, None, MAX_SHIFT[broken], said)
    worst = max(shifts, key=lambda k: shifts[k] / MAX_SHIFT[k])
    value, limit = shifts[worst], MAX_SHIFT[worst]
    status: Status = "fail" if value > limit else "pass" if value <= 2 / 3 * limit else "inconclusive"
    words = {
        "placebo_treatment": "a made-up offer should have no effect",
        "random_common_cause": "an extra random feature should change nothing",
        "data_subset": "a random part of the people should give the same effect",
        "dummy_outcome": "an outcome made up from the features alone should show no effect",
    }
    said = f"{words[worst].capitalize()}; it moved the estimate by {_moved(value)} standard errors."
    return GateResult("refutation", ctx.trial.arm, status, hard, value, limit, said)


def _moved(shift: float) -> str:
    """An error of next to nothing, as where the offer alone decides the outcome, makes any shift a huge one."""
    return f"{shift:.2f}" if shift < 1_000 else "more than 1,000"


def refutation_shifts(ctx: GateContext) -> dict[str, float]:
    """Shift of the mean refuted estimate in standard errors, by refuter; of the original estimate, for the dummy outcome
    (whose noise is another) of its own. No dummy outcome where the baseline is one number for everybody.
    """
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


def study_aipw(data: pd.DataFrame, outcome: str, features: list[str]) -> tuple[float, float]:
    """AIPW with the study's own propensities and kind of outcome model, for outcomes made of the features: a linear model
    would be refuted by curves that the study's models follow.
    """
    t, y, e = data["_t"].to_numpy(int), data[outcome].to_numpy(float), data["_propensity"].to_numpy(float)
    cluster, weight = data["_cluster"].to_numpy(), data["_weight"].to_numpy(float)
    fold = cluster_folds(cluster, t, 2, 0)
    u, _ = cross_fit(data[features].to_numpy(float), t, y, weight, e, fold, "continuous", seed=0)
    found = mean_estimate(aipw_scores(t, y, u.mu0, u.mu1, e), cluster, weight)
    return found.value, found.se


def _sample(ctx: GateContext) -> tuple[pd.DataFrame, list[str]]:
    """Rows in support: `_t`, `_y`, `_cluster`, `_weight`, the study's `_propensity` and `_baseline`, and the features."""
    assert ctx.Z is not None
    assert ctx.inside is not None
    assert ctx.nuisances is not None
    trial = ctx.trial
    inside = np.flatnonzero(ctx.inside)
    keep = inside[cluster_sample(trial.cluster[inside], trial.t[inside], ctx.refutation_rows, ctx.seed)]
    Z = ctx.Z[keep]
    chosen = _most_related(Z, trial.t[keep], trial.y[keep])
    features = [f"x{j}" for j in chosen]
    frame = pd.DataFrame(Z[:, chosen], columns=features)
    return frame.assign(
        _t=trial.t[keep].astype("int64"),
        _y=trial.y[keep],
        _cluster=trial.cluster[keep],
        _weight=trial.weight[keep],
        _propensity=ctx.nuisances.propensity[keep],
        _baseline=ctx.nuisances.mu0[keep],
    ), features


def _most_related(Z: np.ndarray, t: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Columns most correlated with treatment or outcome: the refuted estimate has to be quick, not complete."""
    score = np.maximum(correlations(Z, t.astype(float)), correlations(Z, y))
    return np.sort(np.argsort(-score, kind="stable")[:_MAX_FEATURES])


def _run(frame: pd.DataFrame, features: list[str], simulations: int, seed: int) -> dict[str, float]:
    from dowhy.causal_estimator import CausalEstimate, CausalEstimator
    from dowhy.causal_identifier.identified_estimand import IdentifiedEstimand
    from dowhy.causal_refuters.data_subset_refuter import refute_data_subset
    from dowhy.causal_refuters.dummy_outcome_refuter import refute_dummy_outcome
    from dowhy.causal_refuters.placebo_treatment_refuter import PlaceboType, refute_placebo_treatment
    from dowhy.causal_refuters.random_common_cause import refute_random_common_cause

    dummy_errors: list[float] = []

    class OurAipw(CausalEstimator):
        """Our estimator in DoWhy's interface."""

        def fit(self, data: pd.DataFrame, effect_modifier_names: list[str] | None = None, **_: Any) -> OurAipw:
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
            if estimand.outcome_variable[0] == "dummy_outcome":
                value, se = study_aipw(data, "dummy_outcome", estimand.get_adjustment_set())
                dummy_errors.append(se)
            else:
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
    estimator = OurAipw(estimand)
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
    made, noise = _dummy_outcome(frame)
    dummy = None
    # Without variation there is nothing to make an outcome of: nobody has the outcome unless offered.
    if noise > 0 or made["_y"].std() > 0:
        with _seeded(seed):
            dummy = refute_dummy_outcome(
                made,
                estimand,
                original,
                ["_t"],
                "_y",
                required_variables=True,
                num_simulations=simulations,
                transformation_list=[("noise", {"std_dev": noise})],
            )[0]
    unit = original.se if np.isfinite(original.se) and original.se > 0 else float("nan")
    shifts = {
        "placebo_treatment": float(abs(placebo.new_effect) / unit),
        "random_common_cause": float(abs(cause.new_effect - original.value) / unit),
        "data_subset": float(abs(subset.new_effect - original.value) / unit),
    }
    if dummy is None:
        return shifts
    return shifts | {"dummy_outcome": float(abs(dummy.new_effect) / np.mean(dummy_errors))}


def _dummy_outcome(frame: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """The frame with the out-of-fold baseline for an outcome, and the spread of the noise that DoWhy is to add to it."""
    control = frame["_t"] == 0
    residual = (frame["_y"] - frame["_baseline"])[control]
    return frame.assign(_y=frame["_baseline"]), float(residual.std())


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """NumPy's global random state, seeded and then as it was."""
    before = np.random.get_state()
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        np.random.set_state(before)
