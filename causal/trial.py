"""The one shape in which data reach every estimator: a trial of one arm against control.

A `Trial` may mix randomised rows (their assignment probability is known and is used as given) with
observational rows (probability NaN, to be estimated), which is what a nightly program produces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

from contracts.errors import ConfigError, DesignError

Better = Literal["lower", "higher"]
OutcomeKind = Literal["binary", "count", "continuous"]


def outcome_kind(y: np.ndarray) -> OutcomeKind:
    """binary = only 0 and 1; count = whole numbers from 0 to 1000; continuous otherwise."""
    if np.isin(y, (0.0, 1.0)).all():
        return "binary"
    whole = (y >= 0).all() and (y == np.floor(y)).all()
    return "count" if whole and y.max() <= 1000 else "continuous"


@dataclass(frozen=True)
class Placebo:
    """An outcome that the treatment cannot have changed (usually measured before time zero).

    Attributes:
        values: shape (n,), NaN where not measured.
        exclude: features that are made of this outcome; they are left out of the adjustment, because adjusting
            for the placebo itself would make its "effect" zero whatever was hidden.
    """

    values: np.ndarray
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class FollowUp:
    """Until when a trial's outcomes had to be watched, and until when the warehouse had heard of them.

    Attributes:
        complete_on: day on which the last row's horizon and claims run-out end.
        seen_on: day as of which the outcomes were read.
    """

    complete_on: date
    seen_on: date


@dataclass(frozen=True)
class Attrition:
    """Rows of a trial that are not among its rows, because their outcome is not known.

    Attributes:
        offered, control: share of each arm's rows.
        gap_se: standard error of the difference between the shares, by cluster; NaN where it cannot be told.
    """

    offered: float
    control: float
    gap_se: float


@dataclass(frozen=True)
class Trial:
    """Rows of one arm against control.

    Attributes:
        X: features as of time zero; numbers (NaN allowed) and strings; index is ignored.
        t: 1 offered, 0 control; shape (n,).
        y: outcome in its natural unit and sign; shape (n,).
        better: which direction of y is good.
        cluster: integer codes of persons or households; shape (n,).
        weight: non-negative sampling weights; shape (n,).
        known_propensity: logged probability of t = 1, NaN where nobody randomised; shape (n,).
        placebos: placebo outcomes by name.
        negative_controls: outcomes or exposures that should show no effect, by name.
        groups: attributes for fairness and subgroup reports; never features.
        arm: name of the arm.
        follow_up: None where nobody knows when the outcomes were read.
        attrition: who dropped out before the outcome; None where nobody did.
        cluster_name: the column whose values are the clusters, for sentences; None where a cluster is a person.
    """

    X: pd.DataFrame
    t: np.ndarray
    y: np.ndarray
    better: Better
    cluster: np.ndarray
    weight: np.ndarray
    known_propensity: np.ndarray
    placebos: Mapping[str, Placebo] = field(default_factory=dict)
    negative_controls: Mapping[str, Placebo] = field(default_factory=dict)
    groups: pd.DataFrame | None = None
    arm: str = "treated"
    follow_up: FollowUp | None = None
    attrition: Attrition | None = None
    cluster_name: str | None = None

    def __post_init__(self) -> None:
        n = len(self.X)
        for name in ("t", "y", "cluster", "weight", "known_propensity"):
            if np.shape(getattr(self, name)) != (n,):
                raise DesignError(
                    f"Trial field `{name}` does not have one value per row.",
                    expected=f"shape ({n},)",
                    actual=f"shape {np.shape(getattr(self, name))}",
                )
        if not np.isin(self.t, (0, 1)).all():
            raise DesignError("Trial field `t` must hold 0 and 1 only.")
        if not np.isfinite(self.y).all():
            raise DesignError("Trial field `y` has missing or infinite outcomes.", todo="censor those rows first.")
        if not (np.isfinite(self.weight).all() and (self.weight >= 0).all()):
            raise DesignError("Trial field `weight` must be finite and not negative.")
        known = self.known_propensity[~np.isnan(self.known_propensity)]
        if ((known <= 0) | (known >= 1)).any():
            raise DesignError("Trial field `known_propensity` must lie strictly between 0 and 1 (NaN = not known).")
        if self.better not in ("lower", "higher"):
            raise ConfigError("Trial field `better` must be `lower` or `higher`.", actual=str(self.better))

    @property
    def n(self) -> int:
        return len(self.t)

    @property
    def sign(self) -> float:
        """Multiply an effect by this to get a benefit (higher = better)."""
        return -1.0 if self.better == "lower" else 1.0

    @property
    def design(self) -> Literal["randomized", "observational", "mixed"]:
        known = ~np.isnan(self.known_propensity)
        return "randomized" if known.all() else "mixed" if known.any() else "observational"

    @property
    def outcome_kind(self) -> OutcomeKind:
        return outcome_kind(self.y)

    def rows(self, keep: np.ndarray) -> Trial:
        """The sub-trial of the rows where `keep` (boolean or positions) selects."""
        at = np.flatnonzero(keep) if keep.dtype == bool else keep
        return Trial(
            X=self.X.iloc[at].reset_index(drop=True),
            t=self.t[keep],
            y=self.y[keep],
            better=self.better,
            cluster=self.cluster[keep],
            weight=self.weight[keep],
            known_propensity=self.known_propensity[keep],
            placebos={k: Placebo(p.values[keep], p.exclude) for k, p in self.placebos.items()},
            negative_controls={k: Placebo(p.values[keep], p.exclude) for k, p in self.negative_controls.items()},
            groups=None if self.groups is None else self.groups.iloc[at].reset_index(drop=True),
            arm=self.arm,
            follow_up=self.follow_up,
            attrition=self.attrition,
            cluster_name=self.cluster_name,
        )

    def counted(self, n: int) -> str:
        """So many clusters, in words: "1 person", "12 groups of `home`"."""
        one, more = ("person", "people") if self.cluster_name is None else ("group", "groups")
        of = "" if self.cluster_name is None else f" of `{self.cluster_name}`"
        return f"{n} {one if n == 1 else more}{of}"


def make_trial(
    X: pd.DataFrame,
    t: np.ndarray,
    y: np.ndarray,
    better: Better,
    *,
    cluster: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    known_propensity: np.ndarray | float | None = None,
    placebos: Mapping[str, Placebo | np.ndarray] | None = None,
    negative_controls: Mapping[str, Placebo | np.ndarray] | None = None,
    groups: pd.DataFrame | None = None,
    arm: str = "treated",
    follow_up: FollowUp | None = None,
    attrition: Attrition | None = None,
    cluster_name: str | None = None,
) -> Trial:
    """Build a trial from plain arrays, with the usual defaults (own cluster per row, weight 1, nothing randomised)."""
    n = len(X)
    codes = np.arange(n) if cluster is None else pd.factorize(pd.Series(np.asarray(cluster)))[0]
    known = np.full(n, np.nan) if known_propensity is None else np.broadcast_to(known_propensity, (n,))
    return Trial(
        X=X.reset_index(drop=True),
        t=np.asarray(t).astype(int),
        y=np.asarray(y, dtype=float),
        better=better,
        cluster=np.asarray(codes),
        weight=np.ones(n) if weight is None else np.asarray(weight, dtype=float),
        known_propensity=np.array(known, dtype=float),
        placebos=_placebos(placebos),
        negative_controls=_placebos(negative_controls),
        groups=None if groups is None else groups.reset_index(drop=True),
        arm=arm,
        follow_up=follow_up,
        attrition=attrition,
        cluster_name=cluster_name,
    )


def _placebos(given: Mapping[str, Placebo | np.ndarray] | None) -> dict[str, Placebo]:
    items = (given or {}).items()
    return {k: v if isinstance(v, Placebo) else Placebo(np.asarray(v, dtype=float)) for k, v in items}
