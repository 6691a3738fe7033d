"""The multiple-choice knapsack with shared limits, on arrays: prices, whole solutions, and how good they are proven.

    maximise   sum of worth[i, k] x[i, k]
    subject to sum_k x[i, k] <= 1                      one option per member i
               sum_k use[r, k] n[k] <= limit[r]        n[k] = sum_i x[i, k], for every limit r
               x in {0, 1}

What an option uses does not depend on the member, so the limits see only the counts n. Let F(n) be the best total when
option k has n[k] places. Members then solve a transportation problem, whose vertices are whole (Hoffman & Kruskal
1956): F is the same with and without split members, and K whole numbers decide, however many members there are.

Members enter through one function of prices w per option, the sum of their gains S(w) = sum_i max(0, max_k worth[i, k] -
w[k]), one pass over the array. Every w gives F(n) <= S(w) + w.n for all n (a cut), and the members' reply to w gives a
point of F. So the members' side is learnt once and serves whatever limits are asked about next:

* The relaxed optimum is min over p >= 0 of p.limit + S(p use), found by cutting planes (Kelley 1960, doi:10.1137/0108053)
  with queries half-way to the best known prices (Ben-Ameur & Neto 2007, doi:10.1002/net.20137).
* For the whole optimum, the best whole n under the known cuts bounds it from above and F(n) there from below; evaluating
  F(n) adds the cuts that were missing (Benders 1962, doi:10.1007/BF01386316). Problems of up to `_SMALL` options go to the
  mixed-integer solver (HiGHS) as they are, with the K counts as the only whole variables.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, linprog, milp

from contracts.errors import OutreachError

_SMALL = 5_000
# Bounds on work are counts, not seconds: the same inputs give the same result on any machine.
_MAX_QUERIES = 500
_MAX_ROUNDS = 300
_MAX_NODES = 5_000
_NEARLY_INDIFFERENT = 500


@dataclass(frozen=True)
class Relaxed:
    """The optimum when members may be split.

    Attributes:
        value: no whole solution is worth more.
        price: of one unit of each limit; shape (R,).
    """

    value: float
    price: np.ndarray


@dataclass(frozen=True)
class Whole:
    """A whole solution and how good it is proven to be.

    Attributes:
        choice: option of each member, -1 for none; shape (n,).
        value: total worth.
        bound: no whole solution is worth more (to the solver's tolerance).
    """

    choice: np.ndarray
    value: float
    bound: float


@dataclass
class Members:
    """What the options are worth to each member, and what was learnt of it by asking.

    Attributes:
        worth: not positive where a member does not have an option; shape (n, K).
        tolerance: totals closer than this count as equal.
    """

    worth: np.ndarray
    tolerance: float = 1e-6
    # One entry per query: prices w, gains S(w), and counts and total worth of the reply.
    _prices: list[np.ndarray] = field(default_factory=list, init=False)
    _gains: list[float] = field(default_factory=list, init=False)
    _counts: list[np.ndarray] = field(default_factory=list, init=False)
    _totals: list[float] = field(default_factory=list, init=False)

    def relax(self, use: np.ndarray, limit: np.ndarray) -> Relaxed:
        """The relaxed optimum and its prices.

        Args:
            use: what one member in option k uses of limit r, never negative; shape (R, K).
            limit: never negative; shape (R,).
        """
        if not (self.worth > 0).any():
            return Relaxed(0.0, np.zeros(len(limit)))
        # A price at which nobody would use it; no best price is higher.
        top = np.maximum(self.worth.max(axis=0), 0.0)
        highest = np.divide(top, use, out=np.zeros(use.shape), where=use > 0).max(axis=1)
        best = Relaxed(np.inf, np.zeros(len(limit)))
        query = best.price
        for _ in range(_MAX_QUERIES):
            value = float(query @ limit) + self._ask(query @ use)
            if value < best.value:
                best = Relaxed(value, query)
            fall, lowest = self._lowest(best, use, limit, highest)
            if fall <= self._close(best.value):
                break
            query = (lowest + best.price) / 2
        return best

    def solve(self, use: np.ndarray, limit: np.ndarray) -> Whole:
        """The best whole solution; arguments as of `relax`."""
        if np.count_nonzero(self.worth > 0) <= _SMALL:
            choice, room = self._seated(np.arange(len(self.worth)), use, limit)
        else:
            counts, ceiling = self._best_counts(use, limit)
            choice = self._seated_at(counts)
            room = ceiling - _total(choice, self.worth)
        choice = _best_first(choice, self.worth)
        value = _total(choice, self.worth)
        return Whole(choice, value, value + max(room, 0.0))

    def _close(self, total: float) -> float:
        """What counts as equal at this size; doubles cannot tell more."""
        return max(self.tolerance, 1e-10 * abs(total))

    def _reply(self, price: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each member's best option at prices per option (-1: none) and its gain; both of shape (n,)."""
        gain = self.worth - price
        best = gain.argmax(axis=1)
        most = gain[np.arange(len(gain)), best]
        return np.where(most > 0, best, -1), np.maximum(most, 0.0)

    def _ask(self, price: np.ndarray) -> float:
        """S(price); remembers the cut and the point."""
        best, gain = self._reply(price)
        counts = np.bincount(best[best >= 0], minlength=len(price)).astype(float)
        total = float(gain.sum())
        self._prices.append(price)
        self._gains.append(total)
        self._counts.append(counts)
        self._totals.append(total + float(price @ counts))
        return total

    def _lowest(
        self, best: Relaxed, use: np.ndarray, limit: np.ndarray, highest: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """How far below `best` the known points allow the relaxed optimum to be, and at which prices."""
        # Point j says that the optimum at price p is at least total + p.free. Taken from the best prices on, and with
        # each price times its limit, the numbers that matter are small and the coefficients are near 1.
        scale = np.maximum(limit, 1.0)
        free = limit - np.array(self._counts) @ use.T
        below = np.array(self._totals) + free @ best.price - best.value
        found = linprog(
            np.append(np.zeros(len(limit)), 1.0),
            A_ub=np.hstack([free / scale, -np.ones((len(free), 1))]),
            b_ub=-below,
            bounds=[*zip(-best.price * scale, (highest - best.price) * scale, strict=True), (None, 0.0)],
            method="highs-ds",
        )
        if found.status != 0:
            raise OutreachError("The allocation's prices could not be found.", actual=str(found.message))
        return -float(found.fun), np.clip(best.price + found.x[:-1] / scale, 0.0, highest)

    def _best_counts(self, use: np.ndarray, limit: np.ndarray) -> tuple[np.ndarray, float]:
        """Whole counts with the highest F, and a bound of it; apart only where the solver met its limit of nodes."""
        relaxed = self.relax(use, limit)
        self._ask(relaxed.price @ use)
        cuts = [len(self._gains) - 1]
        places, best, most, ceiling = np.eye(use.shape[1]), np.zeros(use.shape[1]), 0.0, relaxed.value
        for _ in range(_MAX_ROUNDS):
            counts, top, height = self._under(cuts, use, limit, relaxed.value)
            ceiling = min(ceiling, height)
            if self._height(counts)[1] >= top - self._close(top):
                value = self.relax(places, counts).value
                if value > most:
                    best, most = counts, value
            lowest, height = self._height(counts)
            if ceiling - most <= self._close(most) or height >= top - self._close(top):
                break
            cuts.append(lowest)
        return best, ceiling

    def _height(self, counts: np.ndarray) -> tuple[int, float]:
        """The lowest known cut at `counts`, and how high it is there."""
        heights = np.array(self._gains) + np.array(self._prices) @ counts
        lowest = int(heights.argmin())
        return lowest, float(heights[lowest])

    def _under(
        self, cuts: list[int], use: np.ndarray, limit: np.ndarray, level: float
    ) -> tuple[np.ndarray, float, float]:
        """The whole counts that are highest under these cuts, how high, and a bound of how high any are.

        Heights are measured from `level`, so that the solver sees small numbers.
        """
        options = use.shape[1]
        prices = np.array([self._prices[j] for j in cuts])
        gains = np.array([self._gains[j] for j in cuts])
        held = np.count_nonzero(self.worth > 0, axis=0)
        found = milp(
            np.append(np.zeros(options), -1.0),
            constraints=[
                LinearConstraint(np.hstack([-prices, np.ones((len(cuts), 1))]), ub=gains - level),
                LinearConstraint(np.hstack([use, np.zeros((len(use), 1))]), ub=limit + _slack(limit)),
            ],
            integrality=np.append(np.ones(options), 0),
            bounds=Bounds(np.append(np.zeros(options), -np.inf), np.append(held, np.inf)),
            options={"mip_rel_gap": 0.0, "node_limit": _MAX_NODES},
        )
        if found.x is None:
            raise OutreachError("The allocation could not be solved.", actual=str(found.message))
        return found.x[:-1].round(), level - float(found.fun), level - float(found.mip_dual_bound)

    def _seated_at(self, counts: np.ndarray) -> np.ndarray:
        """Who takes which option when option k has `counts[k]` places: only the nearly indifferent need the solver."""
        priced = self.relax(np.eye(len(counts)), counts)
        best, gain = self._reply(priced.price)
        others = np.where(self.worth > 0, self.worth - priced.price, -np.inf)
        others[best >= 0, best[best >= 0]] = -np.inf
        margin = gain - np.maximum(others.max(axis=1), np.where(best >= 0, 0.0, -np.inf))
        order, asked = np.argsort(margin, kind="stable"), _NEARLY_INDIFFERENT
        while True:
            members, choice = order[:asked], best.copy()
            choice[members] = -1
            places = counts - np.bincount(choice[choice >= 0], minlength=len(counts))
            if (places >= 0).all():
                choice[members] = self._seated(members, np.eye(len(counts)), places)[0]
                if asked >= len(order) or _total(choice, self.worth) >= priced.value - self._close(priced.value):
                    return choice
            asked *= 4

    def _seated(self, members: np.ndarray, use: np.ndarray, limit: np.ndarray) -> tuple[np.ndarray, float]:
        """The best choice of these members, and how much better one may still be (0: proven)."""
        row, option = np.nonzero(self.worth[members] > 0)
        choice = np.full(len(members), -1)
        if not len(row):
            return choice, 0.0
        worth = self.worth[members[row], option]
        found = _mixed(worth, row, option, use, limit)
        share = found.x[: len(row)]
        if np.abs(share - share.round()).max() > 1e-6:
            # Whole counts but split members: with the counts given, a vertex of the linear program is whole.
            share = _mixed(worth, row, option, use, limit, counts=found.x[len(row) :].round()).x[: len(row)]
        taken = share > 0.5
        choice[row[taken]] = option[taken]
        return choice, 0.0 if found.status == 0 else float(found.fun - found.mip_dual_bound)


def _mixed(
    worth: np.ndarray,
    row: np.ndarray,
    option: np.ndarray,
    use: np.ndarray,
    limit: np.ndarray,
    counts: np.ndarray | None = None,
) -> OptimizeResult:
    """Solve for the shares of the entries (member `row`, `option`) and the counts: whole, or given."""
    n, options = len(worth), use.shape[1]
    ones, columns = np.ones(n), np.arange(n)
    per_member = sparse.csr_array((ones, (row, columns)), shape=(int(row.max()) + 1, n + options))
    per_option = sparse.csr_array((ones, (option, columns)), shape=(options, n))
    counted = sparse.hstack([per_option, -sparse.eye_array(options)], format="csr")
    used = sparse.hstack([sparse.csr_array((len(use), n)), sparse.csr_array(use)], format="csr")
    found = milp(
        np.concatenate([-worth, np.zeros(options)]),
        constraints=[
            LinearConstraint(per_member, ub=1),
            LinearConstraint(counted, lb=0, ub=0),
            LinearConstraint(used, ub=limit + _slack(limit)),
        ],
        integrality=np.concatenate([np.zeros(n), np.full(options, int(counts is None))]),
        bounds=Bounds(0, np.concatenate([np.full(n, np.inf), np.full(options, np.inf) if counts is None else counts])),
        options={"mip_rel_gap": 0.0, "node_limit": _MAX_NODES},
    )
    if found.x is None:
        raise OutreachError("The allocation could not be solved.", actual=str(found.message))
    return found


def _slack(limit: np.ndarray) -> np.ndarray:
    """What rounding may cost: a billionth, so that three calls of 20 minutes fit into an hour written as 3 x 1/3."""
    return 1e-9 * np.maximum(limit, 1.0)


def _total(choice: np.ndarray, worth: np.ndarray) -> float:
    served = np.flatnonzero(choice >= 0)
    return float(worth[served, choice[served]].sum())


def _best_first(choice: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Within each option exchange those served for better ones left out, which the solver's tolerance may have mixed.

    The counts stay. It ends because each exchange gains.
    """
    choice, changed = choice.copy(), True
    while changed:
        changed = False
        for option in range(worth.shape[1]):
            served = np.flatnonzero(choice == option)
            if not len(served):
                continue
            free = np.flatnonzero((choice < 0) & (worth[:, option] > worth[served, option].min()))
            out = served[np.argsort(worth[served, option], kind="stable")]
            into = free[np.argsort(-worth[free, option], kind="stable")]
            pairs = min(len(out), len(into))
            better = worth[into[:pairs], option] > worth[out[:pairs], option]
            choice[out[:pairs][better]], choice[into[:pairs][better]] = -1, option
            changed |= bool(better.any())
    return choice
