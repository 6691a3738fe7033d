"""Honest trees in little bags of people, and point and variance of their forest in one pass.

EconML's trees (`GRFTree`) are grown here one by one instead of by its forests, for two reasons.
Its forests draw rows: a person who occurs in twelve monthly trials is then in both halves of every honest split and in
every half-sample, so that intervals are too short. Here every draw (half-sample of a bag, subsample of a tree, honest
halves of a tree) is a draw of whole clusters.
And for an interval its forests walk every tree twice (three times with the point). The moment of the effect is linear in
what one walk gives, so one is enough.

Formulas: bootstrap of little bags with the objective-Bayes correction, Athey, Tibshirani & Wager (2019), section 4.1;
checked against EconML's own numbers in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.special import erfc

BAG = 4
_CHUNK = 4_000


@dataclass(frozen=True)
class Moments:
    """What a tree solves in every leaf: sum(A) = sum(J) theta, the effect being theta[0].

    `values` holds, per row, the target, A (n_outputs) and J (n_outputs squared), as EconML's criteria expect them.
    """

    values: np.ndarray
    n_outputs: int


def residual_moments(outcome: np.ndarray, treatment: np.ndarray) -> Moments:
    """Residual on residual with an intercept: theta = (effect, level)."""
    both = np.column_stack([treatment, np.ones(len(treatment))])
    cross = (both[:, :, None] * both[:, None, :]).reshape(len(both), -1)
    return Moments(np.column_stack([outcome, outcome[:, None] * both, cross]), 2)


def mean_moments(score: np.ndarray) -> Moments:
    """Plain local mean: theta = (mean,)."""
    return Moments(np.column_stack([score, score, np.ones(len(score))]), 1)


def grow(
    X: np.ndarray,
    moments: Moments,
    cluster: np.ndarray,
    weight: np.ndarray | None,
    *,
    criterion: str,
    n_trees: int,
    max_rows: int,
    min_leaf: int,
    seed: int,
    threads: int,
) -> tuple[Any, ...]:
    """Honest trees, BAG consecutive ones on the same random half of the clusters.

    Args:
        X: features to split on, (n, k), float64.
        cluster: integer codes; no cluster is on both sides of an honest split.
        max_rows: rows per tree at most; never more than 0.9 of a half-sample.
        threads: trees grown at the same time; never changes a result.
    """
    draws = np.random.default_rng(seed)
    people = _People.of(cluster)
    jobs = []
    for _ in range(n_trees // BAG):
        half = draws.permutation(people.n)[: max(people.n // 2, 2)]
        for _ in range(BAG):
            tree_seed = int(draws.integers(2**31 - 1))
            jobs.append((_honest_order(people, draws.permutation(half), max_rows, tree_seed), tree_seed))
    values = np.ascontiguousarray(moments.values, dtype=np.float64)
    trees = Parallel(n_jobs=threads, prefer="threads")(
        delayed(_tree)(X, values, moments.n_outputs, weight, rows, criterion, min_leaf, tree_seed)
        for rows, tree_seed in jobs
    )
    return tuple(trees)


def point_and_variance(trees: Sequence[Any], n_outputs: int, bag: int, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Effect and its sampling variance; (n,) each.

    Args:
        trees: `bag` consecutive ones share a half-sample.
        n_outputs: 1 (mean) or 2 (effect and level).
        X: as the trees were grown on, float64.
    """
    parts = [_chunk(trees, n_outputs, bag, X[i : i + _CHUNK]) for i in range(0, len(X), _CHUNK)]
    if not parts:
        return np.empty(0), np.empty(0)
    return np.concatenate([p for p, _ in parts]), np.concatenate([v for _, v in parts])


def point(trees: Sequence[Any], n_outputs: int, X: np.ndarray) -> np.ndarray:
    """Effect alone, (n,): the same numbers as `point_and_variance`."""
    parts = [_walk(trees, n_outputs, X[i : i + _CHUNK])[0][:, 0] for i in range(0, len(X), _CHUNK)]
    return np.concatenate(parts) if parts else np.empty(0)


@dataclass(frozen=True)
class _People:
    """Rows by cluster: rows[start[c]:start[c + 1]] are those of cluster c."""

    rows: np.ndarray
    start: np.ndarray

    @classmethod
    def of(cls, cluster: np.ndarray) -> _People:
        _, code = np.unique(cluster, return_inverse=True)
        return cls(np.argsort(code, kind="stable"), np.concatenate([[0], np.cumsum(np.bincount(code))]))

    @property
    def n(self) -> int:
        return len(self.start) - 1

    def rows_of(self, clusters: np.ndarray) -> np.ndarray:
        return np.concatenate([self.rows[self.start[c] : self.start[c + 1]] for c in clusters])

    def sizes(self, clusters: np.ndarray) -> np.ndarray:
        return np.diff(self.start)[clusters]


def _honest_order(people: _People, clusters: np.ndarray, max_rows: int, tree_seed: int) -> np.ndarray:
    """Rows of a tree, ordered so that its own honest shuffle parts them by cluster.

    EconML's tree shuffles its rows with its seed as its first act and promises to keep doing so; the first half of
    the shuffled rows grows the splits, the second half fills the leaves.
    """
    total = np.cumsum(people.sizes(clusters))
    limit = min(max_rows, 0.9 * total[-1])
    clusters = clusters[: max(int(np.searchsorted(total, limit, side="right")), 2)]
    split, fill = people.rows_of(clusters[::2]), people.rows_of(clusters[1::2])
    n = min(len(split), len(fill))
    place = np.arange(2 * n, dtype=np.intp)
    np.random.RandomState(tree_seed).shuffle(place)
    rows = np.empty(2 * n, dtype=np.intp)
    rows[place[:n]], rows[place[n:]] = split[:n], fill[:n]
    return rows


def _tree(
    X: np.ndarray,
    values: np.ndarray,
    n_outputs: int,
    weight: np.ndarray | None,
    rows: np.ndarray,
    criterion: str,
    min_leaf: int,
    seed: int,
) -> Any:
    from econml.grf._base_grftree import GRFTree

    tree = GRFTree(criterion=criterion, min_samples_split=2 * min_leaf, min_samples_leaf=min_leaf, random_state=seed)
    tree.init().fit(
        X[rows],
        values[rows],
        1,
        n_outputs,
        1,
        sample_weight=None if weight is None else weight[rows],
        check_input=False,
    )
    return tree


def _walk(
    trees: Sequence[Any], n_outputs: int, X: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Parameter (n, n_outputs), first row of the inverse Jacobian, and of every tree what each of its nodes holds,
    (A, J) side by side, and the node of each row."""
    walked = []
    total = np.zeros((len(X), n_outputs + n_outputs**2))
    for tree in trees:
        nodes = tree.tree_
        held = np.column_stack([part.reshape(nodes.node_count, -1) for part in (nodes.precond, nodes.jac)])
        leaf = nodes.apply(X)
        total += held.take(leaf, axis=0)
        walked.append((held, leaf))
    alpha, jacobian = np.split(total / len(walked), [n_outputs], axis=1)
    inverse = np.linalg.pinv(jacobian.reshape(-1, n_outputs, n_outputs))
    return np.einsum("ijk,ik->ij", inverse, alpha), inverse[:, 0, :], walked


def _chunk(trees: Sequence[Any], n_outputs: int, bag: int, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    parameter, row, walked = _walk(trees, n_outputs, X)
    # A tree's moment, row (A - J parameter), is linear in (A, J).
    factor = np.column_stack([row, -(row[:, :, None] * parameter[:, None, :]).reshape(len(X), -1)])
    moments = np.stack([np.einsum("ij,ij->i", held.take(leaf, axis=0), factor) for held, leaf in walked])
    return parameter[:, 0], _variance(moments, bag)


def _variance(moments: np.ndarray, bag: int) -> np.ndarray:
    """Between-bag variance less its within-bag noise, kept positive."""
    n_bags = len(moments) // bag
    grouped = moments.reshape(n_bags, bag, -1)
    bag_mean = grouped.mean(axis=1)
    between = np.mean(bag_mean**2, axis=0)
    raw = between - bag_mean.mean(axis=0) ** 2
    correction = (np.mean(grouped**2, axis=(0, 1)) - between) / (bag - 1)
    naive = raw - correction
    se = np.maximum(raw, correction) * np.sqrt(2.0 / n_bags)
    z = naive / np.clip(se, 1e-10, np.inf)
    numerator = np.exp(-(z**2) / 2) / np.sqrt(2.0 * np.pi)
    return np.maximum(naive + se * numerator / (0.5 * erfc(-z / np.sqrt(2.0))), 1e-32)
