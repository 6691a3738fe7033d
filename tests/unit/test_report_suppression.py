"""Whatever the counts, a reader who can add and subtract learns of no group of 1 to 10 people."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.report.suppression import SMALLEST, is_small, list_changes, rounded, share_of, suppress, suppress_linked

tables = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 60), min_size=1, max_size=8)


@given(tables, st.sets(st.sampled_from("abcdefgh"), max_size=2))
def test_no_small_count_is_shown_and_the_hidden_ones_hide_each_other(counts: dict[str, int], keep: set[str]) -> None:
    parts, total = suppress(counts, keep=keep)
    assert parts.keys() == counts.keys()
    assert all(n is None or (n == counts[k] and not is_small(n)) for k, n in parts.items())
    hidden = [counts[k] for k, n in parts.items() if n is None]
    if total is None:
        assert is_small(sum(counts.values()))
    elif hidden:
        assert len(hidden) >= 2
        assert sum(hidden) >= SMALLEST


@given(tables)
def test_nothing_is_hidden_without_need(counts: dict[str, int]) -> None:
    if not any(is_small(n) for n in counts.values()):
        assert suppress(counts) == (counts, sum(counts.values()))


@given(tables)
def test_kept_part_is_hidden_only_when_the_others_do_not_suffice(counts: dict[str, int]) -> None:
    kept = max(counts, key=lambda k: counts[k])
    parts, total = suppress(counts, keep=(kept,))
    others = {k: n for k, n in counts.items() if k != kept and n > 0}
    if total is not None and not is_small(counts[kept]) and len(others) >= 2 and sum(others.values()) >= SMALLEST:
        assert parts[kept] == counts[kept]


@given(st.lists(tables, min_size=2, max_size=3), st.integers(0, 30))
def test_linked_parts_are_hidden_in_every_table_or_in_none(found: list[dict[str, int]], shared: int) -> None:
    named = {str(n): {**table, "shared": shared} for n, table in enumerate(found)}
    results = suppress_linked(named, {"shared"})
    shows = {parts["shared"] is None for parts, total in results.values() if total is not None}
    assert shared == 0 or len(shows) <= 1


@given(st.lists(tables, min_size=2, max_size=3), st.tuples(st.integers(0, 30), st.integers(0, 30)))
def test_one_table_less_another_tells_of_no_small_group(found: list[dict[str, int]], shared: tuple[int, int]) -> None:
    """Where one hides linked parts only, their sum is known, and so is that of what another hides beside them."""
    linked = {"shared", "shared too"}
    named = {str(n): {**table, **dict(zip(sorted(linked), shared, strict=True))} for n, table in enumerate(found)}
    for name, (parts, total) in suppress_linked(named, linked).items():
        own = [named[name][k] for k, n in parts.items() if n is None and k not in linked]
        if total is not None and own:
            assert len(own) >= 2
            assert sum(own) >= SMALLEST


def test_who_died_gives_away_nobody_who_refused() -> None:
    """17,736 less what one page shows is 179, who died or are in hospice; the other page's 187 had been 8 more."""
    tables = {
        "ed": {"Called": 60, "Below": 17_497, "Died": 9, "Hospice": 170},
        "transitions": {"Called": 41, "Below": 17_488, "Refused": 8, "Died": 9, "Hospice": 170, "Resting": 20},
    }
    parts, total = suppress_linked(tables, {"Died", "Hospice"}, keep=("Called",))["transitions"]
    assert total == 17_736
    assert [k for k, n in parts.items() if n is None] == ["Refused", "Died", "Hospice", "Resting"]


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200))
def test_changes_show_no_small_group(tonight: int, last: int, stayed: int) -> None:
    stayed = min(stayed, tonight, last)
    found = list_changes(tonight, last, stayed)
    assert found == (None, None, None) or not any(is_small(n) for n in (*found, tonight, last) if n is not None)


@given(st.integers(0, 300), st.integers(0, 300))
def test_shares_hide_the_few_who_do_and_the_few_who_do_not(count: int, more: int) -> None:
    shown, nearly_all = share_of(count, count + more)
    assert shown is None or not (is_small(shown) or is_small(more))
    assert not nearly_all or is_small(more)


def test_rounding() -> None:
    assert [rounded(n) for n in (0, 1, 10, 11, 14, 15, 104, 105)] == [0, None, None, 10, 10, 20, 100, 110]
