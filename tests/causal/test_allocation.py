"""The allocation against brute force (small) and a mixed-integer solver (medium)."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from causal.allocation import allocate
from contracts.errors import ConfigError


def candidates(rng: np.random.Generator, n: int, programs: list[str], whole: bool) -> pd.DataFrame:
    rows = [(p, f"m{i}") for p in programs for i in range(n) if rng.random() < 0.8]
    frame = pd.DataFrame(rows, columns=["program", "member_id"])
    values = rng.integers(-3, 6, len(frame)).astype(float) if whole else rng.normal(1, 2, len(frame))
    return frame.assign(value=values, tie=rng.random(len(frame)))


def solver_value(frame: pd.DataFrame, capacity: dict[str, int], team: dict[str, str], limit: dict[str, int]) -> float:
    rows = [(frame["member_id"] == m).to_numpy(float) for m in frame["member_id"].unique()]
    upper = [1] * len(rows)
    for p, c in capacity.items():
        rows, upper = [*rows, (frame["program"] == p).to_numpy(float)], [*upper, c]
    for g, c in limit.items():
        rows, upper = [*rows, (frame["program"].map(team) == g).to_numpy(float)], [*upper, c]
    how = LinearConstraint(np.array(rows), ub=np.array(upper))
    return -milp(-frame["value"].to_numpy(), constraints=how, integrality=np.ones(len(frame)), bounds=Bounds(0, 1)).fun


def brute_force(frame: pd.DataFrame, capacity: dict[str, int]) -> float:
    values = {(m, p): v for m, p, v in frame[["member_id", "program", "value"]].itertuples(index=False)}
    members = sorted(frame["member_id"].unique())
    best = 0.0
    for choice in itertools.product([None, *capacity], repeat=len(members)):
        used = [c for c in choice if c]
        pairs = [(m, c) for m, c in zip(members, choice, strict=True) if c]
        if all(used.count(p) <= capacity[p] for p in capacity) and all(pair in values for pair in pairs):
            best = max(best, sum(values[pair] for pair in pairs))
    return best


@pytest.mark.parametrize("seed", range(40))
def test_equals_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = candidates(rng, int(rng.integers(1, 7)), ["a", "b"], whole=seed % 2 == 0)
    capacity = {p: int(rng.integers(0, 4)) for p in ("a", "b")}
    assert allocate(frame, capacity=capacity).total_value == pytest.approx(brute_force(frame, capacity))


@pytest.mark.parametrize("seed", range(15))
def test_equals_the_solver_with_teams_and_prices(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    programs = ["a", "b", "c"]
    frame = candidates(rng, 15, programs, whole=seed % 2 == 0)
    capacity = {p: int(rng.integers(0, 7)) for p in programs}
    team = {"a": "nurses", "b": "nurses", "c": "pharmacists"}
    limit = {"nurses": int(rng.integers(1, 8))}
    found = allocate(frame, capacity=capacity, team=team, team_capacity=limit)
    best = solver_value(frame, capacity, team, limit)
    assert found.total_value == pytest.approx(best)
    for p in programs:
        more = solver_value(frame, {**capacity, p: capacity[p] + 1}, team, limit)
        assert found.shadow_price[p] == pytest.approx(more - best, abs=1e-6), p
    more = solver_value(frame, capacity, team, {"nurses": limit["nurses"] + 1})
    assert found.team_price["nurses"] == pytest.approx(more - best, abs=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_the_best_few_per_program_suffice(seed: int) -> None:
    rng = np.random.default_rng(200 + seed)
    frame = candidates(rng, 60, ["a", "b", "c"], whole=seed % 2 == 0)
    capacity = {"a": 3, "b": 4, "c": 2}
    best = frame.sort_values(["program", "value", "tie"], ascending=[True, False, True])
    few = best.groupby("program").head(sum(capacity.values()))
    whole, part = allocate(frame, capacity=capacity), allocate(few, capacity=capacity)
    assert part.total_value == pytest.approx(whole.total_value)


def test_nobody_is_served_twice_and_nobody_for_nothing() -> None:
    frame = candidates(np.random.default_rng(1), 50, ["a", "b"], whole=True)
    chosen = allocate(frame, capacity={"a": 100, "b": 100}).chosen
    assert not chosen["member_id"].duplicated().any()
    assert (chosen["value"] > 0).all()


def test_ties_follow_the_key_whatever_the_order_of_rows() -> None:
    frame = pd.DataFrame({"program": "a", "member_id": [f"m{i}" for i in range(9)], "value": 1.0})
    frame["tie"] = np.linspace(0.9, 0.1, 9)
    for seed in range(3):
        shuffled = frame.sample(frac=1, random_state=seed)
        assert list(allocate(shuffled, capacity={"a": 3}).chosen["member_id"]) == ["m8", "m7", "m6"]


def test_malformed_candidates_are_refused() -> None:
    frame = pd.DataFrame({"program": ["a", "a"], "member_id": ["m", "m"], "value": [1.0, 2.0]})
    with pytest.raises(ConfigError, match="twice"):
        allocate(frame, capacity={"a": 1})
    with pytest.raises(ConfigError, match="no value"):
        allocate(frame.assign(value=np.nan), capacity={"a": 1})
    empty = allocate(frame.head(0), capacity={"a": 1})
    assert len(empty.chosen) == 0
    assert empty.shadow_price == {"a": 0.0}


def test_a_free_place_worth_nothing_but_a_better_tie_has_no_price() -> None:
    """Seed 1989 once never ended: one more member for no value bettered a tie, again and again."""
    rng = np.random.default_rng(1989)
    frame = pd.DataFrame([(p, f"m{i}") for p in "ab" for i in range(10)], columns=["program", "member_id"])
    frame = frame.assign(value=rng.integers(-4, 5, 20).astype(float), tie=rng.random(20))
    found = allocate(frame, capacity={"a": 1, "b": 10})
    more = allocate(frame, capacity={"a": 2, "b": 10})
    assert found.shadow_price == {"a": more.total_value - found.total_value, "b": 0.0} == {"a": 1.0, "b": 0.0}
