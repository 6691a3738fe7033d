"""Clustered splits: a person (or household) is never on both sides of a fold."""

from __future__ import annotations

import numpy as np


def cluster_folds(cluster: np.ndarray, treated: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Assign every row a fold, whole clusters at a time, balanced on "cluster was ever treated".

    Args:
        cluster: integer codes, shape (n,).
        treated: 0/1 per row, shape (n,).
        n_folds: number of folds.
        seed: the same seed gives the same folds on any machine.

    Returns:
        Fold numbers 0..n_folds-1, shape (n,).
    """
    codes, row_code = np.unique(cluster, return_inverse=True)
    ever = np.zeros(len(codes), dtype=int)
    np.maximum.at(ever, row_code, treated.astype(int))
    order = np.lexsort((np.random.default_rng(seed).random(len(codes)), ever))
    fold_of = np.empty(len(codes), dtype=int)
    fold_of[order] = np.arange(len(codes)) % n_folds
    return fold_of[row_code]


def train_test(cluster: np.ndarray, treated: np.ndarray, test_fraction: float, seed: int) -> np.ndarray:
    """True for test rows; about `test_fraction` of the clusters, balanced on "cluster was ever treated"."""
    fine = cluster_folds(cluster, treated, 1000 if len(np.unique(cluster)) >= 1000 else 100, seed)
    return fine < test_fraction * (fine.max() + 1)


def cluster_sample(cluster: np.ndarray, treated: np.ndarray, max_rows: int | None, seed: int) -> np.ndarray:
    """True for the rows of a random set of clusters of about `max_rows` rows; all rows when that is enough.

    Stratified by "cluster was ever treated", so that the sample keeps the arms' shares.
    """
    n = len(cluster)
    if max_rows is None or n <= max_rows:
        return np.ones(n, dtype=bool)
    share = max_rows / n
    fine = cluster_folds(cluster, treated, 1000, seed)
    return fine < share * 1000
