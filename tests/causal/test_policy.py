"""The night's policy: limits, exploration's share, and assignment probabilities that are frequencies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import policy_reference
import pytest
from policy_reference import small
from scipy.stats import norm

from causal.allocation import Limits
from causal.policy import capacity_use, less, plan_night, serve
from contracts.programs import Programs, programs

ALL_PUBLISH = dict.fromkeys(programs().programs, "publish")
DRAWS = 60


def candidates(rng: np.random.Generator, n: int, configured: Programs) -> pd.DataFrame:
    rows = [(k, c, f"m{i:04d}") for k, p in configured.programs.items() for c in p.channels for i in range(n)]
    frame = pd.DataFrame(rows, columns=["program", "channel", "member_id"])
    return frame.assign(
        value=rng.gamma(1, 100, len(frame)) - 30, tie=rng.random(len(frame)), is_held_out=rng.random(len(frame)) < 0.1
    ).query("value > 0")


def test_exploration_is_set_aside_before_anything_else() -> None:
    configured = small()
    plan = plan_night(configured, ALL_PUBLISH)
    assert plan.explore == {"ed_diversion": 2, "transitions_of_care": 1, "medication_adherence": 2}
    assert plan.firm.places == {"ed_diversion": 10, "transitions_of_care": 4, "medication_adherence": 8}
    assert plan.firm.team_minutes["nurse_line"] == 150 - 2 * 20
    assert plan.firm.budget_usd == 800 - 2 * 35 - 120 - 2 * 25


def test_exploration_never_takes_more_than_there_is() -> None:
    document = small().model_dump()
    document["teams"]["nurse_line"]["hours_per_night"] = 0.4
    plan = plan_night(Programs.model_validate(document), ALL_PUBLISH)
    assert plan.explore["ed_diversion"] == 1, "24 minutes are one call of 20"
    assert plan.firm.team_minutes["nurse_line"] == 4


def test_a_blocked_program_has_no_options() -> None:
    plan = plan_night(small(), ALL_PUBLISH | {"ed_diversion": "blocked"})
    assert {o.program for o in plan.options} == {"transitions_of_care", "medication_adherence"}
    nobody = plan_night(small(), dict.fromkeys(ALL_PUBLISH, "blocked"))
    assert nobody.depth == 0
    assert serve(nobody, candidates(np.random.default_rng(0), 5, small()).head(0)).picks.empty


@pytest.mark.parametrize("seed", range(4))
def test_limits_hold_and_programs_on_their_rule_get_what_is_left(seed: int) -> None:
    configured, rng = small(), np.random.default_rng(seed)
    plan = plan_night(configured, ALL_PUBLISH | {"medication_adherence": "fallback"})
    served = serve(plan, candidates(rng, 60, configured))
    offers = served.picks.query("picked == 'outreach'")
    assert not offers["member_id"].duplicated().any()
    uses = capacity_use(plan, offers, served)
    assert all(use.used <= use.limit + 1e-9 for use in uses)
    price = {(use.kind, use.name): use.price for use in uses}
    assert price["program", "medication_adherence"] is None, "a rank has no price in dollars"
    assert price["team", "pharmacists"] is None
    assert price["team", "nurse_line"] is not None
    assert set(served.one_more(plan)) == {"ed_diversion", "transitions_of_care"}
    assert (offers["program"] == "medication_adherence").any()


def test_where_nothing_is_ranked_by_effect_nothing_has_a_price() -> None:
    plan = plan_night(small(), dict.fromkeys(ALL_PUBLISH, "fallback"))
    served = serve(plan, candidates(np.random.default_rng(1), 20, small()))
    uses = capacity_use(plan, served.picks.query("picked == 'outreach'"), served)
    assert {use.price for use in uses} == {None}
    assert max(use.used for use in uses) > 0


def test_less_never_goes_below_zero() -> None:
    plan = plan_night(small(), ALL_PUBLISH)
    left = less(Limits({o.program: 1 for o in plan.options}, {"nurse_line": 10.0}, 20.0), {plan.options[0]: 1})
    assert left.team_minutes == {"nurse_line": 0.0}
    assert left.budget_usd == 0.0


@pytest.mark.parametrize(
    ("cautious", "fallback"),
    [((), "transitions_of_care"), (("ed_diversion", "medication_adherence"), None)],
)
def test_logged_probability_is_the_frequency_of_offers(cautious: tuple[str, ...], fallback: str | None) -> None:
    """Over redrawn holdouts and explorations each member is offered as often as is logged, on average and by level."""
    configured = small(cautious=cautious)
    verdict = ALL_PUBLISH | ({fallback: "fallback"} if fallback else {})
    rows = policy_reference.scores(np.random.default_rng(7), 25, configured, verdict)
    plan = plan_night(configured, verdict)
    nights = [policy_reference.decide(rows, configured, plan, f"h{n}", f"e{n}") for n in range(DRAWS)]
    offered = np.array([night["decision"].isin(["outreach", "explore"]) for night in nights], dtype=float)
    logged = np.array([night["assignment_probability"] for night in nights])
    excess = (offered - logged).sum(axis=0)
    spread = np.sqrt((logged * (1 - logged)).sum(axis=0))
    certain = spread == 0
    assert (excess[certain] == 0).all(), "offered with probability 0, or not offered with probability 1"
    z = excess[~certain] / spread[~certain]
    assert np.abs(z).max() < norm.isf(0.5e-3 / len(z)), f"worst row: {np.abs(z).max():.1f} standard errors"
    for low, high in ((0.0, 0.05), (0.05, 0.5), (0.5, 1.0)):
        level = (logged > low) & (logged <= high)
        if level.sum() > 50:
            error = (offered - logged)[level].sum() / np.sqrt((logged * (1 - logged))[level].sum())
            assert abs(error) < 4, f"rows logged at {low} to {high}: {error:.1f} standard errors off"
    assert (logged[offered == 1] > 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_logged_probability_does_not_depend_on_the_draw_itself(seed: int) -> None:
    """Whether held out or not, all else equal, a row logs the same probability."""
    configured = small()
    rows = policy_reference.scores(np.random.default_rng(seed), 25, configured, ALL_PUBLISH)
    plan = plan_night(configured, ALL_PUBLISH)
    base = policy_reference.decide(rows, configured, plan, "salt", "explore").set_index(["program", "member_id"])
    changed = 0
    for key in (
        base[base["decision"].isin(["holdout", "outreach", "explore", "below_capacity"])]
        .sample(15, random_state=seed)
        .index
    ):
        with policy_reference.flipped_holdout(*key):
            other = policy_reference.decide(rows, configured, plan, "salt", "explore").set_index(
                ["program", "member_id"]
            )
        assert other.loc[key, "assignment_probability"] == pytest.approx(base.loc[key, "assignment_probability"]), key
        changed += other.loc[key, "decision"] != base.loc[key, "decision"]
    assert changed > 3
