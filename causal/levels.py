"""Levels of text that are too many or too rare to be adjusted for one by one: did they decide who was offered?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from causal.encoding import FeatureEncoder
from causal.trial import Trial

# A level's excess counts as if so many people of no excess were added: few people's share of offers is mostly chance.
PRIOR_PEOPLE = 5.0


@dataclass(frozen=True)
class MergedLevels:
    """What stands for the levels without an indicator when arms are compared.

    Attributes:
        columns: those of the trial's text columns that have such levels.
        shares: of the rows, by weight, that have one; (len(columns),).
        excess: how much more often people of the same level were offered than their features told, measured on people
            of other folds, 0 where the level has its indicator; (n, len(columns)). Where the levels decided nothing more, it
            does not go with the offer.
    """

    columns: tuple[str, ...]
    shares: np.ndarray
    excess: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """As covariates."""
        return tuple(f"{column} (levels not told apart)" for column in self.columns)

    def beside(self, Z: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Encoded features of some rows and, where there are any, the excess beside them."""
        return np.column_stack([Z[rows], self.excess[rows]]) if self.columns else Z[rows]


def merged_levels(trial: Trial, encoder: FeatureEncoder, fold: np.ndarray, propensity: np.ndarray) -> MergedLevels:
    """Of a trial whose offers people decided, wholly or in part; none where chance did.

    Args:
        trial: all rows.
        encoder: fitted on them.
        fold: of each row, by which `propensity` was cross-fitted; (n,).
        propensity: chance of the offer given the encoded features; (n,).
    """
    found = {} if trial.design == "randomized" else encoder.merged(trial.X)
    columns = [_excess(level, fold, trial.weight, trial.t - propensity) for level in found.values()]
    shares = [float(np.average(level != "", weights=trial.weight)) for level in found.values()]
    return MergedLevels(tuple(found), np.array(shares), np.column_stack(columns) if columns else np.empty((trial.n, 0)))


def _excess(level: np.ndarray, fold: np.ndarray, weight: np.ndarray, residual: np.ndarray) -> np.ndarray:
    code, names = pd.factorize(level)
    folds = int(fold.max()) + 1
    cell = code * folds + fold

    def elsewhere(values: np.ndarray) -> np.ndarray:
        inside = np.bincount(cell, weights=values, minlength=len(names) * folds).reshape(len(names), folds)
        return (inside.sum(axis=1, keepdims=True) - inside)[code, fold]

    shrunk = elsewhere(weight * residual) / (elsewhere(weight) + PRIOR_PEOPLE * weight.mean())
    return np.where(level == "", 0.0, shrunk)
