"""Why a person's predicted benefit is above the average: exact TreeSHAP of a small surrogate of the model.

The surrogate is boosted on the model's own predictions; its R2 on rows it has not seen is reported, because reasons
explain the model only as far as the surrogate follows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from causal.encoding import FeatureEncoder

N_REASONS = 3


@dataclass(frozen=True)
class Reasons:
    """A fitted surrogate. `r2` is out of sample; `features` are source columns in the order of the columns summed."""

    booster: Any
    owner: np.ndarray
    features: tuple[str, ...]
    r2: float

    def top(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Names (n, N_REASONS) as objects with None, and contributions with NaN; only positive contributions."""
        n = len(Z)
        names = np.full((n, N_REASONS), None, dtype=object)
        values = np.full((n, N_REASONS), np.nan)
        if n == 0 or not self.features:
            return names, values
        raw = np.asarray(self.booster.predict(Z, pred_contrib=True, num_threads=1))[:, :-1]
        summed = np.zeros((n, len(self.features)))
        for column, owner in enumerate(self.owner):
            summed[:, owner] += raw[:, column]
        order = np.argsort(-summed, axis=1, kind="stable")[:, :N_REASONS]
        best = np.take_along_axis(summed, order, axis=1)
        shown = best > 0
        width = order.shape[1]
        names[:, :width] = np.asarray(self.features, dtype=object)[order]
        names[:, :width][~shown] = None
        values[:, :width] = np.where(shown, best, np.nan)
        return names, values

    def importance(self) -> dict[str, float]:
        """Share of the surrogate's gain per source feature, largest first; features without any are left out."""
        gain = np.asarray(self.booster.feature_importance("gain"), dtype=float)
        summed = np.bincount(self.owner, weights=gain, minlength=len(self.features))
        total = float(summed.sum())
        order = [k for k in np.argsort(-summed, kind="stable") if summed[k] > 0]
        return {self.features[k]: float(summed[k]) / total for k in order}


def fit_reasons(Z: np.ndarray, target: np.ndarray, encoder: FeatureEncoder, seed: int) -> Reasons | None:
    """Fit the surrogate of `target` (benefit or need, higher = more); None when there is nothing to explain."""
    import lightgbm as lgb

    if len(target) < 100 or np.ptp(target) <= 1e-12:
        return None
    rows = np.random.default_rng(seed).permutation(len(target))[:20_000]
    test, train = rows[: len(rows) // 5], rows[len(rows) // 5 :]
    params = {
        "objective": "regression",
        "num_leaves": 16,
        "max_depth": 5,
        "learning_rate": 0.15,
        "min_data_in_leaf": 20,
        "max_bin": 63,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": seed,
        "verbose": -1,
    }
    data = lgb.Dataset(Z[train], target[train], params={"max_bin": 63, "verbose": -1})
    booster = lgb.train(params, data, num_boost_round=60)
    held = target[test]
    spread = float(np.sum((held - held.mean()) ** 2))
    error = float(np.sum((held - booster.predict(Z[test], num_threads=1)) ** 2))
    features = tuple(dict.fromkeys(encoder.owners))
    owner = np.array([features.index(o) for o in encoder.owners])
    return Reasons(booster, owner, features, 1 - error / spread if spread > 0 else 0.0)
