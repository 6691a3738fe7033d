"""Adjusted "effects" on many outcomes that the treatment cannot have changed, with their joint sampling error.

Two dozen full cross-fits would cost more than the study itself, so controls that leave the same features out of the
adjustment share one propensity (the study's own kind of model) and one ridge regression per arm with a column per
control. AIPW needs only one of the two models to be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from causal.aipw import Estimate, aipw_scores, estimate
from causal.encoding import FeatureEncoder
from causal.nuisance import cross_fit
from causal.placebo import PlaceboEstimate, adjusting, bounded, has_enough, only, own_chances
from causal.trial import Placebo, Trial

# Of the control's variance; an outcome that the features foretell entirely has no room for a hidden difference.
_MIN_UNEXPLAINED = 0.02
_RIDGE = 1.0


@dataclass(frozen=True)
class NegativeControls:
    """What was found on the negative controls that vary and are not foretold by the features.

    Attributes:
        given: controls that the study names.
        estimates: one per usable control, in their order.
        covariance: of the standardised estimates, (k, k), by cluster.
        with_effect: covariance of each with the effect on the study's outcome, both standardised, (k,).
        effect: that effect in standard deviations of its outcome.
    """

    given: int
    estimates: tuple[PlaceboEstimate, ...]
    covariance: np.ndarray
    with_effect: np.ndarray
    effect: Estimate

    @property
    def standardised(self) -> np.ndarray:
        return np.array([e.standardised for e in self.estimates])


def negative_controls(
    controls: Mapping[str, Placebo],
    trial: Trial,
    encoder: FeatureEncoder,
    Z: np.ndarray,
    fold: np.ndarray,
    inside: np.ndarray,
    propensity: np.ndarray,
    gamma: np.ndarray,
    *,
    seed: int,
    threads: int,
    alpha: float,
) -> NegativeControls:
    """AIPW effect on every usable control.

    Args:
        controls: outcomes by name, with the features that contain them.
        Z, fold, inside: encoded features, cross-fitting fold and support of every row of the trial.
        propensity: of every row by all features; estimated anew where some are left out.
        gamma: AIPW scores of the study's outcome, (n,).
    """
    usable = {k: c for k, c in controls.items() if has_enough(trial, c.values, np.isfinite(c.values) & inside)}
    groups: dict[tuple[bytes, bytes], list[str]] = {}
    for name, control in usable.items():
        rows = np.isfinite(control.values) & inside
        use = adjusting(encoder, control, Z, rows)
        groups.setdefault((rows.tobytes(), use.tobytes()), []).append(name)
    found: dict[str, tuple[float, np.ndarray]] = {}
    for (row_bytes, use_bytes), names in groups.items():
        rows, use = np.frombuffer(row_bytes, dtype=bool), np.frombuffer(use_bytes, dtype=bool)
        features = only(Z, rows, use)
        Y = np.column_stack([usable[name].values[rows] for name in names])
        e = own_chances(propensity, rows, use)
        scores, unexplained = _scores(features, trial.rows(rows), Y, fold[rows], e, seed=seed, threads=threads)
        for j, name in enumerate(names):
            if unexplained[j] >= _MIN_UNEXPLAINED:
                found[name] = _influence(scores[:, j], rows, trial.weight)
    at, influence = _influence(gamma[inside], inside, trial.weight)
    columns = [influence / np.std(trial.y), *(i / _spread(usable[k], inside) for k, (_, i) in found.items())]
    joint = _clustered_covariance(np.column_stack(columns), trial.cluster)
    error = np.sqrt(np.diag(joint))
    estimates = tuple(
        _estimate(name, value, float(se), _spread(usable[name], inside), trial.n, alpha)
        for (name, (value, _)), se in zip(found.items(), error[1:], strict=True)
    )
    effect = estimate(at / float(np.std(trial.y)), float(error[0]), int(inside.sum()), alpha)
    return NegativeControls(len(controls), estimates, joint[1:, 1:], joint[0, 1:], effect)


def _scores(
    features: np.ndarray,
    part: Trial,
    Y: np.ndarray,
    fold: np.ndarray,
    propensity: np.ndarray | None,
    *,
    seed: int,
    threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """AIPW scores (n, m) of m controls, and the share of each control's variance that the features leave, (m,)."""
    if propensity is None:
        # A constant outcome costs nothing to fit: only the propensity is wanted here.
        nothing = np.zeros(part.n)
        u, _ = cross_fit(
            features,
            part.t,
            nothing,
            part.weight,
            part.known_propensity,
            fold,
            "continuous",
            seed=seed + 211,
            threads=threads,
        )
        propensity = u.propensity
    e = bounded(propensity, part.known_propensity)
    mu = [_ridge_out_of_fold(features, Y, part.weight, fold, part.t == arm) for arm in (0, 1)]
    own = np.where(part.t[:, None] == 1, mu[1], mu[0])
    scores = aipw_scores(part.t[:, None], Y, mu[0], mu[1], e[:, None])
    return scores, np.var(Y - own, axis=0) / np.var(Y, axis=0)


def _ridge_out_of_fold(
    features: np.ndarray, Y: np.ndarray, weight: np.ndarray, fold: np.ndarray, use: np.ndarray
) -> np.ndarray:
    """Ridge predictions (n, m) of all columns of Y by models that have not seen the row, learnt where `use`."""
    out = np.empty(Y.shape)
    for k in np.unique(fold):
        train = use & (fold != k)
        if not weight[train].sum() > 0:
            out[fold == k] = np.average(Y, axis=0, weights=weight)
            continue
        centre = np.average(features[train], axis=0, weights=weight[train])
        scale = features[train].std(axis=0)
        scale = np.where(scale > 1e-12, scale, 1.0)
        D = np.clip((features - centre) / scale, -5, 5)
        mean = np.average(Y[train], axis=0, weights=weight[train])
        w = weight[train] / weight[train].mean()
        gram = D[train].T @ (D[train] * w[:, None]) + _RIDGE * np.eye(D.shape[1])
        out[fold == k] = mean + D[fold == k] @ np.linalg.solve(gram, D[train].T @ ((Y[train] - mean) * w[:, None]))
    return out


def _influence(scores: np.ndarray, rows: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Weighted mean of scores over `rows`, and every row's influence on it (0 outside), (n,)."""
    w = weight[rows]
    value = float(np.average(scores, weights=w))
    influence = np.zeros(len(rows))
    influence[rows] = w * (scores - value) / w.sum()
    return value, influence


def _clustered_covariance(influence: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Covariance of estimates from their influence columns (n, m), summed within clusters."""
    _, code = np.unique(cluster, return_inverse=True)
    totals = np.column_stack([np.bincount(code, weights=column) for column in influence.T])
    factor = len(totals) / max(len(totals) - 1, 1)
    centred = totals - totals.mean(axis=0)
    return np.asarray(factor * centred.T @ centred)


def _spread(control: Placebo, inside: np.ndarray) -> float:
    return float(np.std(control.values[np.isfinite(control.values) & inside]))


def _estimate(name: str, value: float, standardised_se: float, spread: float, n: int, alpha: float) -> PlaceboEstimate:
    natural = estimate(value, standardised_se * spread, n, alpha)
    return PlaceboEstimate(name, natural, value / spread, standardised_se)
