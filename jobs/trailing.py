"""How far tonight's distributions lie from those of the trailing nights. Pure; no Spark.

A score of 1 is the edge of what the trailing nights make plausible. For a number (rows, mean, share of NULLs) it is the
distance from their median in units of the tolerance: four robust standard deviations of the nights themselves
(1.4826 × MAD, Rousseeuw and Croux 1993), but never less than a fixed floor, so that steady tables do not cry at
nothing. For a set of values it is the population stability index against the mean shares over 0.25, the customary
mark of a major shift (Siddiqi, Credit Risk Scorecards, 2006).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median

from contracts.model import TableContract
from jobs.audit_result import Statistic

NIGHTS = 14
MIN_NIGHTS = 3
_MAJOR_SHIFT = 0.25
_DEVIATIONS = 4 * 1.4826
_SMALLEST_SHARE = 1e-4  # keeps the index finite where a value is new or gone


def trend_scores(
    contract: TableContract, tonight: Iterable[Statistic], before: Sequence[Iterable[Statistic]]
) -> dict[str, float]:
    """Score per `…__like_before` rule; empty with fewer than `MIN_NIGHTS` nights to compare with.

    Args:
        contract: of the table.
        tonight: its statistics now.
        before: the statistics of each trailing night.
    """
    if not contract.profile or len(before) < MIN_NIGHTS:
        return {}
    nights = [_by_key(night) for night in before]
    now = _by_key(tonight)
    scores: dict[str, float] = {}
    for column in ("row_count", *contract.profile):
        parts = [_number_score(key, value, nights) for key, value in now.items() if key[0] == column and key[2] is None]
        shares = {key: value for key, value in now.items() if key[0] == column and key[2] is not None}
        if shares:
            parts.append(_set_score(shares, nights))
        if known := [score for score in parts if score is not None]:
            scores[f"{column}__like_before"] = max(known)
    return scores


_Key = tuple[str, str, str | None]


def _by_key(statistics: Iterable[Statistic]) -> dict[_Key, float]:
    return {(s.column, s.name, s.category): s.value for s in statistics}


def _number_score(key: _Key, value: float, nights: Sequence[Mapping[_Key, float]]) -> float | None:
    known = [night[key] for night in nights if key in night]
    if len(known) < MIN_NIGHTS:
        return None
    middle = median(known)
    spread = _DEVIATIONS * median(abs(one - middle) for one in known)
    return abs(value - middle) / max(spread, _floor(key[1], middle))


def _floor(name: str, middle: float) -> float:
    """The least tolerance: 0.05 for a share, a fifth for a number of rows, a tenth for a mean."""
    if name == "null_share":
        return 0.05
    return max((0.2 if name == "rows" else 0.1) * abs(middle), 1e-9)


def _set_score(shares: Mapping[_Key, float], nights: Sequence[Mapping[_Key, float]]) -> float | None:
    known = [night for night in nights if any(key in night for key in shares)]
    if len(known) < MIN_NIGHTS:
        return None
    index = 0.0
    for key, share in shares.items():
        now = max(share, _SMALLEST_SHARE)
        usual = max(fmean(night.get(key, 0.0) for night in known), _SMALLEST_SHARE)
        index += (now - usual) * math.log(now / usual)
    return index / _MAJOR_SHIFT
