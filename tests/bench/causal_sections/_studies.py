"""What several sections share: where public data lie, the studies on them, a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "causal"
ABSENT = "Not run: the public data (`../shared/data/causal`) are not beside this checkout."
THIRD = 1 / 3


def hillstrom(treated: Sequence[str] = ("Mens E-Mail", "Womens E-Mail"), **changes: Any) -> dict[str, Any]:
    """The e-mail trial's study: visits within two weeks; spend and conversion come after the visit."""
    return {
        "name": "hillstrom",
        "treatment": {"column": "segment", "control": "No E-Mail", "treated": list(treated)},
        "outcome": {"column": "visit", "better": "higher", "unit": "visits"},
        "covariates": {"exclude": ["conversion", "spend"]},
        "assignment": {"randomized": {"arms": {"No E-Mail": THIRD, "Mens E-Mail": THIRD, "Womens E-Mail": THIRD}}},
        **changes,
    }


def nhefs(**changes: Any) -> dict[str, Any]:
    """Quitting smoking and weight eleven years later, with the confounders of What If, chapter 12."""
    confounders = ["sex", "age", "race", "education", "smokeintensity", "smokeyrs", "exercise", "active", "wt71"]
    return {
        "name": "nhefs",
        "treatment": {"column": "qsmk", "control": 0, "treated": [1]},
        "outcome": {"column": "wt82_71", "better": "lower", "unit": "kg"},
        "covariates": {"include": confounders},
        **changes,
    }


def load(name: str) -> pd.DataFrame:
    """One of the public files."""
    return pd.read_csv(REAL / name)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(shares: pd.DataFrame) -> str:
    """A Markdown table of shares, intervals in rows."""
    rows = [
        [str(name), *("" if pd.isna(v) else f"{v:.1%}" for v in row)]
        for name, row in zip(shares.index, shares.to_numpy(), strict=True)
    ]
    return table(["interval of", *map(str, shares.columns)], rows)
