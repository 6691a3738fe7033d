"""Who is offered which program through which channel tonight: the best total value within every limit.

A member's choices are the options (program and channel) that consent and language leave open. Limits are offers per
program, minutes per team and dollars in all; an option uses the same of each whoever takes it. A member gets one option
at most, and none whose value is not positive. `causal.multiple_choice` holds the method: the result is optimal, or its
proven distance from the optimum is given as `gap`.

Members of equal value (to the cent) are put in order by `tie`, a keyed hash, so the result does not depend on the order
of rows or on the number of cores.

**Few rows suffice.** Let C be how many members the limits can serve at all (`most_served`). Only the C best members of each option
matter. Proof: suppose an optimal allocation serves i in option k although i is not among k's C best. These are all at
least as good in k, and at most C - 1 of them are served (i has one of the C places), so one is free; it can take i's
place, which uses the same of every limit and loses nothing. Each such exchange lowers the number of members served from
outside the lists. So memory depends on tonight's capacity, not on the number of members.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from causal.multiple_choice import Members, Relaxed, Whole
from contracts.errors import ConfigError

# Dollars. Planning values say nothing below a cent; there the keyed hash decides.
CENT = 0.01
_TOLERANCE = 1e-4
# HiGHS' tolerances are absolute: from a few millions on it calls solvable problems infeasible.
_MOST_WORTH = 2.0**16


@dataclass(frozen=True)
class Option:
    """One way of offering one program, and what an offer uses."""

    program: str
    channel: str
    team: str
    minutes: float
    cost_usd: float


@dataclass(frozen=True)
class Limits:
    """What there is tonight. A program without an entry has no places; a team without one, or no budget: no limit."""

    places: Mapping[str, int]
    team_minutes: Mapping[str, float]
    budget_usd: float | None = None


@dataclass(frozen=True)
class Resource:
    """One limit, in `offers`, `minutes` or `usd`: what an offer of each option uses, and the step by which it is priced."""

    kind: Literal["program", "team", "budget"]
    name: str
    unit: str
    limit: float
    use: tuple[float, ...]
    step: float = 1.0

    @property
    def asked(self) -> float:
        """How much more of it a price asks about: one unit, or what one more offer uses."""
        return max((self.step, *self.use))


def resources(options: Sequence[Option], limits: Limits) -> tuple[Resource, ...]:
    """The limits that bind these options: places per program, minutes per team, the budget."""
    found = [
        Resource("program", p, "offers", limits.places.get(p, 0), tuple(float(o.program == p) for o in options))
        for p in dict.fromkeys(o.program for o in options)
    ]
    found += [
        Resource("team", t, "minutes", minutes, tuple(o.minutes * (o.team == t) for o in options), step=60.0)
        for t, minutes in limits.team_minutes.items()
        if any(o.team == t for o in options)
    ]
    if limits.budget_usd is not None:
        found.append(Resource("budget", "all", "usd", limits.budget_usd, tuple(o.cost_usd for o in options)))
    return tuple(found)


@dataclass(frozen=True)
class LimitUse:
    """One limit after the allocation.

    Attributes:
        unit: of limit and used: `offers`, `minutes` or `usd`.
        price: what one more offer, hour or dollar would add to the total value, members divisible (shadow price).
    """

    kind: Literal["program", "team", "budget"]
    name: str
    unit: str
    limit: float
    used: float
    price: float


@dataclass(frozen=True)
class Allocation:
    """The allocation and its proof.

    Attributes:
        chosen: `program, channel, member_id, value`, one row per member served, best first within program.
        total_value: sum of the chosen values.
        gap: no allocation is worth more than `total_value + gap` (but for cents, see the module).
    """

    chosen: pd.DataFrame
    total_value: float
    gap: float


def most_served(options: Sequence[Option], limits: Limits) -> int:
    """How many members can be served, with more of every limit as the prices ask of it; so many of each suffice."""
    found = resources(options, limits)
    use = np.array([r.use for r in found]).reshape(len(found), len(options))
    return _most_served(use, np.array([r.limit + r.asked for r in found]), np.full(len(options), np.inf))


def allocate(candidates: pd.DataFrame, options: Sequence[Option], limits: Limits) -> Allocation:
    """Solve tonight's allocation; see `Market` for the arguments."""
    return Market(candidates, options, limits).allocate()


class Market:
    """An allocation that can also be asked what-if questions.

    Args:
        candidates: `program, channel, member_id, value` (finite, dollars) and, if given, `tie` (keyed hash in [0, 1), the
            smaller first; default: the order of member_id); at most one row per member and option.
        options: every option that candidates name.
        limits: what there is.

    Raises:
        ConfigError: a value is missing, a row is listed twice or names no option, or a limit is negative.
    """

    def __init__(self, candidates: pd.DataFrame, options: Sequence[Option], limits: Limits) -> None:
        self.options, self.limits = tuple(options), limits
        self._resources = resources(self.options, limits)
        self.use = np.array([r.use for r in self._resources]).reshape(len(self._resources), len(self.options))
        self.limit = np.array([r.limit for r in self._resources], dtype=float)
        self._steps = np.array([r.step for r in self._resources], dtype=float)
        if (self.limit < 0).any():
            raise ConfigError("A limit of an allocation is negative.")
        self._option_at = {(o.program, o.channel): k for k, o in enumerate(self.options)}
        entries = self._entries(candidates)
        member, found = pd.factorize(entries["member_id"])
        ids, worth, value = _arrays(entries, member, np.asarray(found, dtype=object), len(self.options))
        self._unit = _unit(worth)
        # Prices ask about more than there is.
        asked = self.limit + np.array([r.asked for r in self._resources], dtype=float)
        keep = _best_of_each(worth, _most_served(self.use, asked, np.count_nonzero(worth > 0, axis=0)))
        self._ids, self._worth, self._value = ids[keep], worth[keep] / self._unit, value[keep]
        self._members = Members(self._worth, _TOLERANCE)
        self._solved_without: dict[int, Whole | None] = {}
        self._relaxed_at: dict[int, Relaxed] = {}

    def allocate(self) -> Allocation:
        """The best allocation."""
        whole = self._whole
        served = np.flatnonzero(whole.choice >= 0)
        option = whole.choice[served]
        chosen = pd.DataFrame(
            {
                "program": [self.options[k].program for k in option],
                "channel": [self.options[k].channel for k in option],
                "member_id": self._ids[served],
                "value": self._value[served, option],
                "worth": self._worth[served, option],
            }
        ).sort_values(["program", "worth", "member_id"], ascending=[True, False, True], ignore_index=True)
        total = float(chosen["value"].sum())
        return Allocation(chosen.drop(columns="worth"), total, gap=(whole.bound - whole.value) * self._unit)

    def limit_uses(self) -> tuple[LimitUse, ...]:
        """How much of each limit the best allocation uses, and each limit's price."""
        choice = self._whole.choice
        used = self.use @ np.bincount(choice[choice >= 0], minlength=len(self.options))
        return tuple(
            LimitUse(r.kind, r.name, r.unit, r.limit, float(u), self._gain(step))
            for r, u, step in zip(self._resources, used, np.diag(self._steps), strict=True)
        )

    def one_more(self, program: str, channel: str) -> float:
        """What one more offer through this option would add, its place, minutes and dollars given."""
        return self._gain(self.use[:, self._option_at[program, channel]])

    def would_be_served(self, others: pd.DataFrame) -> pd.DataFrame:
        """Which (member, program) that are not candidates would be served if each alone were one too.

        Args:
            others: rows as of `candidates`. The rows of one member and program are asked about together, everything
                else as it is: the member stays a candidate for the other programs.

        Returns:
            `program, member_id`, one row for each that would be served in that program.
        """
        entries = self._entries(others)
        at = {member: row for row, member in enumerate(self._ids)}
        served = [
            (program, member)
            for (program, member), rows in entries.groupby(["program", "member_id"], sort=True)
            if self._would_take(rows["option"].to_numpy(), rows["worth"].to_numpy() / self._unit, at.get(member))
        ]
        return pd.DataFrame(served, columns=["program", "member_id"])

    @cached_property
    def _whole(self) -> Whole:
        return self._members.solve(self.use, self.limit)

    @cached_property
    def _relaxed_value(self) -> float:
        return self._members.relax(self.use, self.limit).value

    def _without(self, option: int) -> Whole | None:
        """The best allocation with what one offer of an option uses taken away; None: there is not enough."""
        if option not in self._solved_without:
            rest = self.limit - self.use[:, option]
            self._solved_without[option] = None if (rest < 0).any() else self._members.solve(self.use, rest)
        return self._solved_without[option]

    def _would_take(self, options: np.ndarray, worth: np.ndarray, row: int | None) -> bool:
        """Serving the member in option k is worth its worth there and what the others then get at best.

        Others: everybody without this member. Where they do without it anyway that is `_without(k)`; else it lies between
        what they keep with the next in line in the member's place, and the relaxed optimum less the member's gain at its
        prices (any prices bound it). Only a member between the two makes the allocation be solved once more.
        """
        enough = self._whole.value * (1 + 1e-10)
        is_open = False
        for k, value in zip(options, worth, strict=True):
            others = self._without(k)
            if others is None or value + others.value <= enough:
                continue
            if row is None or others.choice[row] < 0 or value + others.value - self._missed(others, row) > enough:
                return True
            is_open |= value + self._relaxed_without(k).value - self._gain_at(k, row) > enough
        if not is_open or row is None:
            return False
        changed = self._worth.copy()
        changed[row, options] = worth
        return bool(Members(changed, _TOLERANCE).solve(self.use, self.limit).choice[row] in options)

    def _missed(self, others: Whole, row: int) -> float:
        """What the others lose at most without a member whom they use: the next in line takes the place."""
        option = others.choice[row]
        free = self._worth[others.choice < 0, option]
        return float(self._worth[row, option] - max(free.max(initial=0.0), 0.0))

    def _relaxed_without(self, option: int) -> Relaxed:
        """As `_without`, members divisible."""
        if option not in self._relaxed_at:
            self._relaxed_at[option] = self._members.relax(self.use, self.limit - self.use[:, option])
        return self._relaxed_at[option]

    def _gain_at(self, option: int, row: int) -> float:
        """What a member adds to the relaxed optimum at its prices."""
        price = self._relaxed_without(option).price @ self.use
        return float(max((self._worth[row] - price).max(), 0.0))

    def _gain(self, extra: np.ndarray) -> float:
        """What the relaxed total gains by higher limits, to the cent."""
        gain = self._members.relax(self.use, self.limit + extra).value - self._relaxed_value
        return round(max(gain * self._unit, 0.0), 2)

    def _entries(self, candidates: pd.DataFrame) -> pd.DataFrame:
        """Candidates with `option` and `worth`; those of no positive value are left out."""
        if not np.isfinite(candidates["value"].to_numpy(dtype=float)).all():
            raise ConfigError("A candidate for allocation has no value.", todo="leave members without an estimate out.")
        pairs = pd.MultiIndex.from_frame(candidates[["program", "channel"]])
        known = pd.MultiIndex.from_arrays([[o.program for o in self.options], [o.channel for o in self.options]])
        option = known.get_indexer(pairs)
        if (option < 0).any():
            unknown = pairs[option < 0][0]
            raise ConfigError(f"Candidates name an option that is not configured: {' by '.join(map(str, unknown))}.")
        positive = candidates["value"].to_numpy(dtype=float) > 0
        kept = candidates[positive].assign(option=option[positive])
        if "tie" in kept:
            tie = kept["tie"].to_numpy(dtype=float)
        else:
            tie = kept["member_id"].rank(method="dense").to_numpy() / max(len(kept), 1)
        return kept.assign(worth=kept["value"].to_numpy(dtype=float) + CENT * (1 - tie))


def _arrays(
    entries: pd.DataFrame, member: np.ndarray, ids: np.ndarray, options: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Member identifiers in order, and worth and value per member and option (0 where not a choice)."""
    order = np.argsort(ids.astype(str), kind="stable") if len(ids) else np.empty(0, dtype=int)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    cell = place[member] * options + entries["option"].to_numpy()
    if len(cell) and np.bincount(cell, minlength=1).max() > 1:
        raise ConfigError("A member is listed twice for the same program and channel.")
    worth, value = np.zeros((2, len(ids) * options))
    worth[cell], value[cell] = entries["worth"].to_numpy(), entries["value"].to_numpy(dtype=float)
    shape = (len(ids), options)
    return ids[order], worth.reshape(shape), value.reshape(shape)


def _unit(worth: np.ndarray) -> float:
    """Dollars per unit of the solver: one, or the power of two (which rounds nothing) that keeps to `_MOST_WORTH`."""
    most = float(worth.max(initial=0.0)) / _MOST_WORTH
    return 2.0 ** math.ceil(math.log2(most)) if most > 1 else 1.0


def _most_served(use: np.ndarray, limit: np.ndarray, held: np.ndarray) -> int:
    """How many members the limits can serve when option k is open to `held[k]` of them."""
    if not held.any():
        return 0
    found = linprog(-np.ones(len(held)), A_ub=use, b_ub=limit, bounds=[*((0, h) for h in held)], method="highs-ds")
    # Rounded up: prices are those of divisible members.
    return int(np.ceil(-found.fun - 1e-6))


def _best_of_each(worth: np.ndarray, count: int) -> np.ndarray:
    """Members who are among the `count` best of any option that they have; shape (n,) of booleans."""
    if count == 0:
        return np.zeros(len(worth), dtype=bool)
    keep = np.zeros(len(worth), dtype=bool)
    for column in worth.T:
        have = np.flatnonzero(column > 0)
        keep[have if len(have) <= count else have[np.argpartition(-column[have], count - 1)[:count]]] = True
    return keep
