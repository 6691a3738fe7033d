"""A study's frame, checked against its spec: every complaint names the field of the study that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd

from causal.aipw import clustered_se
from causal.study_columns import (
    LARGEST,
    arm_names,
    covariates,
    number,
    require_different,
    require_single_values,
    without_infinite,
)
from causal.trial import Attrition, Better, Placebo, Trial, make_trial
from contracts.errors import ConfigError
from contracts.study import Randomized, RandomizedArms, RandomizedColumn, StudySpec


@dataclass(frozen=True)
class StudyFrame:
    """Rows that take part.

    Attributes:
        position: place of each row in the data given, from 0; (n,). With a `unit_id` rows are sorted by it, so that their
            order in the file changes no result.
        arm: arm of each row, "" for control; (n,).
        known: logged probability of each row's offer by arm (NaN = observational).
        control: what the treatment column says of control rows.
        excluded: rows left out, by reason.
        attrition: by arm, what share of its rows and of control's are left out for want of an outcome.
        unused: columns that are not adjusted for or carry nothing, with the reason.
        cluster_name: the column whose values are the clusters; None where a cluster is a person.
    """

    unit_id: pd.Series
    position: np.ndarray
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
    control: str
    excluded: Mapping[str, int]
    attrition: Mapping[str, Attrition]
    unused: Mapping[str, str]
    cluster_name: str | None

    @property
    def n(self) -> int:
        return len(self.outcome)

    @property
    def counts(self) -> dict[str, int]:
        """Rows per arm, control included."""
        return {self.control: int((self.arm == "").sum()), **{a: int((self.arm == a).sum()) for a in self.arms}}

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
            placebos={k: Placebo(v[rows], (k,)) for k, v in self.placebos.items()},
            negative_controls={k: Placebo(v[rows], (k,)) for k, v in self.negative_controls.items()},
            groups=None if self.groups is None else self.groups[rows],
            arm=arm,
            attrition=self.attrition.get(arm),
            cluster_name=self.cluster_name,
        )


def read_frame(frame: pd.DataFrame, spec: StudySpec) -> StudyFrame:
    """Check and select. Raises `ConfigError` naming the field."""
    _check_columns(frame, spec)
    arm_of = arm_names(frame[spec.treatment.column], spec)
    outcome = number(frame, spec.outcome.column, "outcome.column", flags=True)
    unlisted = pd.isna(arm_of)
    excluded = {
        "other or missing treatment": unlisted,
        "missing or infinite outcome": ~np.isfinite(outcome) & ~unlisted,
    }
    taken = ~np.logical_or.reduce(list(excluded.values()))
    if not taken.any():
        raise _no_outcome(outcome[~unlisted])
    weight = _weights(frame, taken, arm_of, spec)
    excluded["weight of zero"] = taken & (weight == 0)
    at = np.flatnonzero(taken & (weight != 0))
    if spec.unit_id is not None:
        at = at[_order(frame.iloc[at], spec.unit_id)]
    kept = frame.iloc[at].reset_index(drop=True)
    arm, arms = arm_of[at], tuple(str(v) for v in spec.treatment.treated)
    attrition: dict[str, Attrition] = {}
    listed, arm_listed, lost = frame[~unlisted], arm_of[~unlisted], ~np.isfinite(outcome[~unlisted])
    for name in arms:
        _check_shares(listed, arm_listed, name, spec)
        found = _attrition(listed, arm_listed, lost, name, spec)
        attrition |= {} if found is None else {name: found}
    features, unused = covariates(kept, spec)
    cluster = _clusters(kept, spec)
    return StudyFrame(
        unit_id=_unit_ids(kept, at, cluster, spec),
        position=at,
        features=features,
        arm=arm,
        outcome=outcome[at],
        better=spec.outcome.better,
        cluster=cluster,
        weight=weight[at],
        known={name: _known(kept, name, spec) for name in arms},
        placebos={c: number(kept, c, "placebo_outcomes", flags=True) for c in spec.placebo_outcomes},
        negative_controls={c: number(kept, c, "negative_controls", flags=True) for c in spec.negative_controls},
        groups=kept[spec.groups].apply(without_infinite) if spec.groups else None,
        arms=arms,
        control=str(spec.treatment.control),
        excluded={k: int(v.sum()) for k, v in excluded.items() if v.any()},
        attrition=attrition,
        unused=unused,
        cluster_name=None if spec.cluster == spec.unit_id else spec.cluster,
    )


def _no_outcome(outcome: np.ndarray) -> ConfigError:
    """Nothing is left to learn from.

    Args:
        outcome: of the rows with a listed arm.
    """
    return ConfigError(
        "`outcome.column`: no row has both a listed arm and an outcome.",
        actual=f"numbers beyond {LARGEST:g}, which count as infinite" if np.isinf(outcome).any() else None,
        todo="give the outcome in a larger unit." if np.isinf(outcome).any() else None,
    )


def _order(rows: pd.DataFrame, unit_id: str) -> np.ndarray:
    """Places of the rows by unit, several rows of a unit by what they hold: no result depends on their order in the data."""
    unit = rows[unit_id].astype(str).to_numpy()
    several = rows[unit_id].duplicated(keep=False).to_numpy()
    content = np.zeros(len(rows), dtype=np.uint64)
    if several.any():
        content[several] = _content(rows[several]).to_numpy()
    return np.lexsort((content, unit))


def _content(rows: pd.DataFrame) -> pd.Series:
    """A hash of what each row holds."""
    words = rows.astype({c: str for c in rows.columns if rows[c].dtype == object})
    return pd.util.hash_pandas_object(words, index=False)


def _check_columns(frame: pd.DataFrame, spec: StudySpec) -> None:
    require_different(frame.columns)
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
            near = get_close_matches(column, map(str, frame.columns), n=3, cutoff=0.7)
            raise ConfigError(
                f"`{field}`: the data have no column `{column}`.",
                expected=" or ".join(f"`{name}`" for name in near) if near else f"one of the {frame.shape[1]} columns",
                todo="look at the first line of the data: does it hold the columns' names?",
            )
    roles = {column: field for field, column in reversed(fields) if column is not None and "covariates" not in field}
    for column, field in roles.items():
        require_single_values(frame[column], field)
    if spec.unit_id is None and spec.cluster is None:
        _require_no_copies(frame)


def _require_no_copies(frame: pd.DataFrame) -> None:
    """Refuse rows that are there twice, of data that say of nobody who they are: copies would pass for independent people.

    People of a few coarse columns may be alike in all of them. Copies they are where a column tells all different rows apart.
    """
    is_copy = _content(frame).duplicated()
    different = frame[~is_copy]
    if not is_copy.any() or not any(different[c].is_unique for c in frame):
        return
    raise ConfigError(
        f"`data`: {int(is_copy.sum())} of {len(frame)} rows are copies of others in every column.",
        expected="one row per unit",
        todo="leave the copies out; or, if a unit may have several rows, name its column under `unit_id` and `cluster`.",
    )


def _unit_ids(kept: pd.DataFrame, at: np.ndarray, cluster: np.ndarray, spec: StudySpec) -> pd.Series:
    """The column of identifiers as given, or row numbers of the data (from 0).

    A unit may have several rows (trials of one person, say) only where `cluster` holds them together: else the same
    identifier twice is more often a broken join, and its rows would pass for independent people.
    """
    if spec.unit_id is None:
        return pd.Series(at)
    ids = kept[spec.unit_id]
    if ids.isna().any():
        raise ConfigError(f"`unit_id`: column `{spec.unit_id}` is empty in {int(ids.isna().sum())} rows.")
    repeated = int(ids.duplicated().sum())
    if repeated and spec.cluster is None:
        raise ConfigError(
            f"`unit_id`: column `{spec.unit_id}` does not tell rows apart.",
            expected="one row per unit",
            actual=f"{repeated} rows whose unit occurred before",
            todo="if units have several rows, name the column that holds them together under `cluster`.",
        )
    if repeated and (pd.Series(cluster).groupby(pd.factorize(ids)[0]).nunique() > 1).any():
        raise ConfigError(f"`cluster`: rows of one `{spec.unit_id}` lie in different clusters of `{spec.cluster}`.")
    return ids


def _weights(frame: pd.DataFrame, taken: np.ndarray, arm_of: np.ndarray, spec: StudySpec) -> np.ndarray:
    """Weight of every row of the frame; those of the rows `taken` are checked, and no arm of them may vanish."""
    if spec.weights is None:
        return np.ones(len(frame))
    weight = number(frame, spec.weights, "weights")
    wrong = int((taken & ~(np.isfinite(weight) & (weight >= 0))).sum())
    if wrong:
        raise ConfigError(
            f"`weights`: column `{spec.weights}` has {wrong} missing, infinite or negative values.",
            expected=f"weights from 0 to {LARGEST:g}",
        )
    for arm in set(arm_of[taken]):
        if not weight[taken & (arm_of == arm)].any():
            which = arm or str(spec.treatment.control)
            raise ConfigError(f"`weights`: the weights of everyone with treatment `{which}` are zero.")
    return weight


def _check_shares(listed: pd.DataFrame, arm_of: np.ndarray, arm: str, spec: StudySpec) -> None:
    """A probability that the data flatly contradict (two arms mixed up, say) would silently bias every estimate.

    Args:
        listed: rows of every arm of the study, with and without an outcome.
    """
    known = _known(listed, arm, spec)
    rows = ((arm_of == arm) | (arm_of == "")) & ~np.isnan(known)
    if not rows.any():
        return
    excess = (arm_of[rows] == arm).astype(float) - known[rows]
    cluster = _clusters(listed, spec)[rows]
    weights = [np.ones(len(excess))]
    if spec.weights is not None:
        # Rows may have been sampled by arm, with weights that undo it: they are wrong only when neither view fits.
        weights.append(np.nan_to_num(number(listed, spec.weights, "weights")[rows]))
    for weight in weights:
        if not weight.sum() > 0:
            return
        gap = float(np.average(excess, weights=weight))
        noise = clustered_se(excess - gap, cluster, weight)
        if abs(gap) <= max(0.1, 5 * noise if np.isfinite(noise) else 1.0):
            return
    mean = float(np.mean(known[rows]))
    raise ConfigError(
        f"`assignment.randomized`: the probabilities do not fit the arm `{arm}`.",
        expected=f"{mean:.0%} treated of those treated or control",
        actual=f"{mean + float(np.mean(excess)):.0%}",
        todo="check which arm each probability belongs to, or say `observational`.",
    )


def _attrition(
    listed: pd.DataFrame, arm_of: np.ndarray, lost: np.ndarray, arm: str, spec: StudySpec
) -> Attrition | None:
    """Shares of an arm and of control without an outcome, people of one chance of an offer compared where it is known.

    Args:
        listed: rows of every arm of the study, with and without an outcome.
        lost: whether a row has none.
    """
    rows = (arm_of == arm) | (arm_of == "")
    if not lost[rows].any() or len(set(arm_of[rows])) < 2:
        return None
    t, missing = (arm_of[rows] == arm).astype(int), lost[rows].astype(float)
    known = _known(listed, arm, spec)[rows]
    chance = np.where(np.isnan(known), t.mean(), known)
    w = np.where(t == 1, 1 / chance, 1 / (1 - chance))
    share = [float(np.average(missing[t == k], weights=w[t == k])) for k in (0, 1)]
    influence = np.where(t == 1, 1, -1) * w * (missing - np.where(t == 1, share[1], share[0]))
    gap_se = clustered_se(influence, _clusters(listed, spec)[rows], np.ones(len(t)))
    return Attrition(share[1], share[0], gap_se)


def _clusters(frame: pd.DataFrame, spec: StudySpec) -> np.ndarray:
    """Codes of the cluster column, (n,); a row without one is a cluster of its own, and so is every row without a column."""
    if spec.cluster is None:
        return np.arange(len(frame))
    codes = pd.factorize(frame[spec.cluster])[0]
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
        values = number(frame, how.column, "assignment.randomized.column")
        inside = np.isnan(values) | ((values > 0) & (values < 1))
        if not inside.all():
            raise ConfigError(
                f"`assignment.randomized.column`: `{how.column}` must lie strictly between 0 and 1.",
                actual=f"{int((~inside).sum())} values outside",
            )
        return values
    return np.full(len(frame), float(how))
