"""Do the evaluation's intervals hold what they say, and do its numbers agree with others'?"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from evaluation_references import Compared, definitions, econml_tester, scikit_uplift
from evaluation_worlds import FRACTION, SEED, WORLDS, coverage

from causal_sections._studies import percent
from causal_sections._studies import table as table_of

TITLE = "Evaluation: coverage of its intervals, agreement with references"


def run(full: bool) -> str:
    """Markdown. In full mode 4,000 repetitions per world (standard error of a coverage: .34 points)."""
    runs = 4_000 if full else 200
    table = pd.DataFrame({name: coverage(world, runs, SEED + k) for k, (name, world) in enumerate(WORLDS.items())})
    usual = table.drop(columns="very skewed noise (log-normal)").stack()
    parts = [
        f"Share of nominal 95 % intervals that hold the truth, {runs:,} simulated evaluations of 1,500 rows per column "
        f"(two standard errors of a share are {2 * (0.95 * 0.05 / runs) ** 0.5:.1%}); capacity {FRACTION:.0%}. "
        f"Over all cells but those of the last column {usual.mean():.1%}, from {usual.min():.1%} to {usual.max():.1%}. The last "
        "column is beyond the normal approximation for groups of 300: noise of skewness 6 costs a fifth's interval one to two points.",
        percent(table),
        "Against references, in one run. scikit-uplift's curves are those of AIPW scores where every score has as many treated as "
        "controls; EconML's tester is right where no row lies on a cut and its sign-blind p-value is left alone.",
        _compared([*definitions(), *scikit_uplift(), *econml_tester()]),
    ]
    return "\n\n".join(parts)


def _compared(found: Iterable[Compared]) -> str:
    rows = [[name, f"{ours:.6f}", f"{theirs:.6f}", f"{abs(ours - theirs):.0e}"] for name, ours, theirs in found]
    return table_of(["quantity", "ours", "reference", "difference"], rows)
