"""From a frame of mixed columns to a finite float matrix, the same way in training and scoring.

Numbers stay numbers; strings become indicator columns of their frequent levels; missing values are filled
with the training median and flagged in a column of their own, so that "not measured" can itself modify an effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from contracts.errors import DesignError

MAX_LEVELS = 20
MIN_LEVEL_SHARE = 0.005


@dataclass(frozen=True)
class FeatureEncoder:
    """Fitted encoding.

    Attributes:
        numeric: numeric source columns in order.
        medians: training median per numeric column (0 when the column was entirely missing).
        flagged: numeric columns with missing values in training; each adds one indicator.
        levels: per categorical column the levels that have an indicator; the others are all zero, as are levels that did
            not occur in training (missing is a level when it did).
        references: per categorical column the level that alone is all zeros in training; None where several are.
    """

    numeric: tuple[str, ...]
    medians: tuple[float, ...]
    flagged: tuple[str, ...]
    levels: tuple[tuple[str, tuple[str, ...]], ...]
    references: tuple[str | None, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """Source columns that `transform` reads."""
        return self.numeric + tuple(name for name, _ in self.levels)

    @property
    def owners(self) -> tuple[str, ...]:
        """Source column of every encoded column, for adding contributions up."""
        return self.numeric + self.flagged + tuple(name for name, kept in self.levels for _ in kept)

    @property
    def names(self) -> tuple[str, ...]:
        """Encoded column names."""
        flags = tuple(f"{c} missing" for c in self.flagged)
        return self.numeric + flags + tuple(f"{name}={v}" for name, kept in self.levels for v in kept)

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """Encode; shape (len(frame), len(names)), float64, finite. Columns absent from the frame raise DesignError."""
        absent = [c for c in self.sources if c not in frame.columns]
        if absent:
            raise DesignError(
                f"The feature `{absent[0]}` is absent from the rows to encode.",
                expected=f"{len(self.sources)} features as in training",
                actual=f"{len(absent)} absent",
                todo="score with the feature version the model was trained on.",
            )
        values = _numeric_block(frame, self.numeric)
        flags = [np.isnan(values[:, self.numeric.index(c)]).astype(float) for c in self.flagged]
        values = np.where(np.isnan(values), np.asarray(self.medians, dtype=float)[None, :], values)
        dummies = [(_as_level(frame[name]) == v).astype(float) for name, kept in self.levels for v in kept]
        return np.ascontiguousarray(np.column_stack([values, *flags, *dummies]))

    def merged(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """Per categorical column the level of each row whose level is merged with others, "" elsewhere; columns without any left out."""
        found = {}
        for (name, kept), reference in zip(self.levels, self.references, strict=True):
            level = _as_level(frame[name])
            is_told = np.isin(level.astype(str), [*kept, *([] if reference is None else [reference])])
            if not is_told.all():
                found[name] = np.where(is_told, "", level)
        return found


def fit_encoder(frame: pd.DataFrame) -> FeatureEncoder:
    """Learn medians, missing flags and frequent levels; constant columns are dropped (they can explain nothing)."""
    numeric, medians, flagged, levels, references = [], [], [], [], []
    for name in map(str, frame.columns):
        if is_numeric(frame[name]):
            values = _numeric_block(frame, (name,))[:, 0]
            seen = values[~np.isnan(values)]
            missing = len(seen) < len(values)
            if len(seen) and (seen.min() < seen.max() or missing):
                numeric.append(name)
                medians.append(float(np.median(seen)))
                if missing:
                    flagged.append(name)
        else:
            kept, reference = _frequent(_as_level(frame[name]))
            if kept:
                levels.append((name, kept))
                references.append(reference)
    return FeatureEncoder(tuple(numeric), tuple(medians), tuple(flagged), tuple(levels), tuple(references))


def is_numeric(column: pd.Series) -> bool:
    """Whether a column is used as a number (booleans are numbers; categoricals and dates are not)."""
    return bool(pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)) or _holds_decimals(column)


def _holds_decimals(column: pd.Series) -> bool:
    """DECIMAL columns arrive from Arrow as objects."""
    from decimal import Decimal

    if column.dtype != object:
        return False
    present = column.dropna()
    return len(present) > 0 and isinstance(present.iloc[0], Decimal)


def _numeric_block(frame: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    block = np.empty((len(frame), len(names)))
    for j, name in enumerate(names):
        block[:, j] = pd.to_numeric(frame[name], errors="coerce").astype("float64").to_numpy(na_value=np.nan)
    # An infinity carries no more than "very large, not measured"; treat as missing rather than poison a tree.
    block[~np.isfinite(block)] = np.nan
    return block


def _as_level(column: pd.Series) -> np.ndarray:
    text = column.astype("object").where(column.notna(), "missing")
    return text.astype(str).to_numpy(dtype=object)


def _frequent(values: np.ndarray) -> tuple[tuple[str, ...], str | None]:
    """Most frequent levels, ties by name, and the level that is told by having no indicator: the commonest, or the only one left.

    Where several are left they are one, and the commonest has its indicator: among them, "no diagnosis" would pass for a rare disease.
    """
    names, counts = np.unique(values.astype(str), return_counts=True)
    if len(names) < 2:
        return (), None
    order = np.lexsort((names, -counts))
    kept = [str(names[i]) for i in order if counts[i] >= MIN_LEVEL_SHARE * len(values)][:MAX_LEVELS]
    if len(kept) == len(names):
        return tuple(kept[1:]), kept[0]
    rest = [str(name) for name in names if name not in kept]
    return tuple(kept), rest[0] if len(rest) == 1 else None


def correlations(Z: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Absolute correlation of every encoded column with `values` (n,); 0 where either does not vary; (p,)."""
    spread, size = Z.std(axis=0), values.std()
    if not size > 0:
        return np.zeros(Z.shape[1])
    centred = (Z - Z.mean(axis=0)) / np.where(spread > 1e-12, spread, np.inf)
    return np.abs(centred.T @ ((values - values.mean()) / size)) / len(values)
