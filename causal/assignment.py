"""Chance that can be repeated: holdouts, exploration and tie-breaks from a keyed hash, and how large a holdout must be.

A draw is SHA-256 of the parts (joined by the unit separator) and a salt; the first 13 hex digits are 52 bits, which a
double holds exactly, so that pandas and Spark SQL agree bit for bit. The same person and program draw the same number
every night, whatever else is in the table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from contracts.errors import ConfigError

_SEPARATOR = "\x1f"
_DIGITS = 13
_RANGE = 16**_DIGITS


def uniform(parts: Sequence[Sequence[str] | pd.Series | str], salt: str) -> np.ndarray:
    """Draws in [0, 1), one per row.

    Args:
        parts: columns of text of equal length; a plain string is repeated for every row.
        salt: another salt gives independent draws.
    """
    if not salt:
        raise ConfigError("A keyed hash needs a salt that is not empty.")
    columns = [p for p in parts if not isinstance(p, str)]
    n = len(columns[0]) if columns else 1
    spread = [[p] * n if isinstance(p, str) else [str(v) for v in p] for p in parts]
    out = np.empty(n)
    for i, row in enumerate(zip(*spread, strict=True)):
        text = _SEPARATOR.join([*row, salt])
        out[i] = int(hashlib.sha256(text.encode()).hexdigest()[:_DIGITS], 16) / _RANGE
    return out


def uniform_sql(columns: Sequence[str], salt: str) -> str:
    """The same draw as a Spark SQL expression; `columns` are column names or SQL text expressions, none of them null."""
    if not salt:
        raise ConfigError("A keyed hash needs a salt that is not empty.")
    quoted = salt.replace("\\", "\\\\").replace("'", "\\'")
    parts = ", ".join(f"cast({c} as string)" for c in columns)
    digest = f"sha2(concat_ws(char(31), {parts}, '{quoted}'), 256)"
    return f"(cast(conv(substr({digest}, 1, {_DIGITS}), 16, 10) as double) / {_RANGE}D)"


def is_held_out(member_id: Sequence[str] | pd.Series, program: str, salt: str, share: float) -> np.ndarray:
    """Members of a program's persistent holdout; shape (n,)."""
    return uniform([member_id, program], f"{salt}|holdout") < _share(share)


def holdout_sql(member_column: str, program_column: str, salt: str, share: float) -> str:
    """`is_held_out` as a Spark SQL condition."""
    return f"({uniform_sql((member_column, program_column), f'{salt}|holdout')} < {_share(share)!r}D)"


@dataclass(frozen=True)
class HoldoutSize:
    """People needed in each group, and what share of all that is."""

    holdout: int
    offered: int
    share: float


def holdout_size(
    outcome_mean: float,
    effect: float,
    offered: int,
    *,
    outcome_sd: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
) -> HoldoutSize:
    """Smallest holdout that shows `effect` against `offered` people (two-sided z-test of two means).

    Args:
        outcome_mean: mean without outreach (a proportion, or events per person).
        effect: change to be detected, same unit, any sign.
        offered: people who will be offered.
        outcome_sd: standard deviation per person; None = that of a proportion (mean <= 1).

    Raises:
        ConfigError: no holdout of any size would do with so few people offered, or impossible inputs.
    """
    var0, var1 = _variances(outcome_mean, effect, outcome_sd)
    if effect == 0 or offered < 1:
        raise ConfigError("A holdout can only be sized for an effect that is not zero and at least one person offered.")
    z = float(norm.ppf(1 - alpha / 2) + norm.ppf(power))
    room = (effect / z) ** 2 - var1 / offered
    if room <= 0:
        needed = int(np.ceil(var1 * (z / effect) ** 2))
        raise ConfigError(
            "No holdout is large enough to show this effect.",
            expected=f"more than {needed} people offered",
            actual=str(offered),
            todo="wait longer, accept less power, or look for a larger effect.",
        )
    holdout = max(int(np.ceil(var0 / room)), 1)
    return HoldoutSize(holdout, offered, holdout / (holdout + offered))


def detectable_effect(
    outcome_mean: float,
    holdout: int,
    offered: int,
    *,
    outcome_sd: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """Smallest change (absolute) that two groups of these sizes show."""
    if min(holdout, offered) < 1:
        raise ConfigError("Both groups need at least one person.")
    var0, _ = _variances(outcome_mean, 0.0, outcome_sd)
    z = float(norm.ppf(1 - alpha / 2) + norm.ppf(power))
    return z * float(np.sqrt(var0 / holdout + var0 / offered))


def _variances(mean: float, effect: float, sd: float | None) -> tuple[float, float]:
    if sd is not None:
        if sd <= 0:
            raise ConfigError("`outcome_sd` must be positive.", actual=f"{sd:g}")
        return sd**2, sd**2
    if not (0 < mean < 1 and 0 <= mean + effect <= 1):
        raise ConfigError(
            "`outcome_mean` and `outcome_mean + effect` must be proportions.",
            actual=f"{mean:g} and {mean + effect:g}",
            todo="give `outcome_sd` for a count or an amount.",
        )
    after = mean + effect
    return mean * (1 - mean), after * (1 - after)


def _share(share: float) -> float:
    if not 0 <= share <= 1:
        raise ConfigError("A holdout share must lie between 0 and 1.", actual=f"{share:g}")
    return float(share)
