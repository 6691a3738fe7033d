"""Tonight's policy on frames in memory: what each program may use, who is served, and with what probability.

Programs ranked by effect share teams and budget first, jointly and in dollars; programs on their fallback rule get what
is left, since scores of a rule have no unit. What exploration will need is set aside before both.

**Assignment probabilities.** Two things are drawn: the persistent holdout of each program (a keyed hash of member and
program) and tonight's exploration. The logged probability of a member's offer in a program is taken over that member's own
holdout draw in that program and over the exploration, given everything else about the night:

* chosen, or held out but chosen if they were not (`Market.would_be_served`): 1 - holdout share;
* chosen in another program: 0;
* else, if they may be explored: (1 - holdout share) x chance of the exploration below.

It does not depend on the draw itself, so it is the same whether the member was held out or not, and over redrawn holdouts
its mean is the frequency of offers: what inverse-probability weighting needs (`tests/causal/test_policy.py`).

**Exploration.** Each member below the cut is assigned to one of tonight's P programs by a keyed hash, each with chance 1/P,
and each program draws its slots from the members assigned to it who may have it, all with the same chance. A member is so
never drawn twice, and the chance is exact: 1/P times slots / (others in the pool + 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from causal.allocation import Allocation, Limits, Market, Option, most_served, resources
from contracts.programs import Programs


@dataclass(frozen=True)
class NightPlan:
    """What there is tonight.

    Attributes:
        options: every program and channel that may be offered tonight; a blocked program has none.
        limits: all of it.
        firm: what is left for the best after exploration's share is set aside.
        explore: slots per program to be drawn at random, through the program's first channel.
        verdict: `publish` or `fallback` per program that is not blocked, in the programs' order.
    """

    options: tuple[Option, ...]
    limits: Limits
    firm: Limits
    explore: Mapping[str, int]
    verdict: Mapping[str, str]

    @property
    def depth(self) -> int:
        """So many of each option's best can matter tonight."""
        return most_served(self.options, self.limits)

    def of(self, verdict: str) -> list[str]:
        """Programs with this verdict."""
        return [key for key, how in self.verdict.items() if how == verdict]

    def first(self, program: str) -> Option:
        """The program's usual option."""
        return next(option for option in self.options if option.program == program)

    def counted(self, offers: pd.DataFrame) -> dict[Option, int]:
        """Offers of each option among rows `program, channel`."""
        counts = offers.groupby(["program", "channel"]).size()
        return {option: int(counts.get((option.program, option.channel), 0)) for option in self.options}


@dataclass(frozen=True)
class Served:
    """Who is offered what by rank, and what is scarce.

    Attributes:
        picks: `program, member_id, channel, picked`; `picked` is `outreach`, or `spared` (without channel) for who is held
            out but would be offered the program otherwise.
        market: of the programs ranked by effect, in dollars.
        gap_usd: how far its total may be from the best that there is; 0 when it is proven to be the best.
    """

    picks: pd.DataFrame
    market: Market
    gap_usd: float

    def one_more(self, plan: NightPlan) -> dict[str, float]:
        """Per program ranked by effect, what one more offer through its first channel would add, in dollars."""
        return {key: self.market.one_more(key, plan.first(key).channel) for key in plan.of("publish")}


@dataclass(frozen=True)
class CapacityUse:
    """One limit tonight, exploration included.

    Attributes:
        kind, name: `program`, `team` or `budget`, and which.
        unit: of limit and used: `offers`, `hours` or `usd`.
        price: what one more unit would add in dollars; None where nothing that is ranked by effect uses it.
    """

    kind: str
    name: str
    unit: str
    limit: float
    used: float
    price: float | None


def plan_night(configured: Programs, verdict: Mapping[str, str]) -> NightPlan:
    """Tonight's options and limits.

    Args:
        configured: from the programs file.
        verdict: per program; blocked ones get nothing.
    """
    active = {key: program for key, program in configured.programs.items() if verdict[key] != "blocked"}
    options = tuple(
        Option(key, name, channel.team, channel.minutes, channel.cost_usd)
        for key, program in active.items()
        for name, channel in program.channels.items()
    )
    teams = {name: 60 * team.hours_per_night for name, team in configured.teams.items() if team.hours_per_night}
    places = {key: program.capacity_per_night for key, program in active.items()}
    limits = Limits(places, teams, configured.nightly_budget_usd)
    plan = NightPlan(options, limits, limits, {}, {key: verdict[key] for key in active})
    explore: dict[str, int] = {}
    for key, program in active.items():
        explore[key] = _fitting(plan.firm, plan.first(key), program.explored_per_night)
        plan = replace(plan, firm=less(plan.firm, {plan.first(key): explore[key]}), explore=dict(explore))
    return plan


def _fitting(limits: Limits, option: Option, wanted: int) -> int:
    """How many of the wanted offers fit into the limits."""
    fits = [wanted, limits.places[option.program]]
    if option.team in limits.team_minutes:
        fits.append(int(limits.team_minutes[option.team] / option.minutes))
    if limits.budget_usd is not None and option.cost_usd:
        fits.append(int(limits.budget_usd / option.cost_usd))
    return min(fits)


def less(limits: Limits, used: Mapping[Option, int]) -> Limits:
    """What is left of `limits` after so many offers of each option; never below 0."""
    places, minutes, budget = dict(limits.places), dict(limits.team_minutes), limits.budget_usd
    for option, count in used.items():
        places[option.program] = max(places[option.program] - count, 0)
        if option.team in minutes:
            minutes[option.team] = max(minutes[option.team] - count * option.minutes, 0.0)
        if budget is not None:
            budget = max(budget - count * option.cost_usd, 0.0)
    return Limits(places, minutes, budget)


def place_value(rank: pd.Series, last: int) -> pd.Series:
    """What a whole offer by rule counts, there being no dollars: the better the rank the more, and each far above nothing.

    So equal offers go in the order of the ranking whatever their channel, and a channel that reaches only members far down it
    leaves no place empty. The same in all programs, and for the held out as for the others.

    Args:
        rank: in the program's ranking, from 1.
        last: of any program's ranking tonight.
    """
    return 4 * last - rank


def serve(plan: NightPlan, candidates: pd.DataFrame) -> Served:
    """Fill the firm limits.

    Args:
        plan: of the night.
        candidates: `program, channel, member_id, value, tie, is_held_out`: of each option at least the `plan.depth` best
            who are not held out and have a positive value, and every held-out member who is better than the last of them.
            By effect a value is in dollars, by rule it is a `place_value` times the share of the effect.
    """
    verdict = candidates["program"].map(plan.verdict)
    effect, by_effect, spared_by_effect = _fill(plan, "publish", plan.firm, candidates[verdict == "publish"])
    free = (verdict == "fallback") & ~candidates["member_id"].isin(set(by_effect.chosen["member_id"]))
    left = less(plan.firm, plan.counted(by_effect.chosen))
    _, by_rule, spared_by_rule = _fill(plan, "fallback", left, candidates[free])
    picks = pd.concat(
        [
            by_effect.chosen.assign(picked="outreach"),
            by_rule.chosen.assign(picked="outreach"),
            spared_by_effect.assign(channel=None, picked="spared"),
            spared_by_rule.assign(channel=None, picked="spared"),
        ]
    )
    picks = picks[["program", "member_id", "channel", "picked"]].reset_index(drop=True)
    return Served(picks, effect, by_effect.gap)


def explore_chance(slots: int, others: int) -> float:
    """Chance of one of `slots` places in a pool with so many others, all alike."""
    return min(slots / (others + 1), 1.0)


def capacity_use(plan: NightPlan, offers: pd.DataFrame, served: Served) -> list[CapacityUse]:
    """Tonight's use of every limit.

    Args:
        plan: of the night.
        offers: `program, channel`, one row per offer, exploration included.
        served: gives the prices.
    """
    counts = plan.counted(offers)
    prices = {(use.kind, use.name): use.price for use in served.market.limit_uses()}
    found = []
    for resource in resources(plan.options, plan.limits):
        used = sum(counts[option] * use for option, use in zip(plan.options, resource.use, strict=True))
        unit, size = ("hours", 60.0) if resource.kind == "team" else (resource.unit, 1.0)
        key = (resource.kind, resource.name)
        has_price = any(
            use > 0 and plan.verdict[option.program] == "publish"
            for option, use in zip(plan.options, resource.use, strict=True)
        )
        price = prices[key] if has_price else None
        found.append(CapacityUse(*key, unit, resource.limit / size, used / size, price))
    return found


def _fill(
    plan: NightPlan, verdict: str, limits: Limits, candidates: pd.DataFrame
) -> tuple[Market, Allocation, pd.DataFrame]:
    """The market of the programs with this verdict, its allocation, and who is spared only by a holdout."""
    options = [o for o in plan.options if plan.verdict[o.program] == verdict]
    market = Market(candidates[~candidates["is_held_out"]], options, limits)
    return market, market.allocate(), market.would_be_served(candidates[candidates["is_held_out"]])
