"""The honest half: learn on one random half of the clusters, measure on the other.

Nothing of the test half enters the model, its nuisances, the choice of learner or the support bounds, so that,
given the training half, the held-out scores are independent draws by cluster and the metrics' normal intervals hold.
(Sums of statistics across folds that share training rows reject a true null 17 % of the time at a nominal 5 %.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causal.aipw import aipw_scores
from causal.evaluation.rules import Evaluation, evaluate_rules
from causal.folds import cluster_folds, cluster_sample, train_test
from causal.learners.base import LearnerData, LearnerOptions
from causal.learners.recalibrated import Interval, Shrinkage, fit_shrinkage, recalibrated
from causal.learners.registry import REGISTRY
from causal.nuisance import Nuisances, cross_fit, predict_average
from causal.options import TrainOptions
from causal.selection import Selection, fit_folds, predict_folds, select_learner
from causal.stopwatch import Stopwatch
from causal.support import support_bounds
from causal.trial import Trial

SMALL = 5_000
MIN_TEST_ARM = 20


@dataclass(frozen=True)
class HeldOut:
    """What the honest half left behind.

    Attributes:
        test: True for rows kept aside, (n,).
        test_prediction: effect, lower, upper on the test rows, natural sign.
        evaluation: metrics on test rows in support; None with fewer than MIN_TEST_ARM of an arm there.
    """

    test: np.ndarray
    selection: Selection
    test_prediction: Interval
    interval_kind: str
    evaluation: Evaluation | None


def evaluate_held_out(trial: Trial, Z: np.ndarray, options: TrainOptions, seed: int, watch: Stopwatch) -> HeldOut:
    """Split, learn, choose, predict, measure."""
    test = train_test(trial.cluster, trial.t, options.test_fraction, seed + 3)
    train, held = trial.rows(~test), trial.rows(test)
    n_folds = 5 if train.n <= SMALL else 3
    with watch.step("held_out_nuisances"):
        fold = cluster_folds(train.cluster, train.t, n_folds, seed + 4)
        u, models = cross_fit(
            Z[~test],
            train.t,
            train.y,
            train.weight,
            train.known_propensity,
            fold,
            trial.outcome_kind,
            seed=seed + 5,
            threads=options.threads,
        )
        u_test = predict_average(models, Z[test], held.known_propensity)
    bounds = support_bounds(u.propensity, train.weight)
    inside, inside_test = bounds.contains(u.propensity), bounds.contains(u_test.propensity)
    data = LearnerData(Z[~test], train.t, train.y, train.weight, train.cluster, u, trial.outcome_kind)
    setting = LearnerOptions(seed + 7, options.n_trees, options.threads)
    with watch.step("selection"):
        # Two folds where rows abound: the choice needs a fair comparison, not the best possible fit.
        train_fold = cluster_folds(train.cluster, train.t, 5 if train.n <= SMALL // 2 else 2, seed + 6)
        kept = inside & cluster_sample(train.cluster, train.t, options.max_train_rows, seed)
        learners = [REGISTRY[name] for name in options.learners]
        selection = select_learner(learners, data, train_fold, setting, fit_on=kept)
    with watch.step("held_out_fit"):
        seen = data.rows(kept)
        fitted = REGISTRY[selection.name].fit(seen, setting)
        out_of_fold = predict_folds(selection.models[selection.name], seen.Z, train_fold[kept])
        shrinkage = fit_shrinkage(*out_of_fold, seen, fitted.interval_kind, seed + 8)
        model = recalibrated(fitted, shrinkage, seen)
        prediction = model.with_interval(Z[test], options.alpha)
    return HeldOut(
        test,
        selection,
        prediction,
        model.interval_kind,
        _evaluate(held, inside_test, prediction[0], u_test, options, seed),
    )


def out_of_fold(
    half: HeldOut, everyone: LearnerData, learnt_from: np.ndarray, options: TrainOptions, setting: LearnerOptions
) -> tuple[Shrinkage, Interval]:
    """Shrinkage for the model refitted on all rows, and effects of the training rows by models that have not seen them.

    Folds over all rows lend every row nearly the model that will be served; half of the rows would say half as much of a
    slope whose error is large as it is, and say it of a model that knows half as much.

    Args:
        learnt_from: whether the served model is learnt from a row, boolean (n,).
    """
    n_folds = 5 if len(everyone.t) <= SMALL else 3
    fold = cluster_folds(everyone.cluster, everyone.t, n_folds, setting.seed)
    models = fit_folds(REGISTRY[half.selection.name], everyone, fold, setting, learnt_from)
    effect, variance = predict_folds(models, everyone.Z, fold)
    on = learnt_from
    shrinkage = fit_shrinkage(effect[on], variance[on], everyone.rows(on), half.interval_kind, setting.seed)
    return shrinkage, shrinkage.interval(effect[~half.test], variance[~half.test], options.alpha)


def _evaluate(
    everyone: Trial, inside: np.ndarray, effect: np.ndarray, u: Nuisances, options: TrainOptions, seed: int
) -> Evaluation | None:
    held, u = everyone.rows(inside), u.rows(inside)
    if min(len(np.unique(held.cluster[held.t == arm])) for arm in (0, 1)) < MIN_TEST_ARM:
        return None
    gamma = aipw_scores(held.t, held.y, u.mu0, u.mu1, u.propensity)
    supported = float(held.weight.sum() / everyone.weight.sum())
    return evaluate_rules(
        held.sign * effect[inside],
        -held.sign * u.mu0,
        held.sign * gamma,
        held.cluster,
        held.weight,
        fraction=options.reach(supported),
        seed=seed,
        supported=supported,
        alpha=options.alpha,
    )
