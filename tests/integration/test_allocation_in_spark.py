"""The night's allocation in Spark is, row by row, the one that `tests/policy_reference.py` writes out plainly.

1,500 members with equal values, refused and unspoken channels, members unlike the trained ones, harm, missing intervals.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import policy_reference
import pytest
from policy_reference import small
from scipy.stats import norm

from causal.policy import NightPlan, plan_night
from contracts.programs import Programs
from jobs.publish import allocate_night, capacity_prices, decided, ranked, summarised

MEMBERS, NIGHT, SALT = 1500, date(2026, 7, 1), "outreach-2026|explore|2026-07-01"
CALLED = ("outreach", "explore")
CASES = {
    "all by effect": {},
    "one on its rule": {"transitions_of_care": "fallback"},
    "one blocked": {"medication_adherence": "blocked", "transitions_of_care": "fallback"},
}


@pytest.fixture(scope="module", params=CASES)
def night(spark: Any, request: pytest.FixtureRequest) -> dict[str, Any]:
    """One night decided by Spark and by the reference; the first program ranks by the lower limit."""
    configured = small(cautious=("ed_diversion",))
    verdict = dict.fromkeys(configured.programs, "publish") | CASES[request.param]
    scores = policy_reference.scores(np.random.default_rng(3), MEMBERS, configured, verdict)
    plan = plan_night(configured, verdict)
    rows = ranked(_in_spark(spark, scores), configured, plan).cache()
    allocation = allocate_night(rows, configured, plan, SALT)
    priority = decided(rows, allocation, configured, plan, SALT, "run").cache()
    found = {
        "configured": configured,
        "plan": plan,
        "allocation": allocation,
        "spark": priority.toPandas().sort_values(["program", "member_id"], ignore_index=True),
        "summary": summarised(priority, allocation, configured.programs, plan, "run").toPandas().set_index("program"),
        "prices": capacity_prices(spark, allocation, plan, "tuva", NIGHT, "run").toPandas(),
        "reference": policy_reference.decide(scores, configured, plan, configured.holdout_salt, SALT).sort_values(
            ["program", "member_id"], ignore_index=True
        ),
    }
    rows.unpersist()
    priority.unpersist()
    return found


def test_by_rule_a_channel_for_few_goes_far_down_the_ranking(spark: Any) -> None:
    """Nurses who speak one language in thirty: places counted by rank among all were worth nothing below the first few hundred."""
    configured = small()
    verdict = dict.fromkeys(configured.programs, "blocked") | {"ed_diversion": "fallback"}
    scores = policy_reference.scores(np.random.default_rng(4), MEMBERS, configured, verdict)
    few = scores["member_id"].str[-2:].isin(["07", "41", "83"])
    scores["allowed_channels"] = [
        [c for c in channels if is_few or c != "phone"]
        for channels, is_few in zip(scores["allowed_channels"], few, strict=True)
    ]
    plan = plan_night(configured, verdict)
    rows = ranked(_in_spark(spark, scores), configured, plan).cache()
    allocation = allocate_night(rows, configured, plan, SALT)
    found = decided(rows, allocation, configured, plan, SALT, "run").toPandas()
    expected = policy_reference.decide(scores, configured, plan, configured.holdout_salt, SALT)
    columns, order = ["program", "member_id", "decision", "channel"], ["program", "member_id"]
    pd.testing.assert_frame_equal(
        found.sort_values(order, ignore_index=True)[columns],
        expected.sort_values(order, ignore_index=True)[columns].astype({"channel": object}),
        check_dtype=False,
    )
    phoned = found[(found["channel"] == "phone") & (found["decision"] == "outreach")]
    assert phoned["priority_rank"].max() > 4 * plan.depth
    assert len(phoned) == int((60 * 2.5) // 20) - plan.explore["ed_diversion"], "the nurses' hours are used"


def test_by_rule_equal_offers_go_in_the_order_of_the_ranking_whatever_their_channel(spark: Any) -> None:
    """One member in thirty by text only: were they ranked among themselves, the third of them would come before the eighth of all."""
    document = small().model_dump()
    document["programs"]["ed_diversion"]["channels"]["text"]["effect_share"] = 1.0
    document["teams"]["nurse_line"]["hours_per_night"] = document["teams"]["message_desk"]["hours_per_night"] = 24
    document["nightly_budget_usd"] = None
    configured = Programs.model_validate(document)
    verdict = dict.fromkeys(configured.programs, "blocked") | {"ed_diversion": "fallback"}
    scores = policy_reference.scores(np.random.default_rng(4), MEMBERS, configured, verdict)
    few = scores["member_id"].str[-2:].isin(["07", "41", "83"])
    scores["allowed_channels"] = [["text"] if is_few else ["phone"] for is_few in few]
    plan = plan_night(configured, verdict)
    rows = ranked(_in_spark(spark, scores), configured, plan).cache()
    found = decided(rows, allocate_night(rows, configured, plan, SALT), configured, plan, SALT, "run").toPandas()
    in_order = found[found["decision"].isin(["outreach", "explore", "below_capacity"])].sort_values("priority_rank")
    places = plan.firm.places["ed_diversion"]
    assert set(in_order["decision"].head(places)) == {"outreach"}
    assert "outreach" not in set(in_order["decision"].iloc[places:])


def _in_spark(spark: Any, scores: pd.DataFrame) -> Any:
    from pyspark.sql.connect import functions as F

    schema = (
        "program string, member_id string, is_eligible boolean, blocked_by string, allowed_channels array<string>,"
        " is_in_support boolean, cate double, cate_lower double, cate_upper double, rank_value double,"
        " expected_net_value_usd double, verdict string"
    )
    # NaN is not NULL: what pandas calls missing is NULL in the table.
    records = [tuple(None if _is_missing(v) else v for v in row) for row in scores.itertuples(index=False)]
    frame = spark.createDataFrame(records, schema).repartition(7)
    for name, value in {
        "data_source": "'tuva'", "run_date": f"date'{NIGHT}'", "interval_kind": "'none'", "baseline_risk": "0.5D",
        "reason_1": "'Why'", "reason_2": "'Also'", "reason_3": "cast(null as string)", "verdict_sentence": "'Because.'",
        "model_version": "'m/1'",
    }.items():  # fmt: skip
        frame = frame.withColumn(name, F.expr(value))
    return frame


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def test_every_row_is_decided_as_the_reference_decides(night: dict[str, Any]) -> None:
    found, expected = night["spark"], night["reference"]
    columns = ["program", "member_id", "decision", "channel"]
    pd.testing.assert_frame_equal(found[columns], expected[columns].astype({"channel": object}), check_dtype=False)
    np.testing.assert_allclose(found["assignment_probability"], expected["assignment_probability"], rtol=1e-12)
    np.testing.assert_array_equal(found["priority_rank"].fillna(-1), expected["priority_rank"].fillna(-1))
    assert set(found["decision"]) >= {*CALLED, "holdout", "below_capacity", "suppressed", "not_eligible"}


def test_limits_hold_and_say_what_was_used(night: dict[str, Any]) -> None:
    configured: Programs = night["configured"]
    called = night["spark"].query("decision in @CALLED")
    assert not called["member_id"].duplicated().any()
    how = [configured.programs[p].channels[c] for p, c in zip(called["program"], called["channel"], strict=True)]
    used = {("budget", "all"): sum(h.cost_usd for h in how)}
    for team in {h.team for h in how}:
        used["team", team] = sum(h.minutes for h in how if h.team == team) / 60
    used |= {("program", key): float(n) for key, n in called.groupby("program").size().items()}
    prices = night["prices"].set_index(["resource_kind", "resource"])
    for key, quantity in used.items():
        assert prices.loc[key, "used_quantity"] == pytest.approx(quantity), key
    assert (prices["used_quantity"] <= prices["limit_quantity"] + 1e-6).all()
    assert prices.loc[("budget", "all"), "limit_quantity"] == 800
    scarce = prices["marginal_value_usd"].fillna(0)
    assert scarce.max() > 0, "limits that bind have a price"


def test_nobody_is_offered_what_is_expected_to_harm(night: dict[str, Any]) -> None:
    found = night["spark"].query("decision in @CALLED and verdict == 'publish'")
    assert (found["cate"] < 0).all(), "fewer is better in every program"
    assert (found["expected_net_value_usd"] > 0).all()
    spread = (found["cate_upper"] - found["cate_lower"]) / 2 / norm.ppf(0.975)
    chance_of_harm = norm.sf(0, loc=found["cate"], scale=spread)
    assert 0.1 < chance_of_harm.max() <= 0.15
    kept_back = night["spark"].query("reason_1 == 'The chance of harm is too large'")
    assert (kept_back["decision"] == "below_capacity").all()
    assert (kept_back["expected_net_value_usd"] > 0).all()
    assert kept_back["cate_lower"].isna().any(), "nothing is known of the chance without an interval"
    assert kept_back["cate_lower"].notna().any()
    sure = found.query("program == 'ed_diversion' and decision == 'outreach'")
    assert (sure["cate_upper"] < 0).all(), "the cautious program asks for a benefit at the limit that promises least"


def test_the_summary_adds_up(night: dict[str, Any]) -> None:
    configured, plan, found = night["configured"], night["plan"], night["spark"]
    summary = night["summary"]
    for key, program in configured.programs.items():
        mine = found[found["program"] == key]
        ranked_offers = mine[mine["decision"] == "outreach"]
        cost = sum(program.channels[c].cost_usd for c in mine["channel"].dropna())
        share = sum(program.channels[c].effect_share for c in ranked_offers["channel"])
        assert summary.loc[key, "planned_cost_usd"] == pytest.approx(cost)
        assert summary.loc[key, "full_effect_count"] == pytest.approx(share)
        assert summary.loc[key, "outreach_count"] == len(ranked_offers)
        assert summary["marginal_value_usd"].notna()[key] == (plan.verdict.get(key) == "publish")


def test_only_candidates_and_picks_leave_the_cluster(night: dict[str, Any]) -> None:
    plan: NightPlan = night["plan"]
    allocation = night["allocation"]
    assert len(allocation.served.market._ids) <= len(plan.options) * plan.depth < MEMBERS
    assert len(allocation.picks.query("picked != 'spared'")) <= sum(plan.limits.places.values())
