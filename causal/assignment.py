"""Chance that can be repeated: holdouts, exploration and tie-breaks from a keyed hash.

A draw is SHA-256 of the parts (joined by the unit separator) and a salt; the first 13 hex digits are 52 bits, which a
double holds exactly, so that pandas and Spark SQL agree bit for bit. The same person and program draw the same number
every night, whatever else is in the table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

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
