"""A study's frame, checked against its spec: every complaint names the field of the study that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from causal.trial import Better, Trial, make_trial
from contracts.errors import ConfigError
from contracts.study import Level, Randomized, RandomizedArms, RandomizedColumn, StudySpec


@dataclass(frozen=True)
class StudyFrame:
    """Rows that take part.

    Attributes:
        arm: arm of each row, "" for control; (n,).
        known: logged probability of each row's offer by arm (NaN = observational).
        excluded: rows left out, by reason.
    """

    unit_id: pd.Series
    features: pd.DataFrame
    arm: np.ndarray
    outcome: np.ndarray
    better: Better
    cluster: np.ndarray
    weight: np.ndarray
    known: Mapping[str, np.ndarray]
    placebos: Mapping[str, np.ndarray]
    negative_controls: Mapping[str, np.ndarray]
    groups: pd.DataFrame | None
    arms: tuple[str, ...]
    excluded: Mapping[str, int]

    @property
    def n(self) -> int:
        return len(self.outcome)

    @property
    def counts(self) -> dict[str, int]:
        """Rows per arm, control included."""
        return {"control": int((self.arm == "").sum()), **{a: int((self.arm == a).sum()) for a in self.arms}}

    def rows_of(self, arm: str) -> np.ndarray:
        """Rows of an arm and of control."""
        return (self.arm == arm) | (self.arm == "")

    def trial(self, arm: str) -> Trial:
        """An arm against control."""
        rows = self.rows_of(arm)
        return make_trial(
            self.features[rows],
            (self.arm[rows] == arm).astype(int),
            self.outcome[rows],
            self.better,
            cluster=self.cluster[rows],
            weight=self.weight[rows],
            known_propensity=self.known[arm][rows],
            placebos={k: v[rows] for k, v in self.placebos.items()},
            negative_controls={k: v[rows] for k, v in self.negative_controls.items()},
            groups=None if self.groups is None else self.groups[rows],
            arm=arm,
        )


def read_frame(frame: pd.DataFrame, spec: StudySpec) -> StudyFrame:
    """Check and select. Raises `ConfigError` naming the field."""
    _check_columns(frame, spec)
    arm_of = _arms(frame[spec.treatment.column], spec)
    outcome = _number(frame, spec.outcome.column, "outcome.column")
    excluded = {"other or missing treatment": arm_of.isna(), "missing outcome": ~np.isfinite(outcome) & arm_of.notna()}
    keep = ~np.logical_or.reduce([np.asarray(v) for v in excluded.values()])
    if not keep.any():
        raise ConfigError("`outcome.column`: no row has both a listed arm and an outcome.")
    kept = frame[keep].reset_index(drop=True)
    arms = tuple(str(v) for v in spec.treatment.treated)
    weight = np.ones(len(kept)) if spec.weights is None else _number(kept, spec.weights, "weights")
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0):
        raise ConfigError(f"`weights`: column `{spec.weights}` has missing or negative values, or sums to zero.")
    return StudyFrame(
        unit_id=kept[spec.unit_id] if spec.unit_id else pd.Series(np.flatnonzero(keep)),
        features=kept[_covariates(kept, spec)],
        arm=arm_of[keep].to_numpy(dtype=object),
        outcome=outcome[keep],
        better=spec.outcome.better,
        cluster=_clusters(kept, spec),
        weight=weight,
        known={arm: _known(kept, arm, spec) for arm in arms},
        placebos={c: _number(kept, c, "placebo_outcomes") for c in spec.placebo_outcomes},
        negative_controls={c: _number(kept, c, "negative_controls") for c in spec.negative_controls},
        groups=kept[spec.groups] if spec.groups else None,
        arms=arms,
        excluded={k: int(np.sum(v)) for k, v in excluded.items() if np.sum(v)},
    )


def _check_columns(frame: pd.DataFrame, spec: StudySpec) -> None:
    if frame.columns.duplicated().any():
        raise ConfigError(f"`data`: the column `{frame.columns[frame.columns.duplicated()][0]}` occurs twice.")
    if len(frame) == 0:
        raise ConfigError("`data`: there are no rows.")
    fields: list[tuple[str, str | None]] = [
        ("treatment.column", spec.treatment.column),
        ("outcome.column", spec.outcome.column),
        ("unit_id", spec.unit_id),
        ("cluster", spec.cluster),
        ("weights", spec.weights),
        *(("placebo_outcomes", c) for c in spec.placebo_outcomes),
        *(("negative_controls", c) for c in spec.negative_controls),
        *(("groups", c) for c in spec.groups),
        *(("covariates.include", c) for c in spec.covariates.include or []),
        *(("covariates.exclude", c) for c in spec.covariates.exclude),
    ]
    if isinstance(spec.assignment, Randomized) and isinstance(spec.assignment.randomized, RandomizedColumn):
        fields.append(("assignment.randomized.column", spec.assignment.randomized.column))
    for field, column in fields:
        if column is not None and column not in frame.columns:
            raise ConfigError(
                f"`{field}`: the data have no column `{column}`.",
                expected="one of " + ", ".join(map(str, frame.columns[:12])) + (" ..." if frame.shape[1] > 12 else ""),
            )


def _arms(column: pd.Series, spec: StudySpec) -> pd.Series:
    """Arm name per row, "" for control, missing for anything else."""
    out = pd.Series(pd.NA, index=column.index, dtype="object")
    out[_equals(column, spec.treatment.control)] = ""
    if (out != "").fillna(True).all():
        raise ConfigError(f"`treatment.control`: no row has the value `{spec.treatment.control}`.")
    for level in spec.treatment.treated:
        found = _equals(column, level)
        if not found.any():
            raise ConfigError(f"`treatment.treated`: no row has the value `{level}`.")
        out[found] = str(level)
    return out


def _equals(column: pd.Series, level: Level) -> pd.Series:
    """Equality that does not mind whether 1 was read as a number, a boolean or text."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        try:
            return (column.astype("float64") == float(level)).fillna(False)
        except ValueError:
            return pd.Series(False, index=column.index)
    text = str(level).lower() if isinstance(level, bool) else str(level)
    values = column.astype(str).str.strip()
    return (values.str.lower() == text if isinstance(level, bool) else values == text) & column.notna()


def _number(frame: pd.DataFrame, column: str, field: str) -> np.ndarray:
    values = pd.to_numeric(frame[column], errors="coerce").astype("float64")
    lost = int((values.isna() & frame[column].notna()).sum())
    if lost:
        raise ConfigError(f"`{field}`: column `{column}` has {lost} values that are not numbers.")
    return values.to_numpy(na_value=np.nan)


def _covariates(frame: pd.DataFrame, spec: StudySpec) -> list[str]:
    wanted = spec.covariates.include
    roles = spec.role_columns
    if wanted is not None:
        clash = [c for c in wanted if c in roles]
        if clash:
            raise ConfigError(f"`covariates.include`: `{clash[0]}` already has another role in the study.")
    names = [c for c in (wanted if wanted is not None else frame.columns) if c not in roles]
    names = [c for c in names if c not in spec.covariates.exclude]
    if not names:
        raise ConfigError("`covariates`: no column is left to adjust for or to rank by.")
    return names


def _clusters(frame: pd.DataFrame, spec: StudySpec) -> np.ndarray:
    """Codes of the cluster column; else of the unit, which may occur in several rows; a missing cluster is its own."""
    name = spec.cluster or spec.unit_id
    if name is None:
        return np.arange(len(frame))
    codes = pd.factorize(frame[name])[0]
    alone = codes < 0
    codes[alone] = codes.max() + 1 + np.arange(alone.sum())
    return codes


def _known(frame: pd.DataFrame, arm: str, spec: StudySpec) -> np.ndarray:
    """Probability of this arm rather than control, where somebody randomised."""
    if not isinstance(spec.assignment, Randomized):
        return np.full(len(frame), np.nan)
    how = spec.assignment.randomized
    if isinstance(how, RandomizedArms):
        offered, control = how.arms[arm], how.arms[str(spec.treatment.control)]
        return np.full(len(frame), offered / (offered + control))
    if isinstance(how, RandomizedColumn):
        if len(spec.treatment.treated) > 1:
            raise ConfigError("`assignment.randomized.column`: one column cannot hold the chances of several arms.")
        values = _number(frame, how.column, "assignment.randomized.column")
        inside = np.isnan(values) | ((values > 0) & (values < 1))
        if not inside.all():
            raise ConfigError(
                f"`assignment.randomized.column`: `{how.column}` must lie strictly between 0 and 1.",
                actual=f"{int((~inside).sum())} values outside",
            )
        return values
    return np.full(len(frame), float(how))
