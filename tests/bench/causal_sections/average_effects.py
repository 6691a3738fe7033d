"""Do the intervals of average effects hold what they say, with nuisances fitted as a study fits them?"""

from __future__ import annotations

import pandas as pd
from evaluation_worlds import DESIGNS, effect_coverage

from causal_sections._studies import percent

TITLE = "Average effects: coverage of their intervals"
ROWS = 500


def run(full: bool) -> str:
    """Markdown. In full mode 1,000 repetitions per design (standard error of a coverage: .7 points)."""
    runs = 1_000 if full else 40
    shares = pd.DataFrame({design: effect_coverage(design, runs, ROWS) for design in DESIGNS})
    said = (
        f"Share of nominal 95 % intervals that hold the truth, {ROWS} rows, {runs:,} repetitions, cross-fitted nuisances. Effects "
        "rise with the feature that, where people choose, also decides who is treated; households of two are treated together and "
        "share half of the noise. The last two rows show what must not be trusted where: rows of households taken for independent, "
        "and the difference in means where people choose."
    )
    return f"{said}\n\n{percent(shares)}"
