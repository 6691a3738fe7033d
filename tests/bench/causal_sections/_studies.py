"""What several sections share: where public data lie, the studies on them, a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from causal.options import TrainOptions
from causal.study import StudyResult, run_study
from contracts.study import parse_study

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


def decided_by_people(frame: pd.DataFrame, seed: int) -> StudyResult:
    """A whole study of simulated rows whose columns t and y are treatment and outcome, learners `auto`, on one thread."""
    study = {
        "name": "decided by people",
        "treatment": {"column": "t", "control": 0, "treated": [1]},
        "outcome": {"column": "y", "better": "higher"},
        "assignment": "observational",
    }
    return run_study(
        frame, parse_study(study), seed, options=TrainOptions(n_trees=48, threads=1, refutation_rows=len(frame))
    )


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
