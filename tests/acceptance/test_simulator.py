"""The simulated plan: shape of the files, two clocks, published ranges, truth that its claims bear out.

Ranges and sources (per 1,000 member-years, dollars per member and month; a simulated plan is one draw of many):
- Emergency visits: Health Care Cost Institute (HCCI), Health Care Cost and Utilization Reports 2012-2022, about 180-260
  for employer plans; NCHS NHAMCS Emergency Department Summaries, 400-470 for all people and 450-700 from 65 on.
- Acute admissions: HCCI 2013-2022, 45-65 under 65; Krumholz 2015 (PMC5459402), 269 for Medicare fee for service in 2013,
  falling by 3 % a year since, with the disabled above: 190-290.
- Spending: HCCI, 5,607 dollars a person in 2020 and 6,711 in 2022 (467-559 a month); Medicare Trustees' reports,
  about 12,000-15,000 a beneficiary and year with Part D, less administration: 850-1,350 a month.
- Claims lag and corrections: ResDAC on CMS claims maturity: most professional claims within a month, 90 % within three.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from jobs.simulate import ENTITIES, Simulated, SimulationConfig, simulate

CONFIG = SimulationConfig(members=4_000, months=24, end_date=date(2026, 6, 20), seed=11)
RANGES = {
    "commercial": {"ed": (170, 280), "admissions": (40, 75), "pmpm": (400, 620)},
    "medicare": {"ed": (420, 760), "admissions": (180, 300), "pmpm": (800, 1400)},
}


@pytest.fixture(scope="module")
def plan(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return simulate(spark, CONFIG, tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="module")
def files(plan: Simulated) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for entity, folder in plan.folders.items():
            connection.execute(f"create view {entity} as select * from read_parquet('{folder}/part-*.parquet')")
        yield connection


@pytest.fixture(scope="module")
def rates(files: duckdb.DuckDBPyConnection) -> dict[str, dict[str, float]]:
    """Rates of a year with run-out, by payer type; each claim once, in its first version, unless voided."""
    files.execute("""
        create or replace temp table years as
        with spans as (
            select member_id, enrollment_start_date s, arg_max(enrollment_end_date, file_date) e, any_value(payer_type) payer
            from eligibility group by 1, 2
        ), months as (select unnest(generate_series(date '2025-02-01', date '2026-01-01', interval 1 month))::date m)
        select payer, count(*) / 12.0 as years from spans join months on s <= m and e >= m group by 1
    """)
    rows = files.execute("""
        with people as (select member_id, any_value(payer_type) payer from eligibility group by 1),
        claims as (
            select claim_id, any_value(member_id) member_id, any_value(bill_type_code) bill,
                bool_or(revenue_center_code like '045%') er, sum(allowed_amount) usd
            from (select distinct * from medical_claim where adjustment_type_code = '0'
                  and claim_start_date between '2025-02-01' and '2026-01-31')
            where claim_id not in (select claim_id from medical_claim where adjustment_type_code = '1')
            group by 1
        ), fills as (
            select people.payer, sum(allowed_amount) usd from pharmacy_claim join people using (member_id)
            where dispensing_date between '2025-02-01' and '2026-01-31' and adjustment_type_code = '0' group by 1
        )
        select payer, 1000.0 * count_if(er) / any_value(years), 1000.0 * count_if(bill = '111') / any_value(years),
            (sum(claims.usd) + any_value(fills.usd))::double / any_value(years) / 12
        from claims join people using (member_id) join years using (payer) join fills using (payer) group by 1
    """).fetchall()
    return {payer: {"ed": ed, "admissions": adm, "pmpm": pmpm} for payer, ed, adm, pmpm in rows}


def _one(files: duckdb.DuckDBPyConnection, sql: str) -> Any:
    return files.execute(sql).fetchall()[0]


@pytest.mark.parametrize("payer", sorted(RANGES))
@pytest.mark.parametrize("rate", ["ed", "admissions", "pmpm"])
def test_rates_are_within_published_ranges(rates: dict[str, dict[str, float]], payer: str, rate: str) -> None:
    low, high = RANGES[payer][rate]
    assert low <= rates[payer][rate] <= high, f"{payer} {rate}; all rates: {rates}"


@pytest.mark.parametrize("entity", ENTITIES)
def test_nothing_is_delivered_after_the_end(files: duckdb.DuckDBPyConnection, entity: str) -> None:
    rows, first, last = _one(files, f"select count(*), min(file_date), max(file_date) from {entity}")
    assert rows > 0
    assert CONFIG.first_month <= first
    assert last <= CONFIG.end_date


def test_claims_arrive_late(files: duckdb.DuckDBPyConnection) -> None:
    sql = "select quantile_cont(file_date - claim_end_date, [0.5, 0.98]) from medical_claim where claim_type = '{}' and adjustment_type_code = '0' and claim_end_date < '2025-12-01'"
    doctor, hospital = _one(files, sql.format("professional"))[0], _one(files, sql.format("institutional"))[0]
    assert 10 <= doctor[0] <= 18
    assert 22 <= hospital[0] <= 35
    assert hospital[1] >= 75, "the tail reaches three months"


def test_some_claims_are_adjusted_voided_and_doubled(files: duckdb.DuckDBPyConnection) -> None:
    adjusted, voided = _one(files, """
        select avg((adjustment_type_code = '2')::int), avg((adjustment_type_code = '1')::int) from medical_claim""")  # fmt: skip
    doubled = _one(files, """
        select avg((n > 1)::int) from (select count(*) n from medical_claim where adjustment_type_code = '0'
        group by claim_id, claim_line_number)""")[0]  # fmt: skip
    assert 0.02 < adjusted < 0.06
    assert 0.007 < voided < 0.025
    assert 0.003 < doubled < 0.02


def test_one_member_has_no_claim_and_one_has_thousands_of_lines(files: duckdb.DuckDBPyConnection) -> None:
    assert _one(files, "select count(*) from medical_claim where member_id = 'M000000001'")[0] == 0
    assert _one(files, "select count(*) from pharmacy_claim where member_id = 'M000000001'")[0] == 0
    assert _one(files, "select count(*) from medical_claim where member_id = 'M000000002'")[0] > 1500


def test_planted_dirty_rows_are_there_and_few(files: duckdb.DuckDBPyConnection) -> None:
    share = _one(files, "select avg((days_supply < 0)::int) from pharmacy_claim")[0]
    assert 0 < share < 0.005


def test_risk_falls_back_to_the_mean(spark: Any, files: duckdb.DuckDBPyConnection) -> None:
    """The 2 % with most admissions in half a year have far fewer in the next, whatever is done (CAUSAL, section 1)."""
    before, after = _one(files, """
        with stays as (select distinct claim_id, member_id, claim_start_date d from medical_claim where bill_type_code = '111'),
        whole as (select member_id, arg_max(enrollment_end_date, file_date) e, min(enrollment_start_date) s from eligibility group by 1
                  having s <= '2024-07-01' and e >= '2026-02-01'),
        counted as (select member_id, count_if(d between '2024-07-01' and '2025-04-30') a, count_if(d between '2025-05-01' and '2026-02-28') b
                    from whole left join stays using (member_id) group by 1),
        ranked as (select *, row_number() over (order by a desc, member_id) r, count(*) over () n from counted)
        select avg(a), avg(b) from ranked where r <= 0.02 * n""")  # fmt: skip
    assert 0.3 <= 1 - after / before <= 0.75, f"admissions of the top 2 %: {before:.2f}, then {after:.2f}"


def test_pilot_is_balanced_and_logs_its_probability(files: duckdb.DuckDBPyConnection) -> None:
    offered, rows, logged = _one(files, """
        select avg(is_offered::int), count(*), avg(assignment_probability) from outreach_contact where assigned_by = 'pilot'""")  # fmt: skip
    assert logged == 0.5
    assert abs(offered - 0.5) < 4 * 0.5 / rows**0.5


@pytest.fixture(scope="module")
def truth(spark: Any, plan: Simulated) -> Any:
    """Truth beside the pilot's and the care managers' assignments."""
    contacts = spark.read.parquet(str(plan.folders["outreach_contact"]))
    truth = spark.table("truth.potential_outcome").where("data_source = 'tuva' and realized_y0 is not null")
    hidden = spark.table("truth.unmeasured").where("data_source = 'tuva'").select("member_id", "hidden")
    keyed = contacts.selectExpr("member_id", "program", "assigned_date as index_date", "assigned_by", "is_offered")
    return truth.join(keyed, ["member_id", "program", "index_date"], "left").join(hidden, "member_id").toPandas()


def test_the_effect_is_in_the_pilots_outcomes(truth: Any) -> None:
    """Adherence: the pilot's difference in what happened equals the mean true effect within its error."""
    arms = truth[(truth.program == "medication_adherence") & (truth.assigned_by == "pilot")]
    treated, control = arms[arms.is_offered.eq(True)], arms[arms.is_offered.eq(False)]
    estimate = treated.realized_y1.mean() - control.realized_y0.mean()
    error = (treated.realized_y1.var() / len(treated) + control.realized_y0.var() / len(control)) ** 0.5
    assert abs(estimate - arms.effect.mean()) < 3.5 * error, (estimate, arms.effect.mean(), error)
    assert arms.effect.mean() < -3


def test_expected_outcomes_are_the_means_of_realized_ones(truth: Any) -> None:
    for program, rows in truth.groupby("program"):
        for arm in ("0", "1"):
            gap = rows[f"realized_y{arm}"] - rows[f"expected_y{arm}"]
            by_member = gap.groupby(rows.member_id).agg(["sum", "size"])
            error = by_member["sum"].std() * len(by_member) ** 0.5 / len(rows)
            assert abs(gap.mean()) < 4.5 * error + 0.02 * rows[f"expected_y{arm}"].mean(), (
                program,
                arm,
                gap.mean(),
                error,
            )


def test_effects_differ_between_members_and_harm_a_slice(truth: Any) -> None:
    ed = truth[truth.program == "ed_diversion"]
    assert (ed[ed.is_harmed_slice].effect >= 0).all()
    assert (ed[~ed.is_harmed_slice].effect <= 0).all()
    relative = ed.effect / ed.expected_y0.clip(lower=1e-9)
    assert relative.quantile(0.1) < -0.35
    assert relative[~ed.is_harmed_slice].quantile(0.9) > -0.1
    transitions = truth[truth.program == "transitions_of_care"]
    assert (transitions.effect == 0).all()


def test_ranking_by_risk_is_not_ranking_by_benefit(truth: Any) -> None:
    ed = truth[(truth.program == "ed_diversion") & truth.is_eligible]
    top = int(len(ed) * 0.1)
    by_risk = ed.nlargest(top, "expected_y0").effect.mean()
    by_effect = ed.nsmallest(top, "effect").effect.mean()
    assert by_effect < 2 * min(by_risk, 0) - 0.02, (by_risk, by_effect)


def test_care_managers_choice_is_confounded_seen_and_unseen(truth: Any) -> None:
    ed = truth[(truth.program == "ed_diversion") & truth.is_eligible]
    chosen, others = ed[ed.assigned_by == "care_manager"], ed[ed.assigned_by.isna()]
    assert chosen.hidden.mean() > others.hidden.mean() + 0.2
    naive = chosen.realized_y1.mean() - others.realized_y0.mean()
    assert naive > chosen.effect.mean() + 0.04, "a naive comparison sees harm that is not there"


def _hash(spark: Any, plan: Simulated) -> dict[str, Any]:
    from jobs.delta import content_of

    return {entity: content_of(spark.read.parquet(str(folder))) for entity, folder in plan.folders.items()}


def test_same_seed_same_rows_whatever_the_partitioning(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = SimulationConfig(members=60, months=8, end_date=date(2026, 6, 20), seed=3)
    before = spark.conf.get("spark.sql.shuffle.partitions")
    whole = _hash(spark, simulate(spark, config, tmp_path / "a", with_truth=False))
    try:
        spark.conf.set("spark.sql.shuffle.partitions", "3")
        monkeypatch.setattr("jobs.simulate.run.BATCH", 35)
        parts = _hash(spark, simulate(spark, config, tmp_path / "b", with_truth=False))
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert whole == parts
