"""What a model leaves behind for the night: a small picklable object that scores any batch of members."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from causal.encoding import FeatureEncoder
from causal.learners.recalibrated import Recalibrated
from causal.reasons import N_REASONS, Reasons
from causal.regression import Predictor
from causal.support import SupportBounds
from causal.trial import Better

SCORE_COLUMNS = (
    "cate",
    "cate_lower",
    "cate_upper",
    "interval_kind",
    "baseline_risk",
    "propensity",
    "in_support",
    *(f"reason_feature_{i + 1}" for i in range(N_REASONS)),
    *(f"reason_contribution_{i + 1}" for i in range(N_REASONS)),
)


@dataclass(frozen=True)
class Scorer:
    """Scores members; no state, one thread, no randomness.

    Attributes:
        model: the effect model, or None when no learner could be fitted (then `cate` is null throughout).
        baseline: predicts the untreated outcome.
        propensity: predicts the share offered among people like this in training.
        reasons_of: what the reasons explain: "benefit" (of the model) or "need" (of the baseline, for fallback).
    """

    encoder: FeatureEncoder
    model: Recalibrated | None
    baseline: Predictor
    propensity: Predictor
    support: SupportBounds
    reasons: Reasons | None
    reasons_of: str
    better: Better
    learner: str
    alpha: float = 0.05

    @property
    def features(self) -> tuple[str, ...]:
        """Source columns needed from the feature table."""
        return self.encoder.sources

    def effect(self, X: pd.DataFrame) -> np.ndarray:
        """`cate` of `score` and nothing else, in a tenth of the time; (n,)."""
        cate = np.full(len(X), np.nan)
        if self.model is not None and len(X):
            Z = self.encoder.transform(X)
            inside = self.support.contains(self.propensity.predict(Z))
            if inside.any():
                cate[inside] = self.model.effect(Z[inside])
        return cate

    def score(self, X: pd.DataFrame) -> pd.DataFrame:
        """Score a batch of any length, with the index of `X`.

        Returns:
            SCORE_COLUMNS: `cate` and its interval in outcome units, natural sign (treated minus control), null
            outside support; `baseline_risk` the predicted untreated outcome; reasons with positive contributions
            to the benefit (or need), null where there are fewer than three.
        """
        n = len(X)
        if n == 0:
            return _empty(X.index)
        Z = self.encoder.transform(X)
        e = self.propensity.predict(Z)
        inside = self.support.contains(e)
        out = pd.DataFrame(index=X.index)
        cate, lower, upper = (np.full(n, np.nan) for _ in range(3))
        kind = "none"
        if self.model is not None and inside.any():
            cate[inside], lower[inside], upper[inside] = self.model.with_interval(Z[inside], self.alpha)
            kind = self.model.interval_kind
        out["cate"], out["cate_lower"], out["cate_upper"] = cate, lower, upper
        out["interval_kind"] = np.where(np.isnan(lower), "none", kind).astype(object)
        out["baseline_risk"] = self.baseline.predict(Z)
        out["propensity"], out["in_support"] = e, inside
        names = np.full((n, N_REASONS), None, dtype=object)
        values = np.full((n, N_REASONS), np.nan)
        if self.reasons is not None:
            names, values = self.reasons.top(Z)
        for i in range(N_REASONS):
            out[f"reason_feature_{i + 1}"] = names[:, i]
        for i in range(N_REASONS):
            out[f"reason_contribution_{i + 1}"] = values[:, i]
        return out[list(SCORE_COLUMNS)]


def _empty(index: pd.Index) -> pd.DataFrame:
    text = {"interval_kind", *(f"reason_feature_{i + 1}" for i in range(N_REASONS))}
    return pd.DataFrame(
        {c: pd.Series(dtype=bool if c == "in_support" else object if c in text else float) for c in SCORE_COLUMNS},
        index=index,
    )
