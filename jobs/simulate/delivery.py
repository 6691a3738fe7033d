"""When the plan learns of a claim: lag, corrections, cancellations, and the same claim twice."""

from __future__ import annotations

from jobs.simulate.config import Lag
from jobs.simulate.draws import Draws, num

ORIGINAL, VOID, ADJUSTMENT, DUPLICATE, LATER_DUPLICATE = 0, 1, 2, 3, 4
ADJUSTMENT_CODE = {ORIGINAL: "'0'", VOID: "'1'", ADJUSTMENT: "'2'", DUPLICATE: "'0'", LATER_DUPLICATE: "'0'"}
# The first two delivered money with a sign or a share of the original.
MONEY_FACTOR = f"case version when {VOID} then -1 when {ADJUSTMENT} then 0.9 else 1 end"


def lag_days(draws: Draws, lag: Lag, median: str, *key: str) -> str:
    """Log-normal days from the end of service to delivery, at least 3."""
    return f"cast(least(greatest(({median}) * exp({num(lag.log_sd)} * {draws.normal('lag', *key)}), 3D), {num(lag.longest_days)}) as int)"


def versions(draws: Draws, lag: Lag, *key: str) -> str:
    """ARRAY<INT> of the versions that a claim will have; the first is always the original."""
    u = draws.uniform("versions", *key)
    edges = (lag.adjustment_share, lag.adjustment_share + lag.void_share)
    last = edges[1] + lag.duplicate_share
    return (
        f"case when {u} < {num(edges[0])} then array({ORIGINAL}, {ADJUSTMENT})"
        f" when {u} < {num(edges[1])} then array({ORIGINAL}, {VOID})"
        f" when {u} < {num(edges[1] + 0.6 * lag.duplicate_share)} then array({ORIGINAL}, {DUPLICATE})"
        f" when {u} < {num(last)} then array({ORIGINAL}, {LATER_DUPLICATE})"
        f" else array({ORIGINAL}) end"
    )


def version_delay(draws: Draws, *key: str) -> str:
    """Days from the first delivery to that of `version`: corrections take 10 days and more, a month in the median."""
    wait = f"cast(10D + 30D * {draws.exponential('correction', *key)} as int)"
    return f"if(version in ({ORIGINAL}, {DUPLICATE}), 0, {wait})"


def adjustment_type() -> str:
    """CMS CCLF adjustment code of `version`."""
    whens = " ".join(f"when {version} then {code}" for version, code in ADJUSTMENT_CODE.items())
    return f"case version {whens} end"
