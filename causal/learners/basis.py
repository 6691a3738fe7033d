"""Columns in which an effect may differ between people: straight lines, curves and jumps, and products.

Four blocks: every feature; for the chosen features steps and bends at up to seven quantiles (a curve made of steps alone is
off by more than its interval says); products of every two chosen features. All are standardised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

N_STEPS = 7
_TAIL = 0.02
# Deviations: a wild new value must not make a wild prediction.
_CLIP = 4.0
_NONE = np.empty(0)


@dataclass(frozen=True)
class _Scale:
    """Centre and spread of columns; a column without spread becomes zero."""

    centre: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, columns: np.ndarray, weight: np.ndarray) -> _Scale:
        centre = np.average(columns, axis=0, weights=weight)
        spread = np.sqrt(np.average((columns - centre) ** 2, axis=0, weights=weight))
        return cls(centre, np.where(spread > 1e-9, spread, np.inf))

    def apply(self, columns: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        return np.divide(np.subtract(columns, self.centre, out=out), self.spread, out=out)


@dataclass(frozen=True)
class Basis:
    """Fitted columns.

    Attributes:
        raw: scale of the encoded features.
        chosen: features that have steps, bends and products.
        edges: places of the steps of each of them; none for a yes/no feature, which its line describes.
        bends: places of its bends; none for a feature of few values that has steps, which describe it.
        scales: of the four blocks.
        triples: places in `chosen` of the features of which there are products of three.
    """

    raw: _Scale
    chosen: np.ndarray
    edges: tuple[np.ndarray, ...]
    bends: tuple[np.ndarray, ...]
    scales: tuple[_Scale, ...]
    triples: tuple[tuple[int, int, int], ...] = ()

    def blocks(self, Z: np.ndarray) -> list[np.ndarray]:
        """Lines (n, p), steps (n, s), bends (n, b) and products (n, k (k - 1) / 2 and one per triple), standardised."""
        parts = self._columns(Z)[1]
        return [scale.apply(part, out=part) for scale, part in zip(self.scales, parts, strict=True)]

    def matrix(self, Z: np.ndarray) -> np.ndarray:
        """The blocks side by side, in one array."""
        columns, parts = self._columns(Z)
        for scale, part in zip(self.scales, parts, strict=True):
            scale.apply(part, out=part)
        return columns

    def unscaled(self, Z: np.ndarray) -> np.ndarray:
        """The matrix before its columns are standardised, (n, d)."""
        return self._columns(Z)[0]

    @property
    def centre(self) -> np.ndarray:
        """Of the unscaled columns, (d,)."""
        return np.concatenate([scale.centre for scale in self.scales])

    @property
    def spread(self) -> np.ndarray:
        """Of the unscaled columns, infinite where they have none, (d,)."""
        return np.concatenate([scale.spread for scale in self.scales])

    def _columns(self, Z: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        return _columns(Z, self.raw, self.chosen, self.edges, self.bends, self.triples)


def fit_basis(
    Z: np.ndarray, weight: np.ndarray, chosen: np.ndarray, *, steps: bool = True, cubed: Sequence[int] = ()
) -> tuple[Basis, list[np.ndarray]]:
    """Learn centres, spreads and places from rows with weights; also the blocks of these rows, made on the way.

    Without `steps` there are bends only: between all values of a feature of few, else at two quantiles more. Every three of
    the features `cubed`, which are chosen ones, have a product.
    """
    raw = _Scale.of(Z, weight)
    places = [(_places if steps else _bends_only)(Z[:, column]) for column in chosen]
    edges, bends = tuple(at for at, _ in places), tuple(at for _, at in places)
    triples = tuple(combinations(np.flatnonzero(np.isin(chosen, cubed)).tolist(), 3))
    _, parts = _columns(Z, raw, chosen, edges, bends, triples)
    *plain, products = parts
    # In column order numpy adds pairwise, which errs less: products have the longest tails.
    scales = (*(_Scale.of(part, weight) for part in plain), _Scale.of(np.asfortranarray(products), weight))
    blocks = [scale.apply(part, out=part) for scale, part in zip(scales, parts, strict=True)]
    return Basis(raw, chosen, edges, bends, scales, triples), blocks


def _columns(
    Z: np.ndarray,
    raw: _Scale,
    chosen: np.ndarray,
    edges: tuple[np.ndarray, ...],
    bends: tuple[np.ndarray, ...],
    triples: tuple[tuple[int, int, int], ...],
) -> tuple[np.ndarray, list[np.ndarray]]:
    """One array, and its four blocks, which are places in it."""
    stepped = np.repeat(chosen, [len(at) for at in edges])
    bending = np.repeat(chosen, [len(at) for at in bends])
    left, right = np.triu_indices(len(chosen), 1)
    ends = np.cumsum([Z.shape[1], len(stepped), len(bending), len(left) + len(triples)])
    out = np.empty((len(Z), ends[-1]))
    lines, steps, bent, products = parts = np.hsplit(out, ends[:-1])
    np.clip(raw.apply(Z, out=lines), -_CLIP, _CLIP, out=lines)
    np.greater(np.take(Z, stepped, axis=1), np.concatenate([_NONE, *edges]), out=steps)
    places = (np.concatenate([_NONE, *bends]) - raw.centre[bending]) / raw.spread[bending]
    np.maximum(np.subtract(np.take(lines, bending, axis=1), places, out=bent), 0.0, out=bent)
    np.multiply(
        np.take(lines, chosen[left], axis=1), np.take(lines, chosen[right], axis=1), out=products[:, : len(left)]
    )
    for column, three in enumerate(triples, len(left)):
        np.prod(lines[:, chosen[list(three)]], axis=1, out=products[:, column])
    return out, parts


def _places(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a feature steps, and where it bends."""
    distinct = np.unique(values)
    if len(distinct) <= 2:
        return _NONE, _NONE
    if len(distinct) <= N_STEPS + 1:
        return (distinct[1:] + distinct[:-1]) / 2, _NONE
    at = np.unique(np.quantile(values, np.linspace(0, 1, N_STEPS + 2)[1:-1]))
    return at, at


def _bends_only(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """No steps; bends also where the tails begin, beyond which nothing else is fitted."""
    distinct = np.unique(values)
    if len(distinct) <= N_STEPS + 2:
        return _NONE, distinct[1:-1]
    return _NONE, np.unique(np.quantile(values, [_TAIL, *np.linspace(0, 1, N_STEPS + 2)[1:-1], 1 - _TAIL]))
