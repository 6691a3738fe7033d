"""Realised effects from sums, without an engine: closed forms, coverage on data with known truth, patience."""

from __future__ import annotations

import math

import numpy as np
import pytest

from causal.realized import ArmSums, is_alarm, realized_effect


def sums(outcome: np.ndarray, weight: np.ndarray, member: np.ndarray) -> ArmSums:
    """What the warehouse sends, from rows."""
    _, at = np.unique(member, return_inverse=True)
    w, v = np.bincount(at, weight), np.bincount(at, weight * outcome)
    return ArmSums(
        len(w),
        len(outcome),
        int((v > 0).sum()),
        w.sum(),
        v.sum(),
        float((w * w).sum()),
        float((w * v).sum()),
        float((v * v).sum()),
    )


def test_one_night_and_equal_weights_are_welchs_test() -> None:
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(1)
    a, b = rng.poisson(0.4, 300).astype(float), rng.poisson(0.6, 45).astype(float)
    found = realized_effect(*(sums(y, np.full(len(y), 1.7), np.arange(len(y))) for y in (a, b)))
    reference = ttest_ind(a, b, equal_var=False)
    low, high = reference.confidence_interval(0.95)
    assert found.effect == pytest.approx(a.mean() - b.mean())
    assert found.df == pytest.approx(reference.df)
    assert (found.ci_lower, found.ci_upper) == pytest.approx((low, high))


def test_a_row_told_twice_does_not_narrow_the_interval() -> None:
    """Clustered by member: the same member's night counted twice is no second member."""
    rng = np.random.default_rng(2)
    y, member = rng.poisson(0.5, 200).astype(float), np.arange(200)
    once = sums(y, np.ones(200), member)
    twice = sums(np.tile(y, 2), np.ones(400), np.tile(member, 2))
    assert twice.variance == pytest.approx(once.variance)
    apart = sums(np.tile(y, 2), np.ones(400), np.arange(400))
    assert apart.variance < 0.6 * once.variance


def _world(rng: np.random.Generator, members: int, nights: int = 3, holdout: float = 0.1) -> tuple[ArmSums, ArmSums]:
    """Frail members are needier every night and listed with other probabilities; each offer changes visits by -20 %."""
    frailty = rng.gamma(2.0, 0.5, members)
    is_held = rng.random(members) < holdout
    explored = rng.random((members, nights))
    rate = 0.35 * frailty
    arms: dict[bool, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {True: [], False: []}
    for night in range(nights):
        chance = 1 / (1 + np.exp(-(frailty - 1.0 + 0.3 * night)))  # logged: needier members are drawn more often
        offered = ~is_held & (explored[:, night] < chance)
        y = rng.poisson(rate * np.where(offered, 0.8, 1.0)).astype(float)
        ids = np.arange(members)
        arms[True].append((y[offered], 1 / ((1 - holdout) * chance[offered]), ids[offered]))
        arms[False].append((y[is_held], np.full(is_held.sum(), 1 / holdout), ids[is_held]))
    return tuple(sums(*(np.concatenate(part) for part in zip(*arms[arm], strict=True))) for arm in (True, False))  # type: ignore[return-value]


def test_interval_covers_the_truth() -> None:
    """94-96 % at nominal 95: 4,000 worlds leave a standard error of .0034 on the rate, hence the allowance."""
    rng = np.random.default_rng(20260101)
    runs, truth = 4_000, -0.2 * 0.35 * 1.0  # of the mean rate, E[frailty] = 1
    hits = low = 0
    for _ in range(runs):
        found = realized_effect(*_world(rng, 700))
        hits += found.ci_lower <= truth <= found.ci_upper
        low += found.ci_upper < truth
    assert 0.94 <= hits / runs <= 0.96, f"covered {hits / runs:.4f}"
    assert 0.01 <= low / runs <= 0.045, "misses lie on one side"


def test_unweighted_it_would_be_biased() -> None:
    """The needy are drawn more often: without the logged probabilities the offered look worse than they are."""
    rng = np.random.default_rng(5)
    offered, held = _world(rng, 60_000)
    weighted = realized_effect(offered, held).effect
    assert weighted == pytest.approx(-0.07, abs=0.02)


def test_too_few_members_give_no_interval() -> None:
    few = sums(np.ones(12), np.ones(12), np.arange(12))
    many = sums(np.arange(100.0), np.ones(100), np.arange(100))
    found = realized_effect(many, few)
    assert math.isnan(found.ci_lower)
    assert found.excludes(0.0) is None
    assert realized_effect(many, many).excludes(None) is None
    assert realized_effect(many, ArmSums(0, 0, 0, 0, 0, 0, 0, 0)).excludes(1.0) is None


@pytest.mark.parametrize(
    ("held_out", "rate", "spread"),
    [(25, 0.05, None), (60, 0.05, None), (60, 0.15, 0.5), (190, 0.2, 0.5), (60, 0.5, None)],
)
def test_rare_events_raise_few_false_alarms(held_out: int, rate: float, spread: float | None) -> None:
    """A true prediction, ten offered for each held out, yes-or-no or overdispersed counts: quiet years with an alarm.

    A holdout without an event has no spread, and its interval holds nothing but what it saw: three of four years alarmed.
    """
    rng = np.random.default_rng(11)

    def arm(n: int) -> ArmSums:
        y = rng.random(n) < rate if spread is None else rng.poisson(rate * rng.gamma(spread, 1 / spread, n))
        return sums(y.astype(float), np.ones(n), np.arange(n))

    years, alarmed, excluded, judged = 700, 0, 0, 0
    for _ in range(years):
        signals = [realized_effect(arm(10 * held_out), arm(held_out)).excludes(0.0) for _ in range(12)]
        known = [signal for signal in signals if signal is not None]
        excluded, judged = excluded + sum(known), judged + len(known)
        alarmed += any(is_alarm(signals[: i + 1], 2, 3) for i in range(12))
    assert alarmed / years <= 0.07, f"{alarmed / years:.3f}"
    assert judged == 0 or excluded / judged <= 0.2, f"{excluded / judged:.3f} of {judged}"
    if held_out * rate > 10:
        assert judged > 0.95 * 12 * years
        assert excluded / judged <= 0.065


@pytest.mark.parametrize(
    ("offered", "held_out", "helped", "rate"),
    [(1_000, 100, 0.002, 0.15), (300, 300, 0.01, 0.1), (400, 400, 0.005, 0.05)],
)
def test_what_a_program_prevented_is_not_left_out(offered: int, held_out: int, helped: float, rate: float) -> None:
    """Were the offered to have events too, the months kept would be those in which it worked less well."""
    rng = np.random.default_rng(12)

    def arm(n: int, chance: float) -> ArmSums:
        return sums((rng.random(n) < chance).astype(float), np.ones(n), np.arange(n))

    months = [realized_effect(arm(offered, helped), arm(held_out, rate)) for _ in range(4_000)]
    judged = [found for found in months if not math.isnan(found.ci_lower)]
    assert len(judged) > 0.99 * len(months)
    held = np.mean([found.ci_lower <= helped - rate <= found.ci_upper for found in judged])
    assert 0.92 <= held <= 0.97, f"covered {held:.4f}"


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ([True], False),
        ([True, True], True),
        ([True, False, True], True),
        ([True, False, False, True], False),
        ([True, None, None, True], True),  # windows too small to judge are passed over
        ([True, True, False, False], False),
        ([], False),
    ],
)
def test_two_of_the_last_three(signals: list[bool | None], expected: bool) -> None:
    assert is_alarm(signals, 2, 3) is expected


def test_quiet_windows_seldom_alarm_and_a_wrong_prediction_soon_does() -> None:
    """12 quiet windows raise at most one alarm; a prediction that became 3.5 standard errors wrong is caught within two."""
    rng = np.random.default_rng(7)

    def raised(signals: list[bool]) -> list[int]:
        states = [is_alarm(signals[: i + 1], 2, 3) for i in range(len(signals))]
        return [i for i, now in enumerate(states) if now and not (i and states[i - 1])]

    quiet = [raised(list(rng.random(12) < 0.05)) for _ in range(4_000)]
    assert np.mean([len(alarms) <= 1 for alarms in quiet]) > 0.995
    assert np.mean([len(alarms) > 0 for alarms in quiet]) < 0.07
    power = 0.94  # P(|z - 3.5| excludes 0) at 5 %
    caught = [any(i <= 13 for i in raised([False] * 12 + list(rng.random(2) < power))) for _ in range(4_000)]
    assert np.mean(caught) > 0.85


def test_the_season_wraps_around_the_year() -> None:
    from datetime import date

    from jobs.drift import in_season

    year = [date(2025, m, 1) for m in range(1, 13)]
    assert [d.month for d in in_season(year, date(2026, 1, 9))] == [1, 2, 12]
    assert [d.month for d in in_season(year, date(2026, 6, 30))] == [5, 6, 7]
    assert in_season([date(2025, 3, 1)], date(2026, 9, 1)) == [date(2025, 3, 1)], "nothing in season: all there is"


def test_a_reference_has_a_year_of_claims_behind_it() -> None:
    """Before that, what the features of a year count had not happened in the data, and every night would look drifted."""
    from datetime import date

    from jobs.drift import with_a_year_behind

    dates = [date(2025, m, 1) for m in (1, 6, 7, 12)]
    assert with_a_year_behind(dates, date(2024, 7, 1)) == dates[2:]
    assert with_a_year_behind(dates, date(2025, 6, 1)) == dates, "no date has: all there is"
    assert with_a_year_behind(dates, None) == dates
