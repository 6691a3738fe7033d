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
    place, row_code = _shuffled(cluster, treated, seed)
    return (place % n_folds)[row_code]


def train_test(cluster: np.ndarray, treated: np.ndarray, test_fraction: float, seed: int) -> np.ndarray:
    """True for test rows; `test_fraction` of the clusters, balanced on "cluster was ever treated"."""
    place, row_code = _shuffled(cluster, treated, seed)
    return _every(place, test_fraction)[row_code]


def cluster_sample(cluster: np.ndarray, treated: np.ndarray, max_rows: int | None, seed: int) -> np.ndarray:
    """True for the rows of a random set of clusters of about `max_rows` rows; all rows when that is enough.

    Stratified by "cluster was ever treated", so that the sample keeps the arms' shares.
    """
    n = len(cluster)
    if max_rows is None or n <= max_rows:
        return np.ones(n, dtype=bool)
    place, row_code = _shuffled(cluster, treated, seed)
    return _every(place, max_rows / n)[row_code]


def _shuffled(cluster: np.ndarray, treated: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Place of every cluster in a random order, never treated ones first, and the cluster of every row."""
    codes, row_code = np.unique(cluster, return_inverse=True)
    ever = np.zeros(len(codes), dtype=int)
    np.maximum.at(ever, row_code, treated.astype(int))
    place = np.empty(len(codes), dtype=int)
    place[np.lexsort((np.random.default_rng(seed).random(len(codes)), ever))] = np.arange(len(codes))
    return place, row_code


def _every(place: np.ndarray, share: float) -> np.ndarray:
    """Evenly spread places, `share` of them."""
    return np.floor((place + 1) * share) > np.floor(place * share)
