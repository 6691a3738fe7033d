"""A night with models in every state, in Spark: who scores, what stands in every row, and the challenger in the shadow.

One plan of 400 members without claims: one program has a sound champion and a challenger, one a champion that raises in
the worker, one only a challenger that raises.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import policy_reference
import pytest
from registry_world import SOURCE, Registry, scorer
from scipy.stats import norm

from causal.policy import plan_night
from causal.stability import population_stability
from contracts.catalog import contract
from contracts.programs import program, programs
from contracts.settings import settings
from jobs.decision_table import record_decisions
from jobs.decisions import Actor, approve, promote, trail
from jobs.delta import table_version
from jobs.registry import model_name

NIGHT = date(2025, 4, 1)
ED, TOC, MED = programs().programs
MARIA = Actor("Maria", "person", "maria")
BROKEN = "a_feature_that_is_gone"
MEMBERS = 400


def _rows(spark: Any, name: str, values: dict[str, str], where: str = "true") -> None:
    """Append a row for each member, 0 to 399; what is not given is 0, false, or empty."""
    table = contract(name)
    default = {"boolean": "false", "string": "''"}
    columns = [
        f"cast({values.get(c.name, default.get(c.spark_type, '0'))} as {c.spark_type}) as {c.name}"
        for c in table.columns
    ]
    spark.range(MEMBERS).where(where).selectExpr(*columns).writeTo(name).append()


def _features(spark: Any) -> None:
    """Everybody qualifies for every program; the two features that models read vary, and so does the language."""
    _rows(spark, "features.member_feature", {
        "data_source": f"'{SOURCE}'", "as_of_date": f"date'{NIGHT}'", "member_id": "concat('shadow-', id)",
        "age": "20 + id % 67", "ed_visit_365d_count": "1 + id % 8", "ed_visit_90d_count": "id % 3", "lookback_days": "365",
        "is_enrolled": "true", "is_claims_complete": "true", "days_since_acute_discharge": "10",
        "maintenance_class_count": "1", "lowest_pdc_180d": "0.5", "chronic_condition_count": "id % 4",
        "language_code": "element_at(array('en', 'es', 'zh'), cast(id % 3 as int) + 1)",
    })  # fmt: skip


def _consent(spark: Any) -> None:
    """One in seven does not want calls; one in eleven wants nothing, of whom one in two took it back in time."""
    common = {
        "data_source": f"'{SOURCE}'", "member_id": "concat('shadow-', id)", "program": "'all'",
        "known_at": f"timestamp'{NIGHT}' - interval 9 days", "effective_date": f"date'{NIGHT}' - 9",
    }  # fmt: skip
    later = {"known_at": f"timestamp'{NIGHT}' - interval 2 days", "effective_date": f"date'{NIGHT}' - 2"}
    _rows(spark, "core.consent", common | {"channel": "'phone'", "is_consented": "false"}, "id % 7 = 0")
    _rows(spark, "core.consent", common | {"channel": "'all'", "is_consented": "false"}, "id % 11 = 0")
    _rows(spark, "core.consent", common | later | {"channel": "'all'", "is_consented": "true"}, "id % 22 = 0")


def _open_channels(number: int, key: str) -> list[str]:
    """What a member has not refused and understands, by other code."""
    refused = {"phone"} if number % 7 == 0 else set()
    if number % 11 == 0 and number % 22:
        refused = {"phone", "text", "letter"}
    understood = {"phone", "text", "letter"} if number % 3 < 2 else {"phone"}  # the message desk has no Chinese
    return [name for name in program(key).channels if name in understood - refused]


@pytest.fixture(scope="module")
def registry(spark: Any, empty_registry: Path) -> Iterator[Registry]:
    """Models of the three programs in the session's own state folder, which the engine belongs to."""
    settings().mlflow_dir.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_registry, settings().mlflow_dir / "mlflow.db")
    found = Registry(settings().home)
    before = {"trained_as_of": (NIGHT - timedelta(days=7)).isoformat()}
    for model in (
        found.train(program=ED, of=scorer("age", slope=-0.004, level=0.1), tags=before),
        found.train(program=TOC, of=scorer(BROKEN), tags=before),
    ):
        approve(model, MARIA, "read")
        promote(model, MARIA)
    found.train(program=ED, of=scorer("ed_visit_365d_count", slope=-0.05, error=0.37), tags=before)
    found.train(program=MED, of=scorer(BROKEN), tags=before)
    yield found
    shutil.rmtree(settings().mlflow_dir)


@pytest.fixture(scope="module")
def night(spark: Any, registry: Registry) -> Iterator[dict[str, pd.DataFrame]]:
    """Scored, published and shadowed."""
    from jobs.delta import ensure_tables
    from jobs.night import publish_night, score_night
    from jobs.shadow import shadow_night

    names = ("features.member_feature", "core.consent", "core.outreach_contact", "outreach.priority")
    ensure_tables(spark, [contract(name) for name in names])
    spark.sql(f"delete from features.member_feature where as_of_date = date'{NIGHT}'")
    _features(spark)
    spark.sql(f"delete from core.consent where data_source = '{SOURCE}' and member_id like 'shadow-%'")
    _consent(spark)
    assert not score_night(SOURCE, NIGHT, run_id="shadow-test").blocked
    publish_night(SOURCE, NIGHT, run_id="shadow-test")
    audits = shadow_night(SOURCE, NIGHT, run_id="shadow-test")
    assert [audit.blocked for audit in audits] == [False, False], [audit.reason for audit in audits]
    where = f"data_source = '{SOURCE}' and run_date = date'{NIGHT}'"
    tables = (
        "causal.member_score", "outreach.priority", "outreach.program_summary", "causal.shadow_score",
        "causal.shadow_comparison", "outreach.capacity_price", "ops.alert",
    )  # fmt: skip
    yield {name: spark.sql(f"select * from {name} where {where}").toPandas() for name in tables}
    for name in (*tables[:-1], "features.member_feature"):
        column = "as_of_date" if name.startswith("features") else "run_date"
        spark.sql(f"delete from {name} where data_source = '{SOURCE}' and {column} = date'{NIGHT}'")
    spark.sql(f"delete from core.consent where data_source = '{SOURCE}' and member_id like 'shadow-%'")


def test_channels_are_open_by_consent_and_language(night: dict[str, pd.DataFrame]) -> None:
    rows = night["causal.member_score"]
    number = rows["member_id"].str.removeprefix("shadow-").astype(int)
    expected = [_open_channels(n, key) for n, key in zip(number, rows["program"], strict=True)]
    assert [list(found) for found in rows["allowed_channels"]] == expected
    shut = rows[[not channels for channels in expected]]
    assert set(shut["blocked_by"]) == {"consent", "language"}
    assert not set(rows["blocked_by"].dropna()) - {"consent", "language"}
    called = night["outreach.priority"].query("channel.notna()").merge(rows, on=["program", "member_id"])
    assert all(c in allowed for c, allowed in zip(called["channel"], called["allowed_channels"], strict=True))


def test_the_published_list_is_the_one_that_the_policy_in_memory_makes(night: dict[str, pd.DataFrame]) -> None:
    scores, configured = night["causal.member_score"], programs()
    plan = plan_night(configured, {ED: "publish", TOC: "fallback", MED: "fallback"})
    salt = configured.holdout_salt
    expected = policy_reference.decide(scores, configured, plan, salt, f"{salt}|explore|{NIGHT}")
    expected = expected.sort_values(["program", "member_id"], ignore_index=True)
    found = night["outreach.priority"].sort_values(["program", "member_id"], ignore_index=True)
    columns = ["program", "member_id", "decision", "channel"]
    pd.testing.assert_frame_equal(found[columns], expected[columns], check_dtype=False)
    assert found["assignment_probability"].to_numpy() == pytest.approx(expected["assignment_probability"].to_numpy())


def test_the_night_respects_hours_and_budget_and_prices_them(night: dict[str, pd.DataFrame]) -> None:
    called = night["outreach.priority"].query("channel.notna()")
    how = [program(p).channels[c] for p, c in zip(called["program"], called["channel"], strict=True)]
    for name, team in programs().teams.items():
        assert sum(h.minutes for h in how if h.team == name) <= 60 * team.hours_per_night + 1e-6
    assert sum(h.cost_usd for h in how) <= programs().nightly_budget_usd
    prices = night["outreach.capacity_price"].set_index(["resource_kind", "resource"])
    assert prices.loc[("team", "nurse_line"), "marginal_value_usd"] > 0, (
        "18 hours are 54 calls, and 60 places want them"
    )
    assert pd.isna(prices.loc[("team", "transition_coaches"), "marginal_value_usd"]), "a rule's ranks have no price"
    summary = night["outreach.program_summary"].set_index("program")
    assert summary.loc[ED, "marginal_value_usd"] >= 0
    assert pd.isna(summary.loc[TOC, "marginal_value_usd"])


def test_a_champion_that_raises_is_a_fallback_with_its_reason_in_every_row(night: dict[str, pd.DataFrame]) -> None:
    for table in ("causal.member_score", "outreach.priority"):
        rows = night[table].query("program == @TOC")
        assert len(rows) == MEMBERS
        assert set(rows["verdict"]) == {"fallback"}
        assert set(rows["model_version"]) == {"none"}
        (sentence,) = set(rows["verdict_sentence"])
        assert "does not score tonight: it raised an error while scoring" in sentence
        assert rows["cate"].isna().all()
    called = night["outreach.priority"].query("program == @TOC and decision == 'outreach'")
    assert len(called) > 0, "a broken model must not empty the list"


def test_the_sound_program_is_not_touched_by_it(night: dict[str, pd.DataFrame]) -> None:
    rows = night["causal.member_score"].query("program == @ED")
    assert set(rows["verdict"]) == {"publish"}
    assert set(rows["model_version"]) == {f"outreach.{SOURCE}.{ED}/1"}
    summary = night["outreach.program_summary"].set_index("program")["verdict_sentence"]
    assert summary[ED] == "The gates say publish."
    assert "waits for approval" in summary[MED]


def test_the_challenger_never_reaches_the_list(night: dict[str, pd.DataFrame]) -> None:
    published = night["outreach.priority"]
    assert set(published["model_version"]) == {"none", f"outreach.{SOURCE}.{ED}/1"}
    shadow = night["causal.shadow_score"]
    assert set(shadow["program"]) == {ED}
    assert set(shadow["challenger_version"]) == {f"outreach.{SOURCE}.{ED}/2"}
    assert len(shadow) == MEMBERS


def test_the_comparison_is_what_pandas_finds(night: dict[str, pd.DataFrame]) -> None:
    """Both orders, their agreement and their values from the members' rows, by other code."""
    row = night["causal.shadow_comparison"].set_index("program").loc[ED]
    served = night["causal.member_score"].query("program == @ED").set_index("member_id")
    other = night["causal.shadow_score"].query("program == @ED").set_index("member_id")
    served, other = served.align(other, join="inner", axis=0)
    places, plan = program(ED).capacity_per_night, program(ED)
    usual, text = plan.channels["phone"], plan.channels["text"]

    def through_the_best(row: pd.Series, cate: float) -> float:
        gain, channels = -cate * plan.outcome.usd_per_unit, list(row["allowed_channels"]) or list(plan.channels)
        return max(
            {"phone": gain - usual.cost_usd, "text": text.effect_share * gain - text.cost_usd}[c] for c in channels
        )

    value = {
        name: pd.Series(
            [through_the_best(row, c) for (_, row), c in zip(served.iterrows(), cate, strict=True)], served.index
        )
        for name, cate in {"served": served["cate"], "other": other["cate"]}.items()
    }
    is_free = served["blocked_by"].isna()
    pd.testing.assert_series_equal(value["other"], other["net_value_usd"], check_names=False)
    assert (row["status"], row["member_count"], row["place_count"]) == ("scored", MEMBERS, places)
    assert row["rank_correlation"] == pytest.approx(served["cate"].corr(other["cate"], method="spearman"), abs=1e-6)
    assert row["score_psi"] == pytest.approx(
        population_stability(served["cate"].to_numpy(), other["cate"].to_numpy()), abs=1e-6
    )
    # Many members share a value, and which of them are listed is the tie-break's choice; the sum does not depend on it.
    limit = plan.largest_chance_of_harm
    assert limit is not None
    is_safe = {
        name: norm.cdf(0, -rows["cate"], (rows["cate_upper"] - rows["cate_lower"]) / 2 / norm.isf(0.025)) <= limit
        for name, rows in {"served": served, "other": other}.items()
    }
    top = {name: v[is_free & (v > 0) & is_safe[name]].nlargest(places) for name, v in value.items()}
    assert 0 < len(top["other"]) < places, "the limit on harm leaves places empty"
    assert row["served_value_usd"] == pytest.approx(top["served"].sum(), abs=0.01)
    assert row["challenger_value_usd"] == pytest.approx(top["other"].sum(), abs=0.01)
    assert row["served_list_by_challenger_usd"] <= row["challenger_value_usd"] + 0.01
    assert row["challenger_list_by_served_usd"] <= row["served_value_usd"] + 0.01
    assert 0 < row["list_agreement"] < 1


def test_a_challenger_that_raises_is_on_record_and_stops_nothing(night: dict[str, pd.DataFrame]) -> None:
    row = night["causal.shadow_comparison"].set_index("program").loc[MED]
    assert row["status"] == "failed"
    assert "raised an error while scoring" in row["message"]
    assert TOC not in set(night["causal.shadow_comparison"]["program"]), "its only model serves, there is no challenger"


def test_alerts_tell_of_both_and_hold_no_member(night: dict[str, pd.DataFrame]) -> None:
    alerts = night["ops.alert"]
    told = alerts.set_index("subject")["severity"].to_dict()
    assert told == {f"outreach.{SOURCE}.{TOC}": "error", f"outreach.{SOURCE}.{MED}/1": "warn"}
    assert not alerts["message"].str.contains("shadow-\\d|Traceback", regex=True).any()


def test_the_same_night_again_writes_nothing_new(spark: Any, night: dict[str, pd.DataFrame]) -> None:
    from jobs.night import publish_night, score_night

    tables = ("causal.member_score", "outreach.priority", "outreach.program_summary", "outreach.capacity_price")
    before = {name: table_version(spark, name) for name in tables}
    assert not score_night(SOURCE, NIGHT, run_id="shadow-again").blocked
    audits = publish_night(SOURCE, NIGHT, run_id="shadow-again")
    assert len(audits) == 3
    assert not [audit.reason for audit in audits if audit.blocked]
    assert {name: table_version(spark, name) for name in tables} == before


def test_decisions_are_appended_once(spark: Any, night: dict[str, pd.DataFrame], registry: Registry) -> None:
    assert record_decisions(spark) == 0, "the night left decisions behind"
    decisions = [d for key in (ED, TOC) for d in trail(model_name(SOURCE, key)).decisions]
    replace(decisions[0], is_recorded=False).write()  # as a process leaves it that is killed between append and mark
    assert record_decisions(spark) == 1
    rows = spark.table("ops.model_decision").toPandas().set_index("decision_id")
    found = rows.loc[[d.decision_id for d in decisions]]
    assert list(found["action"]) == ["approve", "promote"] * 2, "a decision is missing or stands there twice"
    assert set(found["actor_kind"]) == {"person"}
    assert list(found["previous_version"]) == ["none"] * 4


def test_a_note_that_is_no_text_is_an_alert_and_keeps_no_other_waiting(
    spark: Any, night: dict[str, pd.DataFrame], registry: Registry
) -> None:
    """As an earlier release took it from a shell; now it is refused before it is written."""
    first, second = trail(model_name(SOURCE, ED)).decisions[:2]
    replace(first, decision_id="no-text", note="comit\udce9", is_recorded=False).write()
    replace(second, is_recorded=False).write()
    assert record_decisions(spark) == 1
    alerts = [row["message"] for row in spark.table("ops.alert").where("message like '%no-text%'").collect()]
    assert len(alerts) == 1
    assert "UnicodeEncodeError" in alerts[0]
    first.write()
    assert record_decisions(spark) == 0


def test_comparison_of_the_command_line_reads_the_night(night: dict[str, pd.DataFrame]) -> None:
    from jobs.model_facts import comparison

    found = comparison(f"outreach.{SOURCE}.{ED}", None, 7)
    assert (found["champion"], found["challenger"]) == (f"outreach.{SOURCE}.{ED}/1", f"outreach.{SOURCE}.{ED}/2")
    assert [row["run_date"] for row in found["nights"]] == [NIGHT.isoformat()]
    assert "Nobody has approved" in found["objection"]


def test_drift_alarms_are_read_from_the_alerts(spark: Any, night: dict[str, pd.DataFrame]) -> None:
    from jobs.alerts import record_alert
    from jobs.due import alarms_since

    start = datetime.now(UTC) - timedelta(seconds=1)
    for kind, severity, source in (("drift", "error", SOURCE), ("drift", "warn", SOURCE), ("drift", "error", "desynpuf"), ("gate", "error", SOURCE)):  # fmt: skip
        record_alert(kind=kind, subject=f"{kind} {severity}", run_id="shadow-test", message="m", severity=severity, data_source=source)  # fmt: skip
    assert [alarm.subject for alarm in alarms_since(spark, SOURCE, start)] == ["drift error"]
    assert alarms_since(spark, SOURCE, datetime.now(UTC) + timedelta(seconds=5)) == []
