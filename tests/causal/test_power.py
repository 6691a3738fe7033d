"""Holdout designs against simulation and against statsmodels."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower, TTestIndPower, normal_power_het

from causal.evaluation.ranking import autoc, rank_rows
from causal.power import Clusters, HoldoutDesign, Outcome, autoc_of_normal_effects
from contracts.errors import ConfigError

COUNTS = HoldoutDesign(Outcome(0.5, sd=1.1), offers_per_night=20, holdout_share=0.2)
BINARY = HoldoutDesign(Outcome(0.2), offers_per_night=20, holdout_share=0.2)
RUNS = 3000


def rejections(design: HoldoutDesign, effect: float, nights: int, rng: np.random.Generator) -> float:
    """Share of simulated experiments whose two-sided test of the difference rejects."""
    offered, held_out = (round(n) for n in design.arms(nights))
    if design.outcome.sd is None:
        a = rng.binomial(held_out, design.outcome.mean, RUNS) / held_out
        b = rng.binomial(offered, design.outcome.mean - effect, RUNS) / offered
        se = np.sqrt(a * (1 - a) / held_out + b * (1 - b) / offered)
        return float(np.mean(np.abs(a - b) > 1.96 * se))
    size, icc = round(design.clusters.size), design.clusters.icc

    def means(people: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
        groups = people // size
        common = rng.normal(0, math.sqrt(icc), (RUNS, groups, 1))
        own = rng.normal(0, math.sqrt(1 - icc), (RUNS, groups, size))
        per_group = (shift + design.outcome.sd * (common + own)).mean(axis=2)
        return per_group.mean(axis=1), per_group.var(axis=1, ddof=1) / groups

    (a, va), (b, vb) = means(held_out, design.outcome.mean), means(offered, design.outcome.mean - effect)
    return float(np.mean(np.abs(a - b) > 1.96 * np.sqrt(va + vb)))


@pytest.mark.parametrize(
    "design", [COUNTS, BINARY, replace(COUNTS, clusters=Clusters(4, 0.3))], ids=["count", "binary", "clusters"]
)
def test_the_detectable_effect_is_shown_with_the_promised_power(design: HoldoutDesign) -> None:
    rng, nights = np.random.default_rng(1), 60
    effect = design.detectable_effect(nights)
    assert design.power_of(effect, nights) == pytest.approx(0.8, abs=1e-3)
    assert rejections(design, effect, nights, rng) == pytest.approx(0.8, abs=0.03)
    assert rejections(design, 0.0, nights, rng) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("design", [COUNTS, BINARY], ids=["count", "binary"])
def test_nights_for_an_effect_is_the_inverse(design: HoldoutDesign) -> None:
    nights = design.nights_for(0.06)
    assert nights is not None
    assert design.detectable_effect(nights) <= 0.06 < design.detectable_effect(nights - 1)


def test_agrees_with_statsmodels() -> None:
    offered, held_out = COUNTS.arms(60)
    for effect in (0.05, 0.1, 0.2):
        mine = COUNTS.power_of(effect, 60)
        size = effect / COUNTS.outcome.sd
        normal = NormalIndPower().power(size, held_out, 0.05, ratio=offered / held_out)
        student = TTestIndPower().power(size, held_out, 0.05, ratio=offered / held_out)
        assert mine == pytest.approx(normal, abs=1e-9)
        assert mine == pytest.approx(student, abs=0.005)
        after = 0.2 - effect / 2
        sd = math.sqrt(0.2 * 0.8 + after * (1 - after) * held_out / offered)
        unequal = normal_power_het(effect / 2, held_out, 0.05, std_null=sd, std_alternative=sd)
        assert BINARY.power_of(effect / 2, 60) == pytest.approx(unequal, abs=1e-9)


def test_autoc_has_the_standard_error_of_the_mean_effect() -> None:
    """Without differences between members, against the project's own estimator on a randomised experiment."""
    rng, design, nights = np.random.default_rng(2), COUNTS, 50
    offered, held_out = (round(n) for n in design.arms(nights))
    n, e = offered + held_out, offered / (offered + held_out)
    found = []
    for _ in range(400):
        treated = rng.permutation(np.r_[np.ones(offered), np.zeros(held_out)])
        y = rng.normal(0, design.outcome.sd, n)
        score = (treated - e) / (e * (1 - e)) * y
        found.append(autoc(rank_rows(rng.normal(size=n), score)).estimate.value)
    assert np.std(found) == pytest.approx(design.standard_error(nights), rel=0.12)


def test_autoc_of_normal_effects_is_the_known_constant() -> None:
    score = np.random.default_rng(3).normal(size=400_000)
    assert autoc_of_normal_effects() == pytest.approx(0.9032, abs=1e-3)
    assert autoc(rank_rows(score, score)).estimate.value == pytest.approx(autoc_of_normal_effects(), abs=0.01)


def test_the_detectable_autoc_is_shown_with_the_promised_power() -> None:
    rng, nights, runs = np.random.default_rng(4), 60, 600
    offered, held_out = (round(n) for n in COUNTS.arms(nights))
    n, e = offered + held_out, offered / (offered + held_out)
    spread = COUNTS.detectable_spread(nights)
    hits = 0
    for _ in range(runs):
        effect = rng.normal(0, spread, n)
        treated = rng.permutation(np.r_[np.ones(offered), np.zeros(held_out)])
        y = rng.normal(0, COUNTS.outcome.sd, n) + effect * treated
        estimate = autoc(rank_rows(effect, (treated - e) / (e * (1 - e)) * y)).estimate
        hits += estimate.value > 1.645 * estimate.se
    assert hits / runs == pytest.approx(0.8, abs=0.06)


def test_who_can_come_up_limits_what_can_be_shown() -> None:
    few = replace(COUNTS, eligible=500)
    assert few.arms(10**6) == pytest.approx((400, 100))
    assert few.detectable_effect(10**6) == pytest.approx(few.detectable_effect(20))
    assert few.nights_for(0.01) is None
    assert replace(BINARY, eligible=4).detectable_effect(1) == math.inf


@pytest.mark.parametrize("design", [COUNTS, BINARY, replace(COUNTS, eligible=9_000)], ids=["count", "binary", "few"])
def test_the_smallest_share_is_just_enough(design: HoldoutDesign) -> None:
    share = design.share_for(0.1, 200)
    assert share is not None
    assert 0 < share < 0.5
    assert replace(design, holdout_share=share * 1.01).power_of(0.1, 200) > design.power
    assert replace(design, holdout_share=share * 0.99).power_of(0.1, 200) < design.power
    assert design.share_for(0.001, 200) is None


def test_the_exploration_is_compared_with_everyone_who_was_not_drawn() -> None:
    """Simulated: 3 of 3,000 people a night for 100 nights, and the effect that this is said to show."""
    rng, nights = np.random.default_rng(5), 100
    explored = replace(COUNTS, eligible=3_000).exploration(3, nights)
    assert explored.arms(nights) == pytest.approx((300, 2_700))
    effect = explored.detectable_effect(nights)
    assert rejections(explored, effect, nights, rng) == pytest.approx(0.8, abs=0.03)
    with pytest.raises(ConfigError, match="exploration"):
        COUNTS.exploration(3, nights)
    with pytest.raises(ConfigError, match="exploration"):
        replace(COUNTS, eligible=200).exploration(3, nights)


def test_more_people_smaller_effects_and_covariates_help() -> None:
    assert COUNTS.detectable_effect(40) > COUNTS.detectable_effect(80)
    assert replace(COUNTS, r2=0.5).detectable_effect(40) == pytest.approx(COUNTS.detectable_effect(40) * math.sqrt(0.5))
    assert Clusters(3, 0.1, 0.5).design_effect == pytest.approx(1 + (1.25 * 3 - 1) * 0.1)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"holdout_share": 1.0}, "holdout_share"),
        ({"power": 0.0}, "power"),
        ({"outcome": Outcome(3.0)}, "proportion"),
        ({"outcome": Outcome(3.0, sd=0.0)}, "standard deviation"),
        ({"r2": 1.0}, "r2"),
        ({"offers_per_night": 0}, "offers_per_night"),
    ],
)
def test_impossible_designs_are_refused(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        replace(COUNTS, **changes)


def test_impossible_effects_are_refused() -> None:
    with pytest.raises(ConfigError, match="positive"):
        BINARY.nights_for(0.3)
