"""How far each feature of one member moved the score: exact TreeSHAP of the surrogate that gives the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from causal.scorer import Scorer

SHOWN = 8


@dataclass(frozen=True)
class Contribution:
    """One feature's part in the score.

    Attributes:
        feature: its name.
        meaning: in words.
        value: as the member had it on the night; None: it never happened.
        contribution: to the predicted benefit (or need), in the outcome's unit; positive speaks for a call.
    """

    feature: str
    meaning: str
    value: Any
    contribution: float


@dataclass(frozen=True)
class Contributions:
    """The largest contributions either way, of what, and how well the surrogate follows the model (R2, out of sample)."""

    of: str
    parts: tuple[Contribution, ...]
    others: float
    r2: float


def contributions(scorer: Scorer, features: pd.DataFrame, meanings: dict[str, str]) -> Contributions | None:
    """Contributions for one member; None where the model gives no reasons.

    Args:
        scorer: of the model that scored the night.
        features: one row of `features.member_feature`.
        meanings: of features by name.
    """
    reasons = scorer.reasons
    if reasons is None or not reasons.features:
        return None
    encoded = scorer.encoder.transform(features[list(scorer.features)])
    raw = np.asarray(reasons.booster.predict(encoded, pred_contrib=True, num_threads=1))[0, :-1]
    summed = np.bincount(reasons.owner, weights=raw, minlength=len(reasons.features))
    order = np.argsort(-np.abs(summed), kind="stable")
    best = [int(k) for k in order[:SHOWN] if summed[k] != 0]
    parts = tuple(
        Contribution(
            reasons.features[k],
            meanings.get(reasons.features[k], ""),
            _plain(features[reasons.features[k]].iloc[0]),
            float(summed[k]),
        )
        for k in best
    )
    return Contributions(scorer.reasons_of, parts, float(summed.sum() - summed[best].sum()), reasons.r2)


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    return value.item() if isinstance(value, np.generic) else value
