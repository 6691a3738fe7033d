"""Months later: lists are published in a simulated plan, the plan lives on under the offers made, and the loop closes.

The world is the simulator's own (crises, seasons, selection, effects per member), without the detour through claims:
lists come from a plain allocator, offers go back into the simulation, visits become events with a delay. Published
effects are the true ones, so that a quiet month is one in which the interval misses the truth by chance alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from causal.assignment import uniform
from contracts.catalog import contract
from contracts.programs import program as program_of
from jobs.alerts import record_alert
from jobs.delta import ensure_tables
from jobs.simulate import SimulationConfig
from jobs.simulate.draws import Draws
from jobs.simulate.months import event_day, member_months
from jobs.simulate.outreach import with_offers, with_outcomes
from jobs.simulate.population import members
from jobs.simulate.truth import potential_outcomes
from jobs.uplift import realized_uplift, update_realized_uplift

PROGRAM, SOURCE = "ed_diversion", "tuva"
FIRST_NIGHT, NIGHTS = 13, 12  # months: a year of lists
CAPACITY, EXPLORED, HELD_OUT = 900, 60, 0.3
CONFIG = SimulationConfig(members=24_000, months=31, end_date=date(2026, 7, 31), seed=31, confounding=0.3)


def month(m: int) -> date:
    index = CONFIG.first_month.year * 12 + CONFIG.first_month.month - 1 + m
    return date(index // 12, index % 12 + 1, 1)


@dataclass(frozen=True)
class World:
    """What was published, and the truth of each person-month."""

    priority: pd.DataFrame
    truth: pd.DataFrame


def _lists(people: pd.DataFrame) -> pd.DataFrame:
    """Monthly lists by true benefit: holdout, cut at capacity, exploration below it, cool-down; rows as published."""
    cooldown = timedelta(days=program_of(PROGRAM).cooldown_days)
    offered: dict[str, date] = {}
    nights = []
    for m in range(FIRST_NIGHT, FIRST_NIGHT + NIGHTS):
        night = month(m)
        rows = people[(people["m"] == m) & people["is_eligible"]].sort_values(["effect", "member_id"])
        rested = [night - offered.get(who, date.min) > cooldown for who in rows["member_id"]]
        rows = rows[rested].reset_index(drop=True)
        held = uniform([rows["member_id"], PROGRAM], "loop|holdout") < HELD_OUT
        rank = np.arange(1, len(rows) + 1)
        cut = rank[~held][CAPACITY - 1]
        listed = ~held & (rank <= cut)
        below = np.flatnonzero(~held & (rank > cut))
        draw = uniform([rows["member_id"][below]], f"explore|{night}")
        explored = np.zeros(len(rows), bool)
        explored[below[np.argsort(draw)[:EXPLORED]]] = True
        decision = np.select([listed, explored, held], ["outreach", "explore", "holdout"], "below_capacity")
        below_prob = (1 - HELD_OUT) * EXPLORED / len(below)
        offered.update(dict.fromkeys(rows["member_id"][listed | explored], night))
        nights.append(
            rows.assign(
                run_date=night, priority_rank=rank, decision=decision,
                assignment_probability=np.where(rank <= cut, 1 - HELD_OUT, below_prob),
            )
        )  # fmt: skip
    return pd.concat(nights, ignore_index=True)


def _fill(spark: Any, name: str, frame: Any, **constants: str) -> None:
    """Write a frame into a contract's table; columns that nobody reads here are NULL."""
    table = contract(name)
    ensure_tables(spark, [table])
    have = set(frame.columns)
    columns = [
        f"cast({constants.get(c.name, f'`{c.name}`' if c.name in have else 'null')} as {c.spark_type}) as {c.name}"
        for c in table.columns
    ]
    frame.selectExpr(*columns).write.format("delta").mode("overwrite").saveAsTable(name)


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("loop")
    people = members(spark, CONFIG)
    with_offers(member_months(people, CONFIG), CONFIG).write.parquet(str(folder / "months"))
    months = spark.read.parquet(str(folder / "months"))
    before = with_outcomes(months, CONFIG).where("is_enrolled")
    told = potential_outcomes(before, CONFIG, SOURCE).where(f"program = '{PROGRAM}'")
    truth = told.selectExpr(
        "member_id", "cast(months_between(index_date, date'" + str(CONFIG.first_month) + "') as int) as m",
        "effect", "expected_y0", "is_eligible",
    ).toPandas()  # fmt: skip
    priority = _lists(truth)

    published = priority[priority["decision"].isin(["outreach", "explore"])]
    offers = spark.createDataFrame(
        [(who, PROGRAM, night) for who, night in zip(published["member_id"], published["run_date"], strict=True)],
        "member_id string, program string, offered_on date",
    )
    raw = member_months(people, CONFIG)
    lived = with_outcomes(with_offers(raw, CONFIG, offers), CONFIG).where("is_enrolled")
    kept = (
        "member_no",
        "member_id",
        "m",
        "month_start",
        "month_days",
        "n_ed",
        "n_adm",
        "offer_ed",
        "reached_ed",
        "age",
    )
    lived.select(*kept).write.parquet(str(folder / "lived"))
    lived = spark.read.parquet(str(folder / "lived"))

    draws = Draws(CONFIG.seed)
    visits = lived.where("n_ed > 0").selectExpr("*", "explode(sequence(1, n_ed)) as slot")
    visits = visits.selectExpr("*", f"date_add(month_start, {event_day(draws, 'ed day', 'slot')} - 1) as day")
    _fill(
        spark, "core.outcome_event", visits, data_source=f"'{SOURCE}'", event_type="'ed_visit'", event_start_date="day",
        event_end_date="day", event_detail="'emergency_department'", known_at="cast(date_add(day, 30) as timestamp)",
    )  # fmt: skip
    for name in ("core.member", "core.eligibility"):
        ensure_tables(spark, [contract(name)])
    rows = priority.rename(columns={"effect": "cate", "expected_y0": "baseline_risk"}).drop(columns=["m"])
    _fill(
        spark, "outreach.priority", spark.createDataFrame(rows), data_source=f"'{SOURCE}'", program=f"'{PROGRAM}'",
        verdict="'publish'", model_version="'oracle:1'",
        channel="case when decision in ('outreach', 'explore') then 'phone' end",
    )  # fmt: skip
    nights = spark.sql("select distinct run_date from outreach.priority")
    _fill(
        spark, "outreach.program_summary", nights, data_source=f"'{SOURCE}'", program=f"'{PROGRAM}'",
        verdict="'publish'", model_version="'oracle:1'",
    )  # fmt: skip
    yield World(priority, truth)
    for name in ("core.outcome_event", "outreach.priority", "outreach.program_summary", "outreach.realized_uplift",
                 "ops.alert"):  # fmt: skip
        spark.sql(f"delete from {name}")


def _listed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([row for row in rows if row["score_band"] == "listed"])


def _alerts(spark: Any, kind: str) -> list[Any]:
    return spark.sql(f"select * from ops.alert where kind = '{kind}' and data_source = '{SOURCE}'").collect()


@pytest.mark.timeout(2400)
def test_a_year_of_lists_agrees_with_the_truth_and_raises_no_alarm(spark: Any, world: World) -> None:
    record_alert(kind="failure", subject="seed", run_id="loop", message="makes the table", data_source=SOURCE)
    assert update_realized_uplift(SOURCE, date(2027, 6, 1), run_id="loop").rows_checked > 0
    rows = realized_uplift(SOURCE, PROGRAM)
    months = _listed(rows)
    print(
        months[
            ["window_start", "offered_count", "holdout_count", "realized_effect", "se", "predicted_effect", "is_alarm"]
        ]
    )
    assert len(months) == NIGHTS
    lists = world.priority[world.priority["decision"] == "outreach"]
    truth = lists.groupby(lists["run_date"])["effect"].mean()
    assert np.allclose(months["predicted_effect"], truth.to_numpy()), "the prediction is not that of the offered"
    inside = [
        low <= true <= high for low, true, high in zip(months["ci_lower"], truth, months["ci_upper"], strict=True)
    ]
    assert sum(inside) >= NIGHTS - 2, "P(fewer) is 2 % when each interval covers 95 %"
    weight = 1 / months["se"] ** 2
    pooled = ((months["realized_effect"] - truth.to_numpy()) * weight).sum() / np.sqrt(weight.sum())
    assert abs(pooled) < 2.58, f"all months together miss the truth by {pooled:.1f} standard errors"
    assert (months["ci_upper"] < 0).sum() >= 3, "the intervals are too wide to show that outreach helps"
    assert len(_alerts(spark, "realized_uplift")) <= 1


@pytest.mark.timeout(2400)
def test_a_window_is_computed_once(spark: Any, world: World) -> None:
    before = realized_uplift(SOURCE)
    assert before, "run after the test above"
    alerts = len(_alerts(spark, "realized_uplift"))
    update_realized_uplift(SOURCE, date(2027, 6, 2), run_id="again")
    assert realized_uplift(SOURCE) == before
    assert len(_alerts(spark, "realized_uplift")) == alerts


@pytest.mark.timeout(2400)
def test_a_model_that_promises_too_much_is_caught_within_two_windows(spark: Any, world: World) -> None:
    wrong_from = month(FIRST_NIGHT + NIGHTS - 2)
    spark.sql(f"update outreach.priority set cate = cate - 0.25 where run_date >= date'{wrong_from}'")
    spark.sql(f"delete from outreach.realized_uplift where window_start >= date'{wrong_from}'")
    before = len(_alerts(spark, "realized_uplift"))
    update_realized_uplift(SOURCE, date(2027, 6, 3), run_id="wrong")
    months = _listed(realized_uplift(SOURCE, PROGRAM))
    assert months["is_alarm"].iloc[-1], months[["window_start", "realized_effect", "se", "predicted_effect"]].tail(3)
    new = _alerts(spark, "realized_uplift")
    assert len(new) == before + 1
    assert {row["severity"] for row in new} == {"error"}, "the retraining trigger reads errors"
    assert PROGRAM in {row["subject"] for row in new}
