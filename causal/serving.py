"""The scorer that is served: the chosen recipe on all rows, or what is left when no model could be fitted."""

from __future__ import annotations

import numpy as np

from causal.encoding import FeatureEncoder
from causal.folds import cluster_folds
from causal.learners.recalibrated import Recalibrated
from causal.mixing import fit_mixed
from causal.nuisance import NuisanceModels, fit_single
from causal.reasons import fit_reasons
from causal.regression import Constant, Predictor
from causal.scorer import Scorer
from causal.support import SupportBounds, support_bounds
from causal.trial import Trial

_REASON_ROWS = 20_000
N_FOLDS = 5


def served_scorer(
    trial: Trial,
    encoder: FeatureEncoder,
    Z: np.ndarray,
    folds: list[NuisanceModels],
    bounds: SupportBounds,
    model: Recalibrated,
    learner: str,
    *,
    explain: str,
    seed: int,
    alpha: float,
) -> Scorer:
    """Pack the fitted model with single (not per fold) nuisances and a surrogate for the reasons.

    Args:
        folds: cross-fitted nuisance models, whose mixing shares are taken over.
        bounds: support found in training; used when nobody randomised, else support is that of the marginal offer.
        explain: "benefit" or "need".
    """
    control = trial.t == 0
    kind = trial.outcome_kind
    fold = cluster_folds(trial.cluster, trial.t, N_FOLDS, seed + 4)
    baseline = fit_single(
        Z[control], trial.y[control], trial.weight[control], fold[control], kind, folds[0].mu0, seed + 5
    )
    propensity, served_bounds = _marginal_offer(trial, Z, folds, fold, bounds, seed)
    rows = np.random.default_rng(seed).permutation(trial.n)[:_REASON_ROWS]
    target = model.effect(Z[rows]) * trial.sign if explain == "benefit" else -trial.sign * baseline.predict(Z[rows])
    return Scorer(
        encoder=encoder,
        model=model,
        baseline=baseline,
        propensity=propensity,
        support=served_bounds,
        reasons=fit_reasons(Z[rows], target, encoder, seed),
        reasons_of=explain,
        better=trial.better,
        learner=learner,
        alpha=alpha,
    )


def fallback_scorer(trial: Trial, encoder: FeatureEncoder, *, seed: int, alpha: float) -> Scorer:
    """Baseline risk and its reasons only: `cate` is null for everyone. Without controls the risk is everyone's mean."""
    Z = encoder.transform(trial.X)
    control = trial.t == 0
    baseline: Predictor = Constant(float("nan"))
    reasons = None
    if control.any() and trial.weight[control].sum() > 0 and Z.shape[1]:
        fold = cluster_folds(trial.cluster, trial.t, N_FOLDS, seed + 4)[control]
        kind = trial.outcome_kind
        baseline = fit_mixed(Z[control], trial.y[control], trial.weight[control], fold, seed + 5, kind)
        reasons = fit_reasons(Z, -trial.sign * baseline.predict(Z), encoder, seed)
    elif trial.n:
        baseline = Constant(float(trial.y[control].mean() if control.any() else trial.y.mean()))
    offered = float(trial.t.mean()) if trial.n else float("nan")
    return Scorer(
        encoder=encoder,
        model=None,
        baseline=baseline,
        propensity=Constant(offered),
        support=SupportBounds(0.0, 1.0),
        reasons=reasons,
        reasons_of="need",
        better=trial.better,
        learner="none",
        alpha=alpha,
    )


def _marginal_offer(
    trial: Trial, Z: np.ndarray, folds: list[NuisanceModels], fold: np.ndarray, bounds: SupportBounds, seed: int
) -> tuple[Predictor, SupportBounds]:
    """Chance that people like this were offered in training, and the range in which that was learnt from."""
    known = trial.known_propensity
    if trial.design == "randomized" and np.ptp(known) < 1e-9:
        return Constant(float(known[0])), SupportBounds(0.0, 1.0)
    like = folds[0].propensity if trial.design != "randomized" else None
    model = fit_single(Z, trial.t.astype(float), trial.weight, fold, "binary", like, seed + 6)
    if trial.design == "observational":
        return model, bounds
    return model, support_bounds(np.clip(model.predict(Z), 1e-4, 1 - 1e-4), trial.weight)
