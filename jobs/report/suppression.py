"""Small counts are hidden, and so is whatever would give them away by subtraction.

A count of 1 to 10 people is never shown (CMS cell size suppression policy); zero is. Where the total of a table is
known, a single hidden cell would be the total less the others, and two hidden cells whose sum is below 11 would still
be a small group: more cells are hidden, the smallest first, until the hidden ones together are 11 or more.
Every hidden cell looks the same, so that nobody can tell which of them was the small one.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar

SMALLEST = 11
K = TypeVar("K", bound=Hashable)


def is_small(count: int) -> bool:
    """Whether a count must not be shown."""
    return 0 < count < SMALLEST


def shown(count: int) -> int | None:
    """A count that stands alone; None when hidden."""
    return None if is_small(count) else count


def suppress(
    counts: Mapping[K, int], *, keep: Collection[K] = (), hide: Collection[K] = (), linked: Collection[K] = ()
) -> tuple[dict[K, int | None], int | None]:
    """The parts of a whole with small ones hidden, and the whole.

    Args:
        counts: parts that add up to the whole.
        keep: parts to be hidden last, because the reader needs them most.
        hide: parts that must be hidden whatever their size.
        linked: parts that other tables have too. Where one of these hides no others, it tells their sum, and so that of the others
            hidden here, which must therefore protect each other.
    """
    total = sum(counts.values())
    if is_small(total):
        return dict.fromkeys(counts), None
    hidden = {key for key, n in counts.items() if is_small(n) or (key in hide and n > 0)}
    spare = sorted((k for k, n in counts.items() if n > 0 and k not in hidden), key=lambda k: (k in keep, counts[k]))
    while spare and _tells(hidden, counts):
        hidden.add(spare.pop(0))
    own = [key for key in spare if key not in linked]
    while own and _tells(hidden - set(linked), counts):
        hidden.add(own.pop(0))
    if hidden & set(linked) and _tells(hidden - set(linked), counts):
        return dict.fromkeys(counts), None
    return {key: None if key in hidden else n for key, n in counts.items()}, total


def _tells(hidden: Collection[K], counts: Mapping[K, int]) -> bool:
    """Whether the sum of the hidden parts gives one of them away, or is that of a small group."""
    return bool(hidden) and (len(hidden) < 2 or sum(counts[key] for key in hidden) < SMALLEST)


def suppress_linked(
    tables: Mapping[str, Mapping[K, int]], linked: Collection[K], *, keep: Collection[K] = ()
) -> dict[str, tuple[dict[K, int | None], int | None]]:
    """`suppress` for tables in which the parts `linked` are the same people: hidden in one, hidden in all."""
    hide: set[K] = set()
    while True:
        found = {name: suppress(counts, keep=keep, hide=hide, linked=linked) for name, counts in tables.items()}
        now = {k for parts, _ in found.values() for k, n in parts.items() if n is None and k in linked}
        if now <= hide:
            return found
        hide |= now


def list_changes(tonight: int, last: int, stayed: int) -> tuple[int | None, int | None, int | None]:
    """(entered, left, stayed); all hidden when one is small, as with both totals known each gives away the others."""
    entered, left = tonight - stayed, last - stayed
    if any(is_small(n) for n in (tonight, last, entered, left, stayed)):
        return None, None, None
    return entered, left, stayed


def share_of(count: int, total: int) -> tuple[int | None, bool]:
    """(count, is nearly all) of a group in which parts overlap: hidden when few share it or few do not."""
    if is_small(count) or is_small(total):
        return None, False
    return (None, True) if is_small(total - count) else (count, False)


def rounded(count: int) -> int | None:
    """To the nearest 10, for long chains of counts whose differences would be small; None below 11."""
    return None if is_small(count) else int(count / 10 + 0.5) * 10
