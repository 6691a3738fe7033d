"""How long an exact allocation takes, beside a plain sort of the same values and beside HiGHS on the same problem.

    python tests/bench/bench_allocation.py [--members 1000000] [--solver-members 20000] [--runs 1]

Three programs by two channels, four teams, a budget; every member may have every option of positive value. Prints seconds
(median of the runs), peak memory, the proven gap, and the two ratios.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import linprog

from causal.allocation import Allocation, Limits, LimitUse, Market, Option

OPTIONS = tuple(
    Option(program, channel, team, minutes, cost)
    for program, team, minutes, cost in (("ed", "nurses", 20, 35), ("toc", "coaches", 30, 120), ("med", "nurses", 15, 25))
    for channel, team, minutes, cost in (("phone", team, minutes, cost), ("text", "desk", 4, 4))
)  # fmt: skip


def market_of(members: int, seed: int = 0, step: float | None = None) -> tuple[pd.DataFrame, Limits]:
    """Candidates and limits that bind: places for 3 % of the members, hours and dollars for fewer."""
    rng = np.random.default_rng(seed)
    benefit = rng.gamma(1.0, 120, (members, 3))
    benefit = benefit if step is None else step * np.round(benefit / step)
    value = np.empty((members, 6))
    for k, option in enumerate(OPTIONS):
        value[:, k] = benefit[:, k // 2] * (1.0 if option.channel == "phone" else 0.4) - option.cost_usd
    ids = np.array([f"m{i:07d}" for i in range(members)], dtype=object)
    frame = pd.DataFrame(
        {
            "program": np.tile([o.program for o in OPTIONS], members),
            "channel": np.tile([o.channel for o in OPTIONS], members),
            "member_id": np.repeat(ids, 6),
            "value": value.ravel(),
            "tie": np.repeat(rng.random(members), 6),
        }
    )
    places = {"ed": members // 60, "toc": members // 200, "med": members // 100}
    minutes = {"nurses": 0.3 * members, "coaches": 0.1 * members, "desk": 0.02 * members}
    return frame, Limits(places, minutes, 0.8 * members)


def bound_by_highs(frame: pd.DataFrame, limits: Limits) -> float:
    """What HiGHS finds for the same problem when members may be split: no allocation is worth more."""
    frame = frame[frame["value"] > 0]
    option = {(o.program, o.channel): o for o in OPTIONS}
    mine = [option[key] for key in zip(frame["program"], frame["channel"], strict=True)]
    member, _ = pd.factorize(frame["member_id"])
    rows = [[float(o.program == p) for o in mine] for p in limits.places]
    rows += [[o.minutes * (o.team == t) for o in mine] for t in limits.team_minutes]
    rows.append([o.cost_usd for o in mine])
    per_member = sparse.csr_array((np.ones(len(frame)), (member, np.arange(len(frame)))))
    limit = [*np.ones(per_member.shape[0]), *limits.places.values(), *limits.team_minutes.values(), limits.budget_usd]
    use = sparse.vstack([per_member, sparse.csr_array(np.array(rows))])
    return float(-linprog(-frame["value"].to_numpy(), A_ub=use, b_ub=limit, bounds=(0, 1), method="highs").fun)


def timed(run: Callable[[], Any], runs: int) -> tuple[float, Any]:
    """Median seconds and the last result."""
    seconds, result = [], None
    for _ in range(runs):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=1_000_000)
    parser.add_argument("--solver-members", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=1)
    asked = parser.parse_args()

    for step, words in ((None, "all values different"), (10.0, "values in steps of 10 dollars")):
        frame, limits = market_of(asked.members, step=step)
        sort_seconds, _ = timed(lambda frame=frame: frame.sort_values(["value", "tie"], ascending=[False, True]), 1)
        solve = partial(allocated, frame, limits)
        seconds, (found, _) = timed(solve, asked.runs)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{asked.members:,} members x 3 programs x 2 channels, {words}: {seconds:.1f} s with prices,"
            f" {seconds / sort_seconds:.1f} x one sort of the same rows ({sort_seconds:.1f} s); peak {peak:.1f} GB;"
            f" {len(found.chosen):,} served, total ${found.total_value:,.0f}, gap ${found.gap:.2f}",
            flush=True,
        )
    frame, limits = market_of(asked.solver_members, seed=1)
    mine, (found, _) = timed(partial(allocated, frame, limits), asked.runs)
    theirs, bound = timed(partial(bound_by_highs, frame, limits), 1)
    print(
        f"{asked.solver_members:,} members: {mine:.2f} s whole and with prices, HiGHS with split members {theirs:.2f} s"
        f" ({theirs / mine:.1f} x as long); totals ${found.total_value:,.2f} (no whole one is more than ${found.gap:.2f} better) and ${bound:,.2f}"
    )


def allocated(frame: pd.DataFrame, limits: Limits) -> tuple[Allocation, tuple[LimitUse, ...]]:
    market = Market(frame, OPTIONS, limits)
    return market.allocate(), market.limit_uses()


if __name__ == "__main__":
    main()
