"""The two queries that close the loop, against answers made by hand and by `causal`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pytest

from causal.stability import population_stability
from contracts.catalog import contract
from contracts.monitoring import Monitoring
from contracts.programs import program as program_of
from jobs.delta import ensure_tables
from jobs.drift import Comparison, compare, features_sql, in_season
from jobs.uplift import Window, arm_sums

SOURCE, PROGRAM = "desynpuf", "ed_diversion"
DAY, NEXT = "2024-01-01", "2024-01-02"
# night, member, decision, rank, probability, cate
LISTS = [
    ("2023-09-01", "h4", "holdout", 1, 0.9, -0.4),
    ("2023-09-01", "d1", "outreach", 2, 0.9, -0.4),
    ("2023-12-01", "h3", "holdout", 1, 0.9, -0.4),
    ("2023-12-01", "d2", "outreach", 2, 0.9, -0.4),
    (DAY, "h4", "holdout", 1, 0.9, -0.4),  # listed four months ago, so again
    (DAY, "a", "outreach", 2, 0.9, -0.2),
    (DAY, "h1", "holdout", 3, 0.9, -0.2),
    (DAY, "h3", "holdout", 4, 0.9, -0.2),  # listed a month ago: rests, as an offered member would
    (DAY, "b", "outreach", 5, 0.9, -0.1),
    (DAY, "h2", "holdout", 6, 0.09, -0.1),
    (DAY, "e", "explore", 7, 0.09, -0.1),
    (DAY, "n", "below_capacity", 8, 0.09, -0.1),
    (DAY, "h5", "holdout", 4, 0.09, -0.2),  # above the last one called, but not in tonight's best allocation
    (NEXT, "h1", "holdout", 1, 0.9, -0.2),  # was listed yesterday: rests
    (NEXT, "c", "outreach", 2, 0.9, -0.3),
    (NEXT, "h2", "holdout", 4, 0.09, -0.1),  # nobody was drawn to explore on this night
]
# member, day of the visit, known on
VISITS = [
    ("a", "2024-01-10", "2024-02-01"),
    ("b", "2024-04-20", "2024-04-25"),  # after the horizon
    ("c", "2024-01-01", "2024-01-09"),  # before the offer
    ("c", "2024-03-01", "2024-07-05"),  # known after run-out
    ("h1", "2024-01-05", "2024-01-20"),
    ("h1", "2024-02-05", "2024-02-20"),
    ("h2", "2024-02-05", "2024-02-20"),
    ("h4", "2024-01-20", "2024-02-20"),  # dated after death: not followed any more
]
_TABLES = ("outreach.priority", "core.outcome_event", "core.member", "core.eligibility")


@pytest.fixture
def lists(spark: Any) -> Iterator[None]:
    ensure_tables(spark, [contract(name) for name in _TABLES])
    listed = ", ".join(f"(date'{n}', '{m}', '{d}', {r}, {p}D, {c}D)" for n, m, d, r, p, c in LISTS)
    visited = ", ".join(f"('{m}', date'{d}', timestamp'{k}')" for m, d, k in VISITS)
    spark.sql(f"""
        insert into outreach.priority
            (data_source, program, run_date, member_id, decision, priority_rank, assignment_probability, cate, channel)
        select '{SOURCE}', '{PROGRAM}', *, case when decision in ('outreach', 'explore') then if(member_id = 'b', 'text', 'phone') end
        from values {listed} as l (run_date, member_id, decision, priority_rank, assignment_probability, cate)""")
    spark.sql(f"""
        insert into core.outcome_event (data_source, event_type, member_id, event_start_date, event_end_date, known_at)
        select '{SOURCE}', 'ed_visit', member_id, day, day, known from values {visited} as v (member_id, day, known)""")
    spark.sql(f"""
        insert into core.member (data_source, member_id, death_date) values ('{SOURCE}', 'h4', date'2024-01-15')""")
    yield
    for name in _TABLES:
        spark.sql(f"delete from {name} where data_source = '{SOURCE}'")


@pytest.mark.timeout(900)
def test_who_is_compared_and_what_counts(spark: Any, lists: None) -> None:
    window = Window(date(2024, 1, 1), 2, date(2024, 1, 2), "m:1")
    program = program_of(PROGRAM)
    assert window.known_as_of(program) == date(2024, 6, 30)
    arms = {(row["band"], row["is_offered"]): row for row in arm_sums(spark, program, SOURCE, window)}
    counts = {arm: (row["members"], round(row["v"] / row["w"], 6)) for arm, row in arms.items()}
    assert counts == {
        ("listed", True): (3, 0.333333),  # a has one visit, b and c none that counts
        ("listed", False): (2, 1.0),  # h1 has two, h4 died first; h3 rests
        ("listed_upper_half", True): (1, 1.0),
        ("listed_upper_half", False): (1, 0.0),
        ("listed_lower_half", True): (2, 0.0),
        ("listed_lower_half", False): (1, 2.0),
        ("explored", True): (1, 0.0),
        ("explored", False): (2, 0.5),  # h2 and h5
    }
    listed = arms["listed", True]
    assert program.channels["text"].effect_share == 0.4
    assert listed["predicted"] == pytest.approx((-0.2 - 0.1 * 0.4 - 0.3) / 3)
    assert listed["w"] == pytest.approx(3 / 0.9)
    assert arms["listed", False]["w"] == pytest.approx(2 / 0.1)
    assert arms["explored", True]["w"] == pytest.approx(1 / 0.09)
    assert arms["explored", False]["w"] == pytest.approx(2 / 0.1)


@pytest.mark.timeout(900)
def test_the_index_in_sql_is_that_of_causal(spark: Any) -> None:
    import pandas as pd

    rng = np.random.default_rng(3)
    size, nights = 4_000, {date(2024, m, 1): m for m in (1, 2, 7, 8)}
    frames = []
    for day in nights:
        late = day == date(2024, 8, 1)
        spend = np.exp(rng.normal(4 + 0.5 * late, 1, size))
        spend[rng.random(size) < 0.1] = np.nan
        frames.append(
            pd.DataFrame({
                "member_id": [f"m{i}" for i in range(size)], "as_of_date": day, "spend": spend,
                "visits": rng.poisson(0.3 if not late else 0.45, size), "flat": 1.0, "never": np.nan,
                "season": rng.normal(10 if day.month < 6 else 20, 1, size),
                # Nobody had it before: half have it now; everybody has; nobody of the three of whom it is known had.
                "new": np.arange(size) % 2 * float(late), "for_all": float(late),
                "few": np.where(np.arange(size) < 3, float(not late), np.nan),
            })
        )  # fmt: skip
    rows = pd.concat(frames, ignore_index=True)
    spark.createDataFrame(rows.astype({"as_of_date": object})).createOrReplaceTempView("drift_case")
    dates, night = [day for day in nights if day.month < 8], date(2024, 8, 1)
    assert in_season(dates, night) == [date(2024, 7, 1)]
    names = ["spend", "visits", "flat", "never", "season", "new", "for_all", "few"]
    sql = features_sql("drift_case", "true", names, dates, night, size)
    comparison = Comparison(sql, "feature", {"all": min(dates)}, {"all": max(dates)})
    found = {row["variable"]: row for row in compare(spark, comparison, Monitoring())}
    assert set(found) == set(names)
    past, now = rows[rows["as_of_date"] != night], rows[rows["as_of_date"] == night]
    for name in names:
        expected = population_stability(past[name].to_numpy(float), now[name].to_numpy(float))
        assert found[name]["psi"] == pytest.approx(expected, rel=0.03, abs=0.002), name
        assert found[name]["reference_count"] == 3 * size
        assert found[name]["night_count"] == size
    assert {name for name, row in found.items() if row["is_moved"]} == {"spend", "visits", "season", "new", "for_all"}
    assert found["visits"]["psi"] < 0.1, "the index alone would not have seen it"
    assert found["flat"]["psi"] == found["never"]["psi"] == 0
    assert found["never"]["night_mean"] is None
