"""What an offer really did: treated against held out, weighted by the logged probabilities, from a handful of sums.

The estimand is the intention-to-treat effect of being offered on the population that a list could have named. Each arm's
mean is a ratio of weighted sums (Hajek 1971) with weights 1 / P(in this arm); its standard error is clustered by member
(a member may stand in several nights' trials). Both need only the sums in `ArmSums`, so a warehouse of any size sends
one short row per arm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from scipy.stats import t as student

# Fewer members in an arm give no interval worth having, and small cells tell on people.
MIN_MEMBERS = 20
# With fewer events in the smaller arm, whose error is most of the interval, its spread is not known: with one in thirty of 25
# holdouts, intervals held in 72 %, and three quiet years of four alarmed. The larger arm may have none: months in which a
# program prevented nearly everything would else be left out, and the rest would tell of too small an effect.
MIN_WITH_OUTCOME = 5


@dataclass(frozen=True)
class ArmSums:
    """Sums over the members of one arm. For a member, w = sum of weights and v = sum of weight × outcome over trials.

    Attributes:
        members: members with at least one trial.
        trials: member-nights.
        with_outcome: members whose outcome was not zero throughout.
        w: sum of w; v: sum of v; ww, wv, vv: sums of w², w·v and v² over members.
    """

    members: int
    trials: int
    with_outcome: int
    w: float
    v: float
    ww: float
    wv: float
    vv: float

    @property
    def mean(self) -> float:
        """Weighted mean outcome; NaN without a trial."""
        return self.v / self.w if self.w > 0 else math.nan

    @property
    def variance(self) -> float:
        """Of `mean`, linearised and clustered by member, with the G / (G - 1) correction."""
        if self.members < 2:
            return math.nan
        residual = max(self.vv - 2 * self.mean * self.wv + self.mean**2 * self.ww, 0.0)
        return residual / self.w**2 * self.members / (self.members - 1)


@dataclass(frozen=True)
class RealizedEffect:
    """Effect of being offered, natural sign, in the outcome's unit; NaN limits where an arm has too few people or events.

    Attributes:
        effect: mean offered less mean held out.
        se: clustered by member.
        df: Welch-Satterthwaite degrees of freedom of the interval.
    """

    effect: float
    se: float
    df: float
    ci_lower: float
    ci_upper: float

    def excludes(self, prediction: float | None) -> bool | None:
        """Whether the interval lies wholly to one side of `prediction`; None where either is unknown."""
        if prediction is None or math.isnan(prediction) or math.isnan(self.ci_lower):
            return None
        return not self.ci_lower <= prediction <= self.ci_upper


def realized_effect(
    offered: ArmSums, held_out: ArmSums, *, level: float = 0.95, min_members: int = MIN_MEMBERS
) -> RealizedEffect:
    """Difference of the arms' means with a Welch interval (Satterthwaite 1946): holdouts are small and counts are skewed.

    The arms are independent, because a member is held out of a program for good.

    Args:
        offered: sums of the arm that was offered.
        held_out: sums of the arm that was held out.
        level: of the interval.
        min_members: no interval where either arm has fewer, or the smaller one fewer than MIN_WITH_OUTCOME with an outcome
            (of two of one size: the one with more).
    """
    effect = offered.mean - held_out.mean
    first, second = offered.variance, held_out.variance
    total = first + second
    people = min(offered.members, held_out.members)
    events = max(arm.with_outcome for arm in (offered, held_out) if arm.members == people)
    if people < max(min_members, 2) or events < MIN_WITH_OUTCOME or not total > 0:
        return RealizedEffect(effect, math.nan, math.nan, math.nan, math.nan)
    df = total**2 / (first**2 / (offered.members - 1) + second**2 / (held_out.members - 1))
    reach = float(student.ppf(0.5 + level / 2, df)) * math.sqrt(total)
    return RealizedEffect(effect, math.sqrt(total), df, effect - reach, effect + reach)


def is_alarm(signals: Iterable[bool | None], k: int, n: int) -> bool:
    """Whether at least `k` of the last `n` judged windows signal; windows that could not be judged are passed over.

    Args:
        signals: oldest first, None where a window could not be judged.
        k: how many must signal.
        n: how many are looked at.
    """
    judged = [signal for signal in signals if signal is not None]
    return sum(judged[-n:]) >= k
