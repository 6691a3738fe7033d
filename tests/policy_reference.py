"""A night's policy written out plainly, row by row: the oracle for `jobs.publish`, and fast enough to redraw a thousand times."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
from scipy.stats import norm

from causal.allocation import CENT
from causal.assignment import uniform
from causal.policy import NightPlan, explore_chance, serve
from contracts.programs import Program, Programs, programs

_flipped: set[str] = set()


@contextmanager
def flipped_holdout(program: str, member_id: str) -> Iterator[None]:
    """Within, one member's holdout draw in one program is the other one."""
    _flipped.add(f"{program}/{member_id}")
    try:
        yield
    finally:
        _flipped.clear()


def small(*, cautious: tuple[str, ...] = ()) -> Programs:
    """The shipped programs with limits that bind for a few dozen members, and one on harm; some rank by the lower limit."""
    document = programs().model_dump()
    for key in cautious:
        document["programs"][key]["rank_by"] = "lower_limit"
    document["nightly_budget_usd"] = 800
    document["teams"]["nurse_line"]["hours_per_night"] = 2.5
    document["teams"]["transition_coaches"]["hours_per_night"] = 2
    document["teams"]["message_desk"]["hours_per_night"] = 0.25
    places = {"ed_diversion": 12, "transitions_of_care": 5, "medication_adherence": 10}
    for key, count in places.items():
        document["programs"][key] |= {"capacity_per_night": count, "explore_share": 0.2, "holdout_share": 0.25}
        document["programs"][key]["largest_chance_of_harm"] = 0.15
    return Programs.model_validate(document)


def _benefit(program: Program, row: pd.Series, *, ranked: bool) -> float:
    lower_is_better, cautious = program.outcome.better == "lower", ranked and program.rank_by == "lower_limit"
    effect = (row["cate_upper"] if lower_is_better else row["cate_lower"]) if cautious else row["cate"]
    return -effect if lower_is_better else effect


def _may_harm(program: Program, row: pd.Series) -> bool:
    if row["verdict"] != "publish" or program.largest_chance_of_harm is None:
        return False
    spread = (row["cate_upper"] - row["cate_lower"]) / 2 / norm.ppf(0.975)
    chance = norm.cdf(0, loc=_benefit(program, row, ranked=False), scale=max(spread, 1e-9))
    return not chance <= program.largest_chance_of_harm


def _net(program: Program, channel: str, benefit: float) -> float:
    how = program.channels[channel]
    return benefit * (how.effect_share * program.outcome.usd_per_unit) - how.cost_usd


def decide(rows: pd.DataFrame, configured: Programs, plan: NightPlan, salt: str, explore_salt: str) -> pd.DataFrame:
    """`program, member_id, decision, channel, assignment_probability, priority_rank` of every row of `causal.member_score`.

    `salt` stands for the programs file's `holdout_salt`.
    """
    rows = rows.reset_index(drop=True).copy()
    share = rows["program"].map(lambda key: configured.programs[key].holdout_share)
    is_flipped = (rows["program"] + "/" + rows["member_id"]).isin(_flipped)
    rows["is_holdout"] = (uniform([rows["member_id"], rows["program"]], f"{salt}|holdout") < share) ^ is_flipped
    rows["tie"] = uniform([rows["member_id"], rows["program"]], f"{salt}|tie")
    supported = (rows["verdict"] != "publish") | rows["is_in_support"].eq(True)
    rows["is_rankable"] = rows["is_eligible"] & rows["blocked_by"].isna() & (rows["verdict"] != "blocked") & supported
    order = rows[rows["is_rankable"]].sort_values(["rank_value", "tie", "member_id"], ascending=[False, True, True])
    rows["priority_rank"] = order.groupby("program").cumcount() + 1
    picks = serve(plan, _candidates(rows, configured)).picks
    picked = {(p, m): (how, channel) for p, m, channel, how in picks.itertuples(index=False)}
    taken = set(picks.loc[picks["picked"] == "outreach", "member_id"])
    rows["may_explore"] = [
        _may_explore(row, configured) and row["member_id"] not in taken for _, row in rows.iterrows()
    ]
    active = list(plan.verdict)
    number = np.floor(uniform([rows["member_id"]], f"{explore_salt}|program") * len(active)).astype(int)
    mine = np.array([active[k] for k in number]) == rows["program"]
    rows["is_pooled"] = rows["may_explore"] & ~rows["is_holdout"] & mine
    rows["draw"] = uniform([rows["member_id"], rows["program"]], explore_salt)
    pools = rows[rows["is_pooled"]].sort_values("draw").groupby("program")
    sizes = pools.size().to_dict()
    drawn = {(p, m) for p, pool in pools for m in pool["member_id"].head(plan.explore[p])}
    found = [_decision(row, picked, drawn, configured, plan, sizes) for _, row in rows.iterrows()]
    return rows[["program", "member_id", "priority_rank"]].assign(
        decision=[d for d, _, _ in found],
        channel=[c for _, c, _ in found],
        assignment_probability=[p for _, _, p in found],
    )


def _candidates(rows: pd.DataFrame, configured: Programs) -> pd.DataFrame:
    found, last = [], rows["priority_rank"].max()
    for _, row in rows[rows["is_rankable"]].iterrows():
        program = configured.programs[row["program"]]
        for channel in row["allowed_channels"]:
            if row["verdict"] == "publish":
                value = _net(program, channel, _benefit(program, row, ranked=True))
            else:
                value = (4 * last - row["priority_rank"]) * program.channels[channel].effect_share
            if value > 0 and not _may_harm(program, row):
                found.append((row["program"], channel, row["member_id"], value, row["tie"], row["is_holdout"]))
    frame = pd.DataFrame(found, columns=["program", "channel", "member_id", "value", "tie", "is_held_out"])
    frame["is_held_out"] = frame["is_held_out"].astype(bool)
    frame["worth"] = frame["value"] + CENT * (1 - frame["tie"])
    return frame.sort_values("worth", ascending=False).drop(columns="worth")


def _may_explore(row: pd.Series, configured: Programs) -> bool:
    program = configured.programs[row["program"]]
    if not row["is_rankable"] or program.first_channel not in row["allowed_channels"] or _may_harm(program, row):
        return False
    if row["verdict"] == "publish":
        return bool(_net(program, program.first_channel, _benefit(program, row, ranked=False)) > 0)
    return not math.isnan(row["rank_value"])


def _decision(row, picked, drawn, configured, plan, sizes):  # type: ignore[no-untyped-def]
    key, program = (row["program"], row["member_id"]), configured.programs[row["program"]]
    how, channel = picked.get(key, (None, None))
    free = 1 - program.holdout_share
    if not row["is_rankable"]:
        probability = 0.0
    elif how in ("outreach", "spared"):
        probability = free
    elif not row["may_explore"]:
        probability = 0.0
    else:
        others = sizes.get(row["program"], 0) - bool(row["is_pooled"])
        probability = free * explore_chance(plan.explore[row["program"]], others) / len(plan.verdict)
    if not row["is_eligible"]:
        return "not_eligible", None, probability
    if row["blocked_by"] is not None:
        return "suppressed", None, probability
    if row["verdict"] == "publish" and not row["is_in_support"]:
        return "outside_support", None, probability
    if row["is_holdout"]:
        return "holdout", None, probability
    if how == "outreach":
        return "outreach", channel, probability
    if key in drawn:
        return "explore", program.first_channel, probability
    return "below_capacity", None, probability


def scores(rng: np.random.Generator, members: int, configured: Programs, verdict: dict[str, str]) -> pd.DataFrame:
    """Rows as of `causal.member_score`, with every state that a row can be in."""
    found = []
    for n in range(members):
        for key, program in configured.programs.items():
            state = rng.choice(["free", "free", "free", "free", "consent", "criteria", "outside"])
            publish = verdict[key] == "publish"
            sign = -1 if program.outcome.better == "lower" else 1
            # In steps of 10 dollars, so that many are equal; one in ten is harmed, one in ten has no interval.
            benefit = (
                10 * round(float(rng.gamma(1.0, 15))) / program.outcome.usd_per_unit * (-1) ** (rng.random() < 0.1)
            )
            half = np.nan if rng.random() < 0.1 else float(rng.uniform(0.2, 3)) * abs(benefit)
            channels = [name for name in program.channels if rng.random() < 0.85] or [program.first_channel]
            supported = state != "outside"
            cate = sign * benefit if publish and supported else np.nan
            cautious = program.rank_by == "lower_limit"
            net = [_net(program, name, benefit - cautious * half) for name in channels]
            expected = [_net(program, name, benefit) for name in channels]
            found.append(
                {
                    "program": key,
                    "member_id": f"M{n:05d}",
                    "is_eligible": state != "criteria",
                    "blocked_by": state if state in ("consent", "criteria") else None,
                    "allowed_channels": channels,
                    "is_in_support": supported if publish else None,
                    "cate": cate,
                    "cate_lower": cate - half,
                    "cate_upper": cate + half,
                    "rank_value": max(net)
                    if publish and supported
                    else np.nan
                    if publish
                    else float(rng.integers(0, 6)),
                    "expected_net_value_usd": max(expected) if publish and supported else np.nan,
                    "verdict": verdict[key],
                }
            )
    return pd.DataFrame(found)
