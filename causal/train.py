"""From one trial to a judged model: the path of `outreach study` and of the nightly programs alike.

Honest by construction: a random half of the clusters is kept aside; everything that the evaluation uses (nuisances,
learner, choice of learner) comes from the other half. Only then is the same recipe refitted on all rows and served.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from causal.aipw import Estimate, att_estimate, mean_estimate, naive_difference
from causal.encoding import FeatureEncoder, fit_encoder
from causal.equity import equity_report, ranked
from causal.evaluation.rules import EVALUATION_COLUMNS, Evaluation, evaluation_rows
from causal.folds import cluster_folds, cluster_sample
from causal.gates.context import GateContext
from causal.gates.design import balance_frame, design
from causal.gates.registry import run_gates
from causal.gates.result import GateResult, Verdict, gate_rows, verdict
from causal.heldout import SMALL, HeldOut, evaluate_held_out, out_of_fold
from causal.learners.base import LearnerData, LearnerOptions
from causal.learners.recalibrated import Interval, recalibrated
from causal.learners.registry import REGISTRY
from causal.levels import merged_levels
from causal.negative_controls import NegativeControls, negative_controls
from causal.nuisance import NuisanceModels, Nuisances, cross_fit
from causal.options import TrainOptions
from causal.placebo import PlaceboEstimate, placebo_estimates
from causal.scorer import Scorer
from causal.sensitivity import Sensitivity, sensitivity
from causal.serving import fallback_scorer, served_scorer
from causal.stopwatch import Stopwatch
from causal.support import support_bounds
from causal.trial import Trial

LIBRARIES = ("econml", "dowhy", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy")


@dataclass(frozen=True)
class TrainedStudy:
    """One arm, trained and judged.

    Attributes:
        arm, learner, n, n_treated, seed, options, versions: what was done.
        scorer: scores new members.
        predictions: one row per row of the trial, in its order: split, t, y, weight, propensity, in_support, baseline,
            cate, cate_lower, cate_upper, interval_kind, gamma (AIPW score); none of them made by a model that saw the row.
        evaluation: long rows of metrics on the half kept aside (see `evaluation_rows`); empty when not possible.
        evaluation_result: the same as objects.
        gates, verdict: judgement.
        ate, att: average effects, natural sign; None when the design gate failed.
        naive_difference: unadjusted difference in means (NaN with an empty arm).
        placebos, negative_controls: adjusted "effects" on outcomes that cannot have changed.
        sensitivity: what a hidden confounder would need to explain the effect away.
        equity: who would be called, by group, under this ranking and under risk ranking (see `equity_report`); None
            without groups.
        balance: how alike the arms are before and after weighting (see `balance_frame`); None when nothing was trained.
        selection_loss: DR loss of every learner minus that of the constant.
        timings: seconds by step.
    """

    arm: str
    learner: str
    n: int
    n_treated: int
    seed: int
    options: TrainOptions
    versions: Mapping[str, str]
    scorer: Scorer
    predictions: pd.DataFrame
    evaluation: pd.DataFrame
    evaluation_result: Evaluation | None
    gates: tuple[GateResult, ...]
    verdict: Verdict
    ate: Estimate | None
    att: Estimate | None
    naive_difference: float
    placebos: tuple[PlaceboEstimate, ...]
    negative_controls: NegativeControls | None
    sensitivity: Sensitivity | None
    equity: pd.DataFrame | None
    balance: pd.DataFrame | None
    selection_loss: Mapping[str, float]
    timings: Mapping[str, float]

    @property
    def gate_frame(self) -> pd.DataFrame:
        return gate_rows(self.gates)


def train_study(
    trial: Trial,
    options: TrainOptions | None = None,
    seed: int = 0,
    *,
    previous: Scorer | None = None,
    on_step: Callable[[str], None] | None = None,
) -> TrainedStudy:
    """Train, evaluate and judge one arm. Poor data end in a `fallback` verdict, never in an exception.

    Args:
        previous: the champion that serves now, for the stability gate to compare the new ranking with.
        on_step: told the name of every step (those of `timings`) as it begins.

    Raises:
        ConfigError, DesignError: only for malformed input (a field of wrong shape, an unknown learner, one that
            cannot learn such an outcome).
    """
    chosen = (options or TrainOptions()).for_outcome(trial.outcome_kind)
    watch = Stopwatch(on_step=on_step)
    with threadpool_limits(limits=1, user_api="blas"):
        with watch.step("encode"):
            encoder = fit_encoder(trial.X)
        ctx = GateContext(
            trial,
            encoder,
            min_arm=chosen.min_arm,
            min_events=chosen.min_events,
            refutation_rows=chosen.refutation_rows,
            refutation_simulations=chosen.refutation_simulations,
            seed=seed,
            threads=chosen.threads,
            alpha=chosen.alpha,
            reach=chosen.reach(1.0),
        )
        if design(ctx).status == "fail":
            return _untrained(ctx, encoder, chosen, seed, watch)
        return _train(ctx, encoder, chosen, seed, watch, previous)


def _train(
    ctx: GateContext,
    encoder: FeatureEncoder,
    options: TrainOptions,
    seed: int,
    watch: Stopwatch,
    previous: Scorer | None,
) -> TrainedStudy:
    trial = ctx.trial
    Z = encoder.transform(trial.X)
    with watch.step("nuisances"):
        fold = cluster_folds(trial.cluster, trial.t, 5 if trial.n <= SMALL else 3, seed + 1)
        u, fold_models = _cross_fit(trial, Z, fold, options, seed + 2)
    bounds = support_bounds(u.propensity, trial.weight)
    inside = bounds.contains(u.propensity)
    known = replace(ctx, nuisances=u, inside=inside)
    if design(known).status == "fail":
        return _untrained(known, encoder, options, seed, watch)
    everyone = LearnerData(Z, trial.t, trial.y, trial.weight, trial.cluster, u, trial.outcome_kind)
    half = evaluate_held_out(trial, Z, options, seed, watch)
    learner = REGISTRY[half.selection.name]
    setting = LearnerOptions(seed + 9, options.n_trees, options.threads)
    learnt_from = _capped(trial, inside, options, seed)
    with watch.step("out_of_fold"):
        shrinkage, train_prediction = out_of_fold(half, everyone, learnt_from, options, setting)
        predictions = _predictions(trial, half, train_prediction, everyone, inside)
    with watch.step("refit"):
        sample = everyone.rows(learnt_from)
        model = recalibrated(learner.fit(sample, setting), shrinkage, sample)
    gamma = everyone.gamma
    ate = mean_estimate(gamma[inside], trial.cluster[inside], trial.weight[inside], options.alpha)
    with watch.step("placebos"):
        placebos = placebo_estimates(
            trial.placebos,
            trial,
            encoder,
            Z,
            fold,
            inside,
            u.propensity,
            seed=seed,
            threads=options.threads,
            alpha=options.alpha,
        )
    with watch.step("negative_controls"):
        controls = negative_controls(
            trial.negative_controls,
            trial,
            encoder,
            Z,
            fold,
            inside,
            u.propensity,
            gamma,
            seed=seed,
            threads=options.threads,
            alpha=options.alpha,
        )
    with watch.step("sensitivity"):
        fragile = sensitivity(trial, Z, encoder.owners, u, inside, options.alpha)
    reach = known.reach if half.evaluation is None else half.evaluation.fraction
    merged = merged_levels(trial, encoder, fold, u.propensity)
    people = None
    if trial.groups is not None and half.evaluation is not None:
        people = ranked(predictions, trial.groups, trial.cluster, trial.sign, reach)
    with watch.step("gates"):
        gates = run_gates(
            replace(
                known,
                Z=Z,
                fold=fold,
                bounds=bounds,
                merged=merged,
                ate=ate,
                placebos=placebos,
                negative_controls=controls,
                sensitivity=fragile,
                evaluation=half.evaluation,
                people=people,
                reach=reach,
                benefit=trial.sign * model.effect(Z[learnt_from]),
                reseeded=lambda: (
                    trial.sign * learner.fit(sample, replace(setting, seed=setting.seed + 1)).effect(Z[learnt_from])
                ),
                previous=None if previous is None else trial.sign * previous.effect(trial.X[learnt_from]),
            ),
            skip=options.skip_gates,
            watch=watch,
        )
    decision = verdict(gates)
    with watch.step("scorer"):
        scorer = served_scorer(
            trial,
            encoder,
            Z,
            fold_models,
            bounds,
            model,
            learner.name,
            explain="benefit" if decision == "publish" else "need",
            seed=seed,
            alpha=options.alpha,
        )
    part = (trial.t[inside], trial.y[inside], u.mu0[inside], u.propensity[inside])
    return TrainedStudy(
        arm=trial.arm,
        learner=learner.name,
        n=trial.n,
        n_treated=int(trial.t.sum()),
        seed=seed,
        options=options,
        versions={name: version(name) for name in LIBRARIES},
        scorer=scorer,
        predictions=predictions,
        evaluation=pd.DataFrame(columns=EVALUATION_COLUMNS)
        if half.evaluation is None
        else evaluation_rows(trial.arm, half.evaluation),
        evaluation_result=half.evaluation,
        gates=tuple(gates),
        verdict=decision,
        ate=ate,
        att=att_estimate(*part, trial.cluster[inside], trial.weight[inside], options.alpha),
        naive_difference=naive_difference(trial.t, trial.y, trial.weight),
        placebos=placebos,
        negative_controls=controls,
        sensitivity=fragile,
        equity=None if people is None else equity_report(people),
        balance=balance_frame(
            encoder.names + merged.names,
            merged.beside(Z, inside),
            trial.t[inside],
            u.propensity[inside],
            trial.weight[inside],
        ),
        selection_loss=half.selection.loss,
        timings=watch.seconds,
    )


def _predictions(
    trial: Trial, half: HeldOut, train_prediction: Interval, everyone: LearnerData, inside: np.ndarray
) -> pd.DataFrame:
    """Predictions by models that have not seen the row: the honest half's model on test rows, folds on train rows."""
    n, test = trial.n, half.test
    cate, lower, upper = (np.full(n, np.nan) for _ in range(3))
    cate[test], lower[test], upper[test] = half.test_prediction
    cate[~test], lower[~test], upper[~test] = train_prediction
    for values in (cate, lower, upper):
        values[~inside] = np.nan
    return pd.DataFrame(
        {
            "split": np.where(test, "test", "train"),
            "t": trial.t,
            "y": trial.y,
            "weight": trial.weight,
            "propensity": everyone.nuisances.propensity,
            "in_support": inside,
            "baseline": everyone.nuisances.mu0,
            "cate": cate,
            "cate_lower": lower,
            "cate_upper": upper,
            "interval_kind": np.where(np.isnan(lower), "none", half.interval_kind).astype(object),
            "gamma": everyone.gamma,
        }
    )


def _untrained(
    ctx: GateContext, encoder: FeatureEncoder, options: TrainOptions, seed: int, watch: Stopwatch
) -> TrainedStudy:
    """The study of data that cannot answer: gates say why, the fallback rule ranks."""
    trial = ctx.trial
    gates = run_gates(ctx, skip=options.skip_gates)
    with watch.step("scorer"):
        scorer = fallback_scorer(trial, encoder, seed=seed, alpha=options.alpha)
        baseline = scorer.baseline.predict(encoder.transform(trial.X))
    empty = np.full(trial.n, np.nan)
    both = 0 < trial.t.sum() < trial.n
    # Nothing better is known of a chance that nobody logged and that cannot be estimated.
    offered = float(trial.t.mean()) if trial.n else float("nan")
    return TrainedStudy(
        arm=trial.arm,
        learner="none",
        n=trial.n,
        n_treated=int(trial.t.sum()),
        seed=seed,
        options=options,
        versions={name: version(name) for name in LIBRARIES},
        scorer=scorer,
        predictions=pd.DataFrame(
            {
                "split": "train",
                "t": trial.t,
                "y": trial.y,
                "weight": trial.weight,
                "propensity": np.where(np.isnan(trial.known_propensity), offered, trial.known_propensity),
                "in_support": False,
                "baseline": baseline,
                "cate": empty,
                "cate_lower": empty,
                "cate_upper": empty,
                "interval_kind": "none",
                "gamma": empty,
            }
        ),
        evaluation=pd.DataFrame(columns=EVALUATION_COLUMNS),
        evaluation_result=None,
        gates=tuple(gates),
        verdict=verdict(gates),
        ate=None,
        att=None,
        naive_difference=naive_difference(trial.t, trial.y, trial.weight) if both else float("nan"),
        placebos=(),
        negative_controls=None,
        sensitivity=None,
        equity=None,
        balance=None,
        selection_loss={},
        timings=watch.seconds,
    )


def _cross_fit(
    trial: Trial, Z: np.ndarray, fold: np.ndarray, options: TrainOptions, seed: int
) -> tuple[Nuisances, list[NuisanceModels]]:
    return cross_fit(
        Z,
        trial.t,
        trial.y,
        trial.weight,
        trial.known_propensity,
        fold,
        trial.outcome_kind,
        seed=seed,
        threads=options.threads,
    )


def _capped(trial: Trial, inside: np.ndarray, options: TrainOptions, seed: int) -> np.ndarray:
    """Whether a learner is fitted on the row, (n,): those in support, within the cap."""
    at = np.flatnonzero(inside)
    chosen = np.zeros(trial.n, dtype=bool)
    chosen[at[cluster_sample(trial.cluster[at], trial.t[at], options.max_train_rows, seed)]] = True
    return chosen
