"""Whom the list leaves out: selection, need, benefit and calibration by group, under our ranking and under risk ranking.

Measured on people kept aside (by models that have not seen them). "Need" is the predicted outcome without outreach in
the bad direction; "benefit" comes from AIPW scores, so it is what happened, not what was promised. A group of whom too
few would be called is named without a number (HIPAA's usual cell of 11). A group of too few people is not even named,
because a level of few may be a person's name or date: see `named_groups`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from causal.aipw import Estimate, clustered_se, estimate
from causal.dates import ISO_DATE, days
from causal.encoding import is_numeric
from causal.evaluation.ranking import top_share

RANKINGS = ("model", "baseline_risk")
MIN_SELECTED = 11
MIN_PEOPLE = 50
# Need at the cut is read from the people this far above and below it (share of all).
_CUT_BAND = 0.05
_BANDS = 4
_MOST_LEVELS = 20
NOT_RECORDED = "not recorded"
OTHER = "other (small groups)"

EQUITY_COLUMNS = (
    "dimension",
    "group_name",
    "ranking",
    "is_too_small",
    "people_count",
    "selected_count",
    "selection_rate",
    "selection_ratio",
    "need",
    "need_selected",
    "need_at_cut",
    "benefit_selected",
    "benefit_selected_se",
    "calibration_gap",
    "calibration_gap_se",
)


@dataclass(frozen=True)
class Ranked:
    """People kept aside, as both rankings see them; every array has one value per row.

    Attributes:
        groups: attributes by dimension, text (see `banded`).
        benefit: predicted benefit, positive is good.
        need: predicted outcome without treatment, positive is bad.
        gamma: AIPW score in benefit direction.
        fraction: share of these people whom the capacity reaches.
    """

    groups: pd.DataFrame
    benefit: np.ndarray
    need: np.ndarray
    gamma: np.ndarray
    cluster: np.ndarray
    weight: np.ndarray
    fraction: float

    @property
    def gap(self) -> np.ndarray:
        """Measured less predicted benefit of every row, less its mean: positive where the model promises too little."""
        raw = self.gamma - self.benefit
        return raw - np.average(raw, weights=self.weight)


def ranked(
    predictions: pd.DataFrame, groups: pd.DataFrame, cluster: np.ndarray, sign: float, fraction: float
) -> Ranked:
    """The rows kept aside that are in support, from the predictions of a study in the order of its trial."""
    keep = ((predictions["split"] == "test") & predictions["in_support"] & predictions["cate"].notna()).to_numpy()
    part = predictions[keep]
    return Ranked(
        banded(groups)[keep].reset_index(drop=True),
        sign * part["cate"].to_numpy(dtype=float),
        -sign * part["baseline"].to_numpy(dtype=float),
        sign * part["gamma"].to_numpy(dtype=float),
        cluster[keep],
        part["weight"].to_numpy(dtype=float),
        fraction,
    )


def banded(groups: pd.DataFrame) -> pd.DataFrame:
    """Attributes as text: numbers and dates with many values become quarters, missing values a level of their own.

    Small levels still have their names here, so this is not for showing: `named_groups` is.
    """
    return pd.DataFrame({str(name): _levels(groups[name]) for name in groups}, index=groups.index)


def named_groups(people: Ranked, dimension: str) -> dict[str, np.ndarray]:
    """Members (boolean (n,)) of every group of an attribute that may be named, in the order of the names, of quarters in that of their values.

    Levels of fewer than MIN_PEOPLE people are together in OTHER, which is there if it has enough people itself. Empty
    where every level is small, as those of an identifier are.
    """
    small = _is_small(people, dimension)
    if small.all():
        return {}
    levels = np.where(small, OTHER, people.groups[dimension].to_numpy(dtype=object))
    found = {str(level): levels == level for level in sorted(set(levels), key=_place)}
    return {name: member for name, member in found.items() if name != OTHER or _large_enough(people, member)}


def _place(level: object) -> tuple[float, str]:
    """Quarters by their lower ends, the open one first; words after them by name."""
    low = str(level).partition(" to ")
    if not low[1]:
        return float("inf"), str(level)
    try:
        return (-float("inf") if low[0] == "..." else float(low[0])), str(level)
    except ValueError:
        return float("inf"), str(level)


def unnamed_levels(people: Ranked, dimension: str) -> int:
    """How many levels of an attribute are too small to be named."""
    levels = people.groups[dimension].to_numpy(dtype=object)
    return len(set(levels[_is_small(people, dimension)]) - {NOT_RECORDED})


def equity_report(people: Ranked) -> pd.DataFrame:
    """One row per dimension, group that may be named (see `named_groups`) and ranking; EQUITY_COLUMNS. Where too few of
    a group would be called its numbers are missing.

    `selection_ratio` is the group's selection rate over everyone's; `calibration_gap` (of the model only) is measured
    less predicted benefit in the group, less the same in everyone, outcome units.
    """
    groups = {str(dimension): named_groups(people, str(dimension)) for dimension in people.groups}
    rows = []
    for ranking in RANKINGS:
        score = people.benefit if ranking == "model" else people.need
        chosen, near = top_share(score, people.weight, people.fraction), _near_cut(score, people.fraction)
        rows += [
            _row(people, dimension, name, member, ranking, chosen, near)
            for dimension, named in groups.items()
            for name, member in named.items()
        ]
    # As objects, so that counts stay whole numbers beside missing ones.
    return pd.DataFrame(rows, columns=list(EQUITY_COLUMNS), dtype=object)


def equity_rows(report: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a report as plain values, missing numbers as None."""
    return [
        {str(k): None if pd.isna(v) else v for k, v in zip(report.columns, row, strict=True)}
        for row in report.itertuples(index=False)
    ]


def gap_estimate(people: Ranked, member: np.ndarray, alpha: float = 0.05) -> Estimate:
    """Calibration gap of a group (boolean (n,)) less that of everyone, cluster-robust."""
    return _above_everyone(people, member, people.gap, alpha)


def need_difference(people: Ranked, member: np.ndarray, alpha: float = 0.05) -> Estimate:
    """Mean need of a group (boolean (n,)) less that of everyone, cluster-robust."""
    return _above_everyone(people, member, people.need, alpha)


def _above_everyone(people: Ranked, member: np.ndarray, value: np.ndarray, alpha: float) -> Estimate:
    w = people.weight
    share = float(w[member].sum() / w.sum())
    own, everyone = float(np.average(value[member], weights=w[member])), float(np.average(value, weights=w))
    # The mean over everyone is estimated from the same rows: its influence is part of the group's.
    influence = member / share * (value - own) - (value - everyone)
    return estimate(own - everyone, clustered_se(influence, people.cluster, w), int(member.sum()), alpha)


def selection_log_ratio(people: Ranked, member: np.ndarray, chosen: np.ndarray, alpha: float = 0.05) -> Estimate:
    """Log of the group's selection rate over everyone's, cluster-robust; minus infinity when nobody is selected."""
    w = people.weight
    everyone, own = float(np.average(chosen, weights=w)), float(np.average(chosen[member], weights=w[member]))
    if own <= 0:
        return estimate(float("-inf"), float("inf"), int(member.sum()), alpha)
    share = float(w[member].sum() / w.sum())
    influence = member / share * (chosen - own) / own - (chosen - everyone) / everyone
    se = clustered_se(influence, people.cluster, w)
    return estimate(float(np.log(own / everyone)), se, int(member.sum()), alpha)


def selected_by_model(people: Ranked) -> np.ndarray:
    """Share of each row that the model's ranking calls: 1, 0, or between where a tie straddles the capacity."""
    return top_share(people.benefit, people.weight, people.fraction)


def bonferroni(alpha: float, tests: int) -> float:
    """Two-sided critical value for so many tests."""
    return float(norm.ppf(1 - alpha / (2 * max(tests, 1))))


def _row(
    people: Ranked, dimension: str, group: str, member: np.ndarray, ranking: str, chosen: np.ndarray, near: np.ndarray
) -> dict[str, object]:
    w = people.weight
    picked = member & (chosen > 0)
    out: dict[str, object] = {"dimension": dimension, "group_name": group, "ranking": ranking}
    n_selected = len(np.unique(people.cluster[picked]))
    if n_selected < MIN_SELECTED or w[picked].sum() <= 0:
        return out | {"is_too_small": True}
    rate, everyone = np.average(chosen[member], weights=w[member]), np.average(chosen, weights=w)
    share = (w * chosen)[picked]
    benefit = float(np.average(people.gamma[picked], weights=share))
    gap = gap_estimate(people, member) if ranking == "model" else None
    at_cut = member & near
    return out | {
        "is_too_small": False,
        "people_count": len(np.unique(people.cluster[member])),
        "selected_count": n_selected,
        "selection_rate": float(rate),
        "selection_ratio": float(rate / everyone),
        "need": float(np.average(people.need[member], weights=w[member])),
        "need_selected": float(np.average(people.need[picked], weights=share)),
        "need_at_cut": float(np.average(people.need[at_cut], weights=w[at_cut]))
        if len(np.unique(people.cluster[at_cut])) >= MIN_SELECTED and w[at_cut].sum() > 0
        else None,
        "benefit_selected": benefit,
        "benefit_selected_se": clustered_se(people.gamma[picked] - benefit, people.cluster[picked], share),
        "calibration_gap": None if gap is None else gap.value,
        "calibration_gap_se": None if gap is None else gap.se,
    }


def _is_small(people: Ranked, dimension: str) -> np.ndarray:
    """Whether each row's level has too few people to be named or judged, however many of them are selected."""
    levels = people.groups[dimension].to_numpy(dtype=object)
    count = pd.Series(people.cluster).groupby(levels).transform("nunique")
    return (count < MIN_PEOPLE).to_numpy()


def _large_enough(people: Ranked, member: np.ndarray) -> bool:
    return len(np.unique(people.cluster[member])) >= MIN_PEOPLE


def _near_cut(score: np.ndarray, fraction: float) -> np.ndarray:
    place = (np.argsort(np.argsort(-score, kind="stable"), kind="stable") + 0.5) / max(len(score), 1)
    return np.abs(place - fraction) <= _CUT_BAND


def _levels(column: pd.Series) -> np.ndarray:
    text = np.full(len(column), NOT_RECORDED, dtype=object)
    is_number = is_numeric(column) and not pd.api.types.is_bool_dtype(column)
    if is_number:
        column = column.where(~column.isin([np.inf, -np.inf]))
    measured, named = (column, _number_names) if is_number else (_days(column), _date_names)
    if measured is not None and measured.nunique() > _MOST_LEVELS:
        known = measured.notna().to_numpy()
        text[known] = _quarters(measured[known].to_numpy(dtype=float), named)
        return text
    known = column.notna().to_numpy()
    text[known] = column[known].astype(str).to_numpy()
    return text


def _quarters(values: np.ndarray, named: Callable[[np.ndarray], list[str]]) -> np.ndarray:
    """Name of each value's quarter; (n,), object."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _BANDS + 1)))
    at = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return np.array(named(edges), dtype=object)[at]


def _number_names(edges: np.ndarray) -> list[str]:
    return _open_ended([f"{edge:g}" for edge in edges])


def _date_names(edges: np.ndarray) -> list[str]:
    return _open_ended([(pd.Timestamp(0) + pd.Timedelta(days=float(edge))).date().isoformat() for edge in edges])


def _open_ended(edges: list[str]) -> list[str]:
    """Names of quarters. The lowest and the highest value are somebody's: the outer quarters are open."""
    return [f"{low} to {high}" for low, high in pairwise(["...", *edges[1:-1], "..."])]


def _days(column: pd.Series) -> pd.Series | None:
    """Dates, also as ISO text, as days since 1970; None where the column holds anything else."""
    if not pd.api.types.is_datetime64_any_dtype(column):
        present = column.dropna()
        kinds = set(map(type, present))
        is_text = kinds == {str} and bool(present.str.fullmatch(ISO_DATE).all())
        if not is_text and not (kinds and all(issubclass(kind, date) for kind in kinds)):
            return None
        column = column.astype(object)
    return days(pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601"))
