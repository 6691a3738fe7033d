"""How large a holdout must be, how long it takes, and what it can show.

The design is the one that `causal.policy` runs: each night the best are offered a program, and of those who would be
offered a fixed share is held out at random. The estimand is the difference in mean outcome between the two groups,
intention to treat. With n1 offered and n0 held out its standard error is

    se = sqrt(D (1 - R2) (v1 / n1 + v0 / n0))

with v the variance of the outcome per person, R2 the share of it that covariates known before explain, and the design
effect D = 1 + ((1 + cv^2) m - 1) icc of clusters of m people on average, with coefficient of variation cv (Kish 1965;
Eldridge, Ashby & Kerry 2006, doi:10.1093/ije/dyl129). A two-sided test at level alpha shows an effect d with probability
`power` when |d| >= (z[1 - alpha / 2] + z[power]) se (Bloom 1995, doi:10.1177/0193841X9501900504).

Whether a ranking finds those who gain more is judged by its AUTOC (Yadlowsky et al. 2021, arXiv:2111.07966), the mean of
(-ln U - 1) times the doubly robust score at rank share U. The weights have mean 0 and variance 1, so without differences
between members se(AUTOC) is se of the mean effect, and a one-sided test shows AUTOC >= (z[1 - alpha] + z[power]) se. For
normal effects with standard deviation s, a score whose correlation with the effect is r has AUTOC = 0.903 r s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, inf, isfinite, log, sqrt

from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from contracts.errors import ConfigError


@dataclass(frozen=True)
class Outcome:
    """What is measured per person, without outreach.

    Attributes:
        mean: events, days or dollars per person, or a proportion.
        sd: standard deviation between people; None: yes or no, so that it follows from the mean.
        better: an effect in this direction is a benefit.
    """

    mean: float
    sd: float | None = None
    better: str = "lower"

    def variances(self, effect: float) -> tuple[float, float]:
        """Variance without and with an effect (absolute, a benefit if positive)."""
        if self.sd is not None:
            return self.sd**2, self.sd**2
        changed = self.mean - effect if self.better == "lower" else self.mean + effect
        changed = min(max(changed, 0.0), 1.0)
        return self.mean * (1 - self.mean), changed * (1 - changed)

    @property
    def largest_effect(self) -> float:
        """No benefit can be larger."""
        if self.sd is not None:
            return inf
        return self.mean if self.better == "lower" else 1 - self.mean


@dataclass(frozen=True)
class Clusters:
    """People who resemble each other: a household, or one person in several trials."""

    size: float = 1.0
    icc: float = 0.0
    cv: float = 0.0

    @property
    def design_effect(self) -> float:
        """Factor of the variance of a mean."""
        return 1 + ((1 + self.cv**2) * self.size - 1) * self.icc


@dataclass(frozen=True)
class HoldoutDesign:
    """A program's standing experiment.

    Attributes:
        outcome: per person.
        offers_per_night: made by rank, so without the exploration.
        holdout_share: of those who would be offered.
        eligible: people who can ever come up; each counts once.
        r2: share of the outcome's variance that covariates explain.
        alpha: of the two-sided test of the mean effect, and of the one-sided test of the AUTOC.
        power: probability to show an effect that is there.
    """

    outcome: Outcome
    offers_per_night: float
    holdout_share: float
    eligible: float = inf
    clusters: Clusters = Clusters()
    r2: float = 0.0
    alpha: float = 0.05
    power: float = 0.8

    def __post_init__(self) -> None:
        _check(self)

    def arms(self, nights: float) -> tuple[float, float]:
        """People offered and people held out after so many nights."""
        offered = min(nights * self.offers_per_night, self.eligible * (1 - self.holdout_share))
        return offered, offered * self.holdout_share / (1 - self.holdout_share)

    def standard_error(self, nights: float, effect: float = 0.0) -> float:
        """Of the difference in means."""
        offered, held_out = self.arms(nights)
        if offered <= 0:
            return inf
        before, after = self.outcome.variances(effect)
        inflation = self.clusters.design_effect * (1 - self.r2)
        return sqrt(inflation * (after / offered + before / held_out))

    def power_of(self, effect: float, nights: float) -> float:
        """Probability that the two-sided test shows this effect."""
        shift = abs(effect) / self.standard_error(nights, effect)
        critical = norm.isf(self.alpha / 2)
        return float(norm.sf(critical - shift) + norm.cdf(-critical - shift))

    def detectable_effect(self, nights: float) -> float:
        """The smallest benefit that is shown with the wanted power; infinite when none is large enough."""
        z = norm.isf(self.alpha / 2) + norm.ppf(self.power)

        def short(effect: float) -> float:
            return float(z * self.standard_error(nights, effect) - effect)

        if not isfinite(self.standard_error(nights)):
            return inf
        most = self.outcome.largest_effect if self.outcome.sd is None else 2 * short(0.0)
        if short(most) > 0:
            return inf
        return float(brentq(short, 0.0, most, xtol=1e-12))

    def nights_for(self, effect: float) -> int | None:
        """Nights until a benefit of this size is shown with the wanted power; None when the eligible do not suffice.

        Raises:
            ConfigError: the effect is not positive, or larger than the outcome allows.
        """
        if not 0 < effect <= self.outcome.largest_effect:
            raise ConfigError(
                "The effect to be shown must be positive and no larger than the outcome.",
                expected=f"above 0 and at most {self.outcome.largest_effect:g}",
                actual=f"{effect:g}",
            )
        z = norm.isf(self.alpha / 2) + norm.ppf(self.power)
        # The variance falls with 1 / nights, so one night tells of all.
        needed = ceil((z * replace(self, eligible=inf).standard_error(1, effect) / effect) ** 2 - 1e-9)
        return needed if self.power_of(effect, needed) >= self.power - 1e-9 else None

    def share_for(self, effect: float, nights: float) -> float | None:
        """The smallest holdout share that shows a benefit of this size in so many nights with the wanted power.

        None when not even half held out would do: more offers, more nights or a larger effect are needed then.
        """
        highest, lowest = 0.5, 1e-4

        def spare(share: float) -> float:
            return replace(self, holdout_share=share).power_of(effect, nights) - self.power

        if spare(highest) < 0:
            return None
        return lowest if spare(lowest) >= 0 else float(brentq(spare, lowest, highest, xtol=1e-6))

    def exploration(self, slots_per_night: float, nights: float) -> HoldoutDesign:
        """The design of the exploration after so many nights: who was drawn below the cut, against who was not.

        The others are counted once each, as those who were drawn are; so `eligible` must be finite.

        Raises:
            ConfigError: nobody is left to compare with, or `eligible` is not known.
        """
        drawn = slots_per_night * nights
        if not 0 < drawn < self.eligible < inf:
            raise ConfigError(
                "The exploration cannot be sized.",
                expected="more eligible people than are drawn in all these nights, and at least one drawn a night",
                actual=f"{drawn:g} drawn of {self.eligible:g}",
            )
        return replace(self, offers_per_night=slots_per_night, holdout_share=1 - drawn / self.eligible)

    def detectable_autoc(self, nights: float) -> float:
        """The smallest AUTOC that is shown by the one-sided test with the wanted power, in the outcome's unit."""
        z = norm.isf(self.alpha) + norm.ppf(self.power)
        return float(z * self.standard_error(nights))

    def detectable_spread(self, nights: float, correlation: float = 1.0) -> float:
        """The smallest standard deviation of normal effects that a ranking of this correlation with them can show."""
        return self.detectable_autoc(nights) / (autoc_of_normal_effects() * correlation)


def autoc_of_normal_effects() -> float:
    """AUTOC of a perfect ranking of standard normal effects: 0.903."""
    return float(quad(lambda u: (-log(u) - 1) * norm.isf(u), 0, 1)[0])


def _check(design: HoldoutDesign) -> None:
    outcome = design.outcome
    ranges = {
        "holdout_share": (design.holdout_share, 0.0, 1.0),
        "alpha": (design.alpha, 0.0, 1.0),
        "power": (design.power, 0.0, 1.0),
        "offers_per_night": (design.offers_per_night, 0.0, inf),
        "eligible": (design.eligible, 0.0, inf),
    }
    for name, (value, low, high) in ranges.items():
        if not (low < value < high or value == high == inf):
            raise ConfigError(f"`{name}` must lie between {low:g} and {high:g}.", actual=f"{value:g}")
    if design.power <= design.alpha:
        raise ConfigError(
            "`power` must be larger than `alpha`, which a test has without any effect.",
            actual=f"{design.power:g} and {design.alpha:g}",
        )
    clusters = design.clusters
    if not (0 <= design.r2 < 1 and 0 <= clusters.icc <= 1 and 1 <= clusters.size < inf and 0 <= clusters.cv < inf):
        raise ConfigError(
            "`r2` and `icc` must lie between 0 and 1, a cluster holds at least one person, and its size varies by 0 or more."
        )
    if not isfinite(outcome.mean):
        raise ConfigError("The outcome's mean must be a number.", actual=f"{outcome.mean:g}")
    if outcome.sd is not None and not 0 < outcome.sd < inf:
        raise ConfigError("The outcome's standard deviation must be positive and finite.", actual=f"{outcome.sd:g}")
    if outcome.sd is None and not 0 < outcome.mean < 1:
        raise ConfigError(
            "An outcome without a standard deviation must be a proportion.",
            expected="a mean between 0 and 1",
            actual=f"{outcome.mean:g}",
            todo="give the standard deviation of a count or an amount.",
        )
