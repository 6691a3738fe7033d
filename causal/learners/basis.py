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
        """Lines (n, p), steps (n, s), bends (n, b) and products (n, k (k - 1) / 2 and one per triple)."""
        return self.scaled(_columns(Z, self.raw, self.chosen, self.edges, self.bends, self.triples))

    def matrix(self, Z: np.ndarray) -> np.ndarray:
        """The blocks side by side, in one array."""
        parts = _columns(Z, self.raw, self.chosen, self.edges, self.bends, self.triples)
        ends = np.cumsum([part.shape[1] for part in parts])
        out = np.empty((len(Z), ends[-1]))
        for scale, part, place in zip(self.scales, parts, np.hsplit(out, ends[:-1]), strict=True):
            scale.apply(part, out=place)
        return out

    def scaled(self, parts: tuple[np.ndarray, ...]) -> list[np.ndarray]:
        """Blocks from their columns in units of the features."""
        return [scale.apply(part) for scale, part in zip(self.scales, parts, strict=True)]


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
    parts = _columns(Z, raw, chosen, edges, bends, triples)
    basis = Basis(raw, chosen, edges, bends, tuple(_Scale.of(part, weight) for part in parts), triples)
    return basis, basis.scaled(parts)


def _columns(
    Z: np.ndarray,
    raw: _Scale,
    chosen: np.ndarray,
    edges: tuple[np.ndarray, ...],
    bends: tuple[np.ndarray, ...],
    triples: tuple[tuple[int, int, int], ...],
) -> tuple[np.ndarray, ...]:
    lines = np.clip(raw.apply(Z), -_CLIP, _CLIP)
    stepped = np.repeat(chosen, [len(at) for at in edges])
    steps = (np.take(Z, stepped, axis=1) > np.concatenate([_NONE, *edges])).astype(float)
    bending = np.repeat(chosen, [len(at) for at in bends])
    places = (np.concatenate([_NONE, *bends]) - raw.centre[bending]) / raw.spread[bending]
    bent = np.maximum(np.take(lines, bending, axis=1) - places, 0.0)
    left, right = np.triu_indices(len(chosen), 1)
    products = lines[:, chosen[left]] * lines[:, chosen[right]]
    if triples:
        products = np.column_stack([products, *(lines[:, chosen[list(three)]].prod(axis=1) for three in triples)])
    return lines, steps, bent, products


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
