"""Who gets which program tonight: the best total value under capacities, exactly.

    maximise   sum of value over chosen (member, program)
    subject to one program per member; `capacity` members per program; `team_capacity` members per team
               (a team runs one or more programs); no chosen value at or below zero.

Programs within teams are a laminar family, so this is a maximum-weight flow: members -> programs -> teams -> sink. It
is solved by successive best augmenting paths over the few program and team nodes (each step is optimal for its number
of people, and steps have falling gains, so stopping at the first gain that is not positive is optimal). No solver
tolerance: ties are broken lexicographically by `tie`, the smaller first, and the result is the same on every machine.

**Bounded input.** Let C be the sum of the capacities. Only the C best members of each program need to be passed.
Proof: an optimal allocation serves at most C members. Suppose it serves member i in program p although i is not among
the C best of p. Those C are all at least as good in p, and at most C - 1 of them are served anywhere (i uses one of
the C places), so one of them, j, is free. Serving j instead of i in p keeps every constraint and loses nothing. Each
such swap lowers the number of members served from outside the lists, so after finitely many none is.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from contracts.errors import ConfigError

# Gain and minus tie, both as whole numbers of 2**-40: sums are exact, so equal moves never look like improvements.
Weight = tuple[int, int]
Edge = tuple[str, str, Weight, tuple[str, str]]
_UNIT = 2**40
_NONE: Weight = (-(2**200), 0)
_ZERO: Weight = (0, 0)


@dataclass(frozen=True)
class AllocationResult:
    """The optimal allocation.

    Attributes:
        chosen: `program, member_id, value`, one row per member served, best first within program.
        shadow_price: what one more place in a program would add to the total (0 when it has free places or the
            team is the limit); values' unit.
        team_price: what one more place in a team would add.
        total_value: sum of the chosen values.
    """

    chosen: pd.DataFrame
    shadow_price: Mapping[str, float]
    team_price: Mapping[str, float]
    total_value: float


def allocate(
    candidates: pd.DataFrame,
    *,
    capacity: Mapping[str, int],
    team: Mapping[str, str] | None = None,
    team_capacity: Mapping[str, int] | None = None,
) -> AllocationResult:
    """Solve tonight's assignment.

    Args:
        candidates: `program, member_id, value` (finite) and, if given, `tie` (keyed hash in [0, 1)); at most one row
            per member and program. See the module on how few rows suffice.
        capacity: places per program; a program without an entry has none.
        team: team per program; default each program its own.
        team_capacity: places per team; a team without an entry is not limited.

    Raises:
        ConfigError: a value is missing, a pair is listed twice, or a capacity is negative.
    """
    _check(candidates, capacity)
    programs = sorted(capacity)
    known = candidates[candidates["program"].isin(programs) & (candidates["value"] > 0)]
    flow = _Flow(programs, capacity, team or {}, team_capacity or {}, known)
    while flow.augment():
        pass
    return flow.result()


@dataclass
class _Flow:
    """State of the augmentation: who is where, and heaps of the best next moves."""

    programs: list[str]
    capacity: Mapping[str, int]
    team: Mapping[str, str]
    team_capacity: Mapping[str, int]
    frame: pd.DataFrame
    weights: dict[str, dict[str, Weight]] = field(default_factory=dict)
    place: dict[str, str] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)
    team_count: dict[str, int] = field(default_factory=dict)
    fresh: dict[str, list[tuple[Weight, str]]] = field(default_factory=dict)
    moves: dict[tuple[str, str], list[tuple[Weight, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ties = self.frame["tie"] if "tie" in self.frame else pd.Series(0.0, index=self.frame.index)
        columns = (self.frame["member_id"], self.frame["program"], self.frame["value"], ties)
        for member, program, value, tie in zip(*columns, strict=True):
            weight = (round(value * _UNIT), -round(tie * _UNIT))
            self.weights.setdefault(member, {})[program] = weight
            self.fresh.setdefault(program, []).append((_minus(weight), member))
        for heap in self.fresh.values():
            heapq.heapify(heap)
        self.count = dict.fromkeys(self.programs, 0)
        self.team_count = {self._team(p): 0 for p in self.programs}
        self.moves = {(a, b): [] for a in self.programs for b in self.programs if a != b}

    def augment(self) -> bool:
        """Serve one more member by the best path; False when no path gains."""
        gain, path = _longest(self._edges(), "s", "t")
        if gain[0] <= 0:
            return False
        self._apply(path)
        return True

    def result(self) -> AllocationResult:
        served = self.frame[self.frame["program"] == self.frame["member_id"].map(self.place)]
        order, ascending = ["program", "value", "member_id"], [True, False, True]
        if "tie" in served:
            order, ascending = ["program", "value", "tie", "member_id"], [True, False, True, True]
        chosen = served.sort_values(order, ascending=ascending)
        # One more place is one more unit from program to team (or team to sink): the best way to close that circle.
        back = [("t", f"g:{g}", _ZERO, ("give", "")) for g, used in self.team_count.items() if used]
        worth: dict[str, Weight] = {}
        for member, program in self.place.items():
            weight = self.weights[member][program]
            worth[program] = min(weight, worth.get(program, weight))
        drop: list[Edge] = [(f"p:{p}", "s", _minus(w), ("drop", "")) for p, w in worth.items()]
        closed = [*self._edges(), ("t", "s", _ZERO, ("more", "")), *back, *drop]
        # Prices are in value alone: serving one more for no value may still better a tie, and that circle never ends.
        edges: list[Edge] = [(a, b, (w[0], 0), what) for a, b, w, what in closed]
        prices = {p: self._price(edges, f"g:{self._team(p)}", f"p:{p}") for p in self.programs}
        teams = {g: self._price(edges, "t", f"g:{g}") for g in sorted(self.team_count)}
        total = float(chosen["value"].sum())
        return AllocationResult(chosen[["program", "member_id", "value"]].reset_index(drop=True), prices, teams, total)

    def _team(self, program: str) -> str:
        return self.team.get(program, program)

    def _price(self, edges: list[Edge], start: str, goal: str) -> float:
        return max(_longest(edges, start, goal)[0][0], 0) / _UNIT

    def _edges(self) -> list[Edge]:
        """Residual edges (from, to, gain, (kind, member)). Nodes: "s", "t", "p:<program>", "g:<team>"."""
        edges: list[Edge] = []
        for p in self.programs:
            weight, member = self._best_fresh(p)
            if member:
                edges.append(("s", f"p:{p}", weight, ("new", member)))
            if self.count[p] < self.capacity[p]:
                edges.append((f"p:{p}", f"g:{self._team(p)}", _ZERO, ("use", "")))
            if self.count[p] > 0:
                edges.append((f"g:{self._team(p)}", f"p:{p}", _ZERO, ("free", "")))
        for (a, b), heap in self.moves.items():
            while heap and self.place.get(heap[0][1]) != a:
                heapq.heappop(heap)
            if heap:
                edges.append((f"p:{a}", f"p:{b}", _minus(heap[0][0]), ("move", heap[0][1])))
        for g, used in self.team_count.items():
            if used < self.team_capacity.get(g, len(self.weights) + 1):
                edges.append((f"g:{g}", "t", _ZERO, ("end", "")))
        return edges

    def _best_fresh(self, program: str) -> tuple[Weight, str]:
        heap = self.fresh.get(program, [])
        while heap and heap[0][1] in self.place:
            heapq.heappop(heap)
        return (_minus(heap[0][0]), heap[0][1]) if heap else (_NONE, "")

    def _apply(self, path: list[tuple[str, str, str, str]]) -> None:
        for a, b, kind, member in path:
            if kind in ("new", "move"):
                self._put(member, b[2:])
            elif kind == "use":
                self.count[a[2:]] += 1
            elif kind == "free":
                self.count[b[2:]] -= 1
            elif kind == "end":
                self.team_count[a[2:]] += 1

    def _put(self, member: str, program: str) -> None:
        """Place a member, and list the moves that this place offers."""
        self.place[member] = program
        here = self.weights[member][program]
        for other, weight in self.weights[member].items():
            if other != program:
                gain = (weight[0] - here[0], weight[1] - here[1])
                heapq.heappush(self.moves[program, other], (_minus(gain), member))


def _longest(edges: list[Edge], start: str, goal: str) -> tuple[Weight, list[tuple[str, str, str, str]]]:
    """Bellman-Ford over a dozen nodes; returns the best gain and its edges as (from, to, kind, member).

    An optimal flow has no gaining cycle, so the best walk is a path, found within as many rounds as there are nodes.
    """
    best: dict[str, Weight] = {start: _ZERO}
    via: dict[str, tuple[str, str, str, str]] = {}
    rounds, changed = len({a for a, *_ in edges} | {b for _, b, *_ in edges}) + 1, True
    while changed:
        rounds, changed = rounds - 1, False
        assert rounds >= 0, "a circle of the residual network gains: the flow is not optimal"
        for a, b, w, (kind, member) in edges:
            if a in best and b != start and _plus(best[a], w) > best.get(b, _NONE):
                best[b], via[b], changed = _plus(best[a], w), (a, b, kind, member), True
    if goal not in best:
        return _NONE, []
    path, node = [], goal
    while node != start:
        path.append(via[node])
        node = via[node][0]
    return best[goal], path[::-1]


def _minus(a: Weight) -> Weight:
    return (-a[0], -a[1])


def _plus(a: Weight, b: Weight) -> Weight:
    return (a[0] + b[0], a[1] + b[1])


def _check(candidates: pd.DataFrame, capacity: Mapping[str, int]) -> None:
    if candidates["value"].isna().any():
        raise ConfigError("A candidate for allocation has no value.", todo="leave members without an estimate out.")
    if candidates.duplicated(["program", "member_id"]).any():
        raise ConfigError("A member is listed twice for the same program.")
    if any(v < 0 for v in capacity.values()):
        raise ConfigError("A program's capacity is negative.")
