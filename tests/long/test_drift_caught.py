"""Emergency use of a simulated plan rises by 30 %: drift says so within two monthly windows, after a year of silence.

60,000 members: at 24,000 a month's emergency visits have a standard error of 6 %, and a rise of 30 % takes a third month.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from causal.realized import is_alarm
from contracts.catalog import contract
from contracts.programs import programs
from jobs.delta import ensure_tables
from jobs.drift import Comparison, compare, drifted, features_sql, in_season, update_drift
from jobs.simulate import Shifts, SimulationConfig
from jobs.simulate.months import member_months
from jobs.simulate.population import members

SOURCE, TRAINED, QUIET, DRIFT = "tuva", range(13, 25), range(25, 37), 36  # months
CONFIG = SimulationConfig(
    members=60_000, months=38, end_date=date(2026, 7, 31), seed=31, shifts=Shifts(drift_month=DRIFT)
)
COUNTS = {"ed_visit_30d_count": ("ed_0", 1), "ed_visit_90d_count": ("ed_0", 3), "ed_visit_365d_count": ("ed_0", 12),
          "acute_admission_90d_count": ("adm_0", 3)}  # fmt: skip


def month(m: int) -> date:
    index = CONFIG.first_month.year * 12 + CONFIG.first_month.month - 1 + m
    return date(index // 12, index % 12 + 1, 1)


def _fill(spark: Any, name: str, frame: Any, columns: dict[str, str]) -> None:
    table = contract(name)
    ensure_tables(spark, [table])
    frame.selectExpr(
        *(f"cast({columns.get(c.name, 'null')} as {c.spark_type}) as {c.name}" for c in table.columns)
    ).write.format("delta").mode("overwrite").saveAsTable(name)


@pytest.fixture(scope="module")
def features(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Counts of events as of the first of each month; index dates of a training on the first year of them."""
    path = str(tmp_path_factory.mktemp("drift") / "events")
    # The month after the last is that of the night: nothing has happened in it.
    lived = member_months(members(spark, CONFIG), CONFIG).where(f"is_enrolled and m < {CONFIG.months}")
    lived.select("member_id", "m", "age", "ed_0", "adm_0").write.parquet(path)
    spark.read.parquet(path).createOrReplaceTempView("events")
    counts = ", ".join(f"sum(if(m >= seen - {n}, {c}, 0)) as {name}" for name, (c, n) in COUNTS.items())
    counted = spark.sql(f"""
        select member_id, add_months(date'{CONFIG.first_month}', seen) as day, max(age) as age, {counts}
        from events lateral view explode(sequence(greatest(m + 1, {TRAINED[0]}), least(m + 12, {CONFIG.months}))) as seen
        where m + 12 >= {TRAINED[0]} group by member_id, seen having max(m) = seen - 1""")
    same = {name: name for name in ("member_id", "age", *COUNTS)}
    flags = {"data_source": f"'{SOURCE}'", "is_enrolled": "true", "is_deceased": "false", "as_of_date": "day"}
    _fill(spark, "features.member_feature", counted, {**same, **flags})
    dates = spark.createDataFrame([(month(m),) for m in TRAINED], "index_date date")
    trained = {"data_source": f"'{SOURCE}'", "index_date": "index_date", "trained_as_of": f"date'{month(TRAINED[-1])}'"}
    _fill(spark, "causal.cohort", dates, trained)
    ensure_tables(spark, [contract("core.medical_claim")])  # of this world there are none: every index date counts
    yield
    for name in ("features.member_feature", "causal.cohort", "ops.drift", "ops.alert"):
        ensure_tables(spark, [contract(name)])
        spark.sql(f"delete from {name}")


@pytest.mark.timeout(2400)
def test_a_quiet_year_is_quiet(spark: Any, features: None) -> None:
    """Twelve monthly windows, by the very query and limits of the night, on the variables that this world has."""
    limits, names = programs().monitoring, ["age", *COUNTS]
    moved: dict[str, list[bool]] = {name: [] for name in names}
    alarms = []
    for m in QUIET:
        dates = in_season([month(t) for t in TRAINED], month(m))
        sql = features_sql("features.member_feature", "true", names, dates, month(m), 47_000)
        for row in compare(spark, Comparison(sql, "feature", {"all": dates[0]}, {"all": dates[-1]}), limits):
            past = moved[row["variable"]]
            past.append(row["is_moved"])
            if row["is_moved"] and is_alarm(past, limits.drift.k, limits.drift.n):
                alarms.append((m, row["variable"]))
    assert len(alarms) <= 1, f"false alarms in a quiet year: {alarms}"


@pytest.mark.timeout(2400)
def test_drift_is_caught_within_two_windows(spark: Any, features: None) -> None:
    for m in (DRIFT + 1, DRIFT + 2):
        update_drift(SOURCE, month(m), run_id="drift")
    raised = spark.sql(f"select * from ops.alert where kind = 'drift' and data_source = '{SOURCE}'").collect()
    top = drifted(SOURCE, month(DRIFT + 2))[0]
    shown = {name: top[name] for name in ("variable", "psi", "reference_mean", "night_mean", "mean_z")}
    assert len(raised) == 1, f"emergency use rose by 30 % and nobody was told: {shown}"
    assert (raised[0]["severity"], raised[0]["run_date"]) == ("error", month(DRIFT + 2))
    assert "ed_visit" in raised[0]["subject"], raised[0]["subject"]
    assert top["is_alarm"]
    assert top["psi"] < programs().monitoring.psi_limit, "the index alone would have done: then why the means"
    update_drift(SOURCE, month(DRIFT + 2), run_id="again")
    again = spark.sql(f"select * from ops.alert where kind = 'drift' and data_source = '{SOURCE}'").collect()
    assert len(again) == 1, "a night run again raised its alarm again"
