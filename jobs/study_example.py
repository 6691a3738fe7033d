"""A small study to try things with: a simulated trial of reminders, and its YAML."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from contracts.errors import ConfigError

_YAML = """\
name: reminders
data: trial.csv                 # relative to this file
unit_id: person
treatment: {column: arm, control: none, treated: [letter, call]}
outcome: {column: visits, better: lower, unit: visits a year, usd_per_unit: 400}
cluster: household              # people of one household are not independent
assignment: {randomized: {arms: {none: 0.4, letter: 0.3, call: 0.3}}}
placebo_outcomes: [visits_before]
groups: [sex]
budget: {fraction: 0.2}
"""


def write_example(folder: Path, people: int = 3_000, seed: int = 0) -> Path:
    """Write `trial.csv` and `study.yaml`, and return the latter.

    Calls spare people with barriers to care visits, whoever is sick; letters change nothing. So the study should find an
    effect of calls that is worth ranking by, and none of letters.

    Raises:
        ConfigError: the folder cannot be written, or holds a study already.
    """
    path = folder / "study.yaml"
    if path.exists():
        raise ConfigError(f"`--out`: the folder {folder.name} holds a study already.", todo="name another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        example_rows(people, seed).to_csv(folder / "trial.csv", index=False)
        path.write_text(_YAML, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"`--out`: the folder {folder.name} cannot be written.", actual=error.strerror) from None
    return path


def example_rows(people: int, seed: int) -> pd.DataFrame:
    """The trial's rows: two in a household, some values missing."""
    rng = np.random.default_rng(seed)
    frailty = rng.gamma(1.5, 1.0, people)
    barriers = rng.integers(0, 4, people)
    arm = rng.choice(["none", "letter", "call"], people, p=[0.4, 0.3, 0.3])
    spared = np.where((arm == "call") & (barriers >= 2), 0.8, 0.0)
    frame = pd.DataFrame({"person": [f"p{i:05d}" for i in range(people)], "household": np.arange(people) // 2})
    return frame.assign(
        arm=arm,
        age=np.where(rng.random(people) < 0.05, np.nan, np.round(rng.normal(60, 12, people))),
        sex=rng.choice(["f", "m"], people),
        barriers=barriers,
        conditions=rng.poisson(frailty),
        visits_before=rng.poisson(0.3 + frailty),
        visits=rng.poisson(1.0 + frailty - spared),
    )
