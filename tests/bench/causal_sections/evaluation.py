"""Do the evaluation's intervals hold what they say, and do its numbers agree with others'?"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from evaluation_references import Compared, definitions, econml_tester, scikit_uplift
from evaluation_worlds import DESIGNS, FRACTION, WORLDS, coverage, effect_coverage

from causal_sections._studies import table as table_of

TITLE = "Evaluation: coverage of its intervals, agreement with references"


def run(full: bool) -> str:
    """Markdown. In full mode 2,000 repetitions per world (standard error of a coverage: .49 points) and 1,000 of the estimator."""
    runs = 2_000 if full else 200
    table = pd.DataFrame({name: coverage(world, runs) for name, world in WORLDS.items()})
    effects = pd.DataFrame({d: effect_coverage(d, 1_000 if full else 50) for d in DESIGNS})
    usual = table.drop(columns="very skewed noise (log-normal)").stack()
    parts = [
        f"Share of nominal 95 % intervals that hold the truth, {runs:,} simulated evaluations of 1,500 rows per column "
        f"(two standard errors of a share are {2 * (0.95 * 0.05 / runs) ** 0.5:.1%}); capacity {FRACTION:.0%}. "
        f"Over all cells but those of the last column {usual.mean():.1%}, from {usual.min():.1%} to {usual.max():.1%}. The last "
        "column is beyond the normal approximation for groups of 300: noise of skewness 6 costs a fifth's interval one to two points.",
        _percent(table),
        f"Average effects with the study's own cross-fitted nuisances, 500 rows, {1_000 if full else 50} repetitions; effects "
        "rise with the feature that also decides who is treated. The last two rows show what must not be trusted where: rows of "
        "households taken for independent, and the difference in means where people chose.",
        _percent(effects),
        "Against references, in one run. scikit-uplift's curves are those of AIPW scores where every score has as many treated as "
        "controls; EconML's tester is right where no row lies on a cut and its sign-blind p-value is left alone.",
        _compared([*definitions(), *scikit_uplift(), *econml_tester()]),
    ]
    return "\n\n".join(parts)


def _percent(table: pd.DataFrame) -> str:
    head = ["interval of", *table.columns]
    rows = [[name, *("" if pd.isna(v) else f"{v:.1%}" for v in row)] for name, row in zip(table.index, table.to_numpy(), strict=True)]  # fmt: skip
    return table_of(head, rows)


def _compared(found: Iterable[Compared]) -> str:
    rows = [[name, f"{ours:.6f}", f"{theirs:.6f}", f"{abs(ours - theirs):.0e}"] for name, ours, theirs in found]
    return table_of(["quantity", "ours", "reference", "difference"], rows)
