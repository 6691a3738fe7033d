"""Staging of the real files equals figures that DuckDB computes straight from them, by another path than ours."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import duckdb
import pytest

from contracts.catalog import contract, layer
from contracts.model import Survey
from contracts.quality import together, utilisation
from jobs.dbt import run_dbt
from jobs.delta import columns_of
from jobs.ingest.land import ensure_raw, land
from jobs.profile import survey_answer
from jobs.row_flags import tally

# Setting up lands and stages 1.7 million rows; on a busy machine that is most of the time.
pytestmark = pytest.mark.timeout(1200)

SYNTHEA = ("synthea_3_0_0", "synthea_3_3_0")


@pytest.fixture(scope="module")
def staged(spark: Any, real_data: Path) -> Any:
    """DE-SynPUF and both Synthea exports, landed and staged."""
    ensure_raw(spark)
    land(spark, "desynpuf", [real_data / "desynpuf"], uuid.uuid4().hex)
    land(spark, "synthea_csv", [real_data / folder for folder in SYNTHEA], uuid.uuid4().hex)
    run_dbt("path:models/staging", run_id=uuid.uuid4().hex)
    return spark


@pytest.fixture(scope="module")
def files(real_data: Path) -> duckdb.DuckDBPyConnection:
    """The delivered files as DuckDB views, all text."""
    db = duckdb.connect()
    db.execute("set threads = 2")
    reader = "read_csv({}, all_varchar = true, header = true, union_by_name = true, filename = true)"
    for name, pattern in (("summary", "*Beneficiary*"), ("inpatient", "*Inpatient*")):
        db.execute(f"create view {name} as select * from {reader.format(repr(str(real_data / 'desynpuf' / pattern)))}")
    for name in (
        "patients",
        "claims",
        "claims_transactions",
        "medications",
        "conditions",
        "payer_transitions",
        "encounters",
    ):
        paths = [str(real_data / folder / f"{name}.csv.gz") for folder in SYNTHEA]
        db.execute(f"create table {name} as select * from {reader.format(paths)}")
    return db


def same(spark: Any, files: duckdb.DuckDBPyConnection, ours: str, theirs: str) -> None:
    """Both queries give the same rows, exactly."""
    left = sorted(tuple(row) for row in spark.sql(ours).collect())
    right = sorted(files.execute(theirs).fetchall())
    assert left == right
    assert left, "nothing was compared"


def test_every_staging_table_has_the_columns_of_its_contract(staged: Any) -> None:
    for table in (table for table in layer("staging") if table.table.startswith("stg_")):
        assert columns_of(staged, table.name) == {c.name: c.spark_type for c in table.columns}, table.name


def test_desynpuf_members_per_year(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    same(
        staged, files,
        "select year(known_at) + 1, count(*), count(distinct member_id), count(death_date) from staging.stg_desynpuf__member group by 1",
        "select regexp_extract(filename, 'DE1_0_(\\d{4})', 1)::int, count(*), count(distinct DESYNPUF_ID), count(BENE_DEATH_DT) from summary group by 1",
    )  # fmt: skip
    same(staged, files, "select count(distinct member_id) from staging.stg_desynpuf__member", "select 20000")


def test_desynpuf_claims_lines_and_payments_per_year(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    same(
        staged, files,
        """select year(discharge_date), count(*), count(distinct claim_id), count(distinct member_id), sum(paid_amount),
                  count_if(paid_amount < 0), count_if(rendering_npi is null), sum(size(diagnosis_codes))
           from staging.stg_desynpuf__medical_claim where claim_line_number = 1 and bill_type_code = '111' group by 1""",
        """select left(NCH_BENE_DSCHRG_DT, 4)::int, count(*), count(distinct CLM_ID), count(distinct DESYNPUF_ID),
                  sum(CLM_PMT_AMT::decimal(12, 2)), count(*) filter (CLM_PMT_AMT::double < 0), count(*) filter (AT_PHYSN_NPI is null),
                  sum(len(list_distinct(list_filter([ICD9_DGNS_CD_1, ICD9_DGNS_CD_2, ICD9_DGNS_CD_3, ICD9_DGNS_CD_4, ICD9_DGNS_CD_5,
                    ICD9_DGNS_CD_6, ICD9_DGNS_CD_7, ICD9_DGNS_CD_8, ICD9_DGNS_CD_9, ICD9_DGNS_CD_10], lambda c: c is not null))))
           from inpatient where SEGMENT = '1' group by 1""",
    )  # fmt: skip
    same(staged, files, "select count(*), sum(paid_amount) from staging.stg_desynpuf__medical_claim where bill_type_code = '111'",
         "select count(*), sum(CLM_PMT_AMT::decimal(12, 2)) from inpatient")  # fmt: skip


def test_desynpuf_stays_are_told_by_a_notice_first(staged: Any) -> None:
    (row,) = staged.sql(
        """select count(*) as stays, count_if(n = 2) as told_twice, count_if(days = 28) as weeks_before, max(notice_paid) as paid
           from (select claim_id, count(*) as n, datediff(max(known_at), min(known_at)) as days,
                        max(if(bill_type_code = '110', paid_amount, null)) as notice_paid
                 from staging.stg_desynpuf__medical_claim where claim_line_number = 1 group by claim_id)"""
    ).collect()
    assert row.stays == row.told_twice == row.weeks_before > 10_000
    assert row.paid == 0


def test_desynpuf_second_segments_are_lines_of_their_claim(staged: Any) -> None:
    rows = staged.sql(
        """select second.claim_start_date = first.claim_start_date and second.admission_date = first.admission_date
                  and second.diagnosis_codes = first.diagnosis_codes as is_same
           from staging.stg_desynpuf__medical_claim as second
           left join staging.stg_desynpuf__medical_claim as first
             on first.claim_id = second.claim_id and first.claim_line_number = 1 and first.bill_type_code = '111'
           where second.claim_line_number = 2"""
    ).collect()
    assert [row.is_same for row in rows] == [True] * 11


def test_desynpuf_coverage(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    months = "greatest(BENE_HI_CVRAGE_TOT_MONS::int, BENE_SMI_CVRAGE_TOT_MONS::int)"
    same(
        staged, files,
        """select year(enrollment_start_date), count(distinct member_id), count(distinct if(is_claims_complete, null, member_id)),
                  count(distinct if(is_claims_complete, member_id, null))
           from staging.stg_desynpuf__eligibility group by 1""",
        f"""select regexp_extract(filename, 'DE1_0_(\\d{{4}})', 1)::int, count(*), count(*) filter (BENE_HMO_CVRAGE_TOT_MONS::int > 0),
                   count(*) filter (BENE_HMO_CVRAGE_TOT_MONS::int = 0)
            from summary where {months} > 0 group by 1""",
    )  # fmt: skip
    (broken,) = staged.sql(
        """select count_if(known_at > enrollment_end_date or enrollment_end_date < enrollment_start_date) as n
           from staging.stg_desynpuf__eligibility"""
    ).collect()
    assert broken.n == 0


def test_desynpuf_flags_are_told_on_the_last_day_of_their_year(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    same(
        staged, files,
        "select cast(known_at as date), count_if(code = 'sp_diabetes'), count_if(code = 'sp_chf'), count_if(code = 'bene_esrd_ind')"
        " from staging.stg_desynpuf__condition group by 1",
        """select make_date(regexp_extract(filename, 'DE1_0_(\\d{4})', 1)::int, 12, 31), count(*) filter (SP_DIABETES = '1'),
                  count(*) filter (SP_CHF = '1'), count(*) filter (BENE_ESRD_IND = 'Y') from summary group by 1""",
    )  # fmt: skip


CARE_CLAIMS = """
    with heads as (select CLAIMID, arg_min(PROCEDURECODE, CHARGEID::int) as code from claims_transactions where TYPE = 'CHARGE' group by 1),
    drugs as (select distinct ENCOUNTER, CODE from medications),
    care as (
        select claims.Id from claims join heads on heads.CLAIMID = claims.Id
        where not exists (select 1 from drugs where drugs.ENCOUNTER = claims.APPOINTMENTID and drugs.CODE = heads.code)
    )
"""


def test_synthea_charges_and_payments_per_year(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    same(
        staged, files,
        """select year(claim_line_start_date), count(*), count(distinct claim_id), count(distinct member_id),
                  sum(charge_amount), sum(allowed_amount), sum(paid_amount)
           from staging.stg_synthea_csv__medical_claim group by 1""",
        f"""{CARE_CLAIMS}, paid as (
              select CLAIMID, left(FROMDATE, 4)::int as y, TYPE, AMOUNT::decimal(12, 2) as a, PAYMENTS::decimal(12, 2) as p, METHOD, PATIENTID
              from claims_transactions where CLAIMID in (select Id from care)
            )
            select y, count(*) filter (TYPE = 'CHARGE'), count(distinct CLAIMID), count(distinct PATIENTID),
                   sum(a) filter (TYPE = 'CHARGE'), coalesce(sum(p) filter (TYPE = 'PAYMENT'), 0),
                   coalesce(sum(p) filter (TYPE = 'PAYMENT' and METHOD = 'ECHECK'), 0)
            from paid group by 1""",
    )  # fmt: skip


def test_synthea_care_and_drug_claims_are_all_the_claims(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    same(staged, files,
         "select count(distinct claim_id) + (select count(distinct claim_id) from staging.stg_synthea_csv__pharmacy_claim)"
         " from staging.stg_synthea_csv__medical_claim",
         "select count(*) from claims")  # fmt: skip


def test_synthea_stays_and_emergency_visits_can_be_told(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    same(
        staged, files,
        """select count(distinct if(bill_type_code = '111', claim_id, null)), count(distinct if(bill_type_code = '211', claim_id, null)),
                  count(distinct if(place_of_service_code = '23' or revenue_center_code = '0450', claim_id, null))
           from staging.stg_synthea_csv__medical_claim""",
        """select count(*) filter (ENCOUNTERCLASS = 'inpatient'), count(*) filter (ENCOUNTERCLASS = 'snf'),
                  count(*) filter (ENCOUNTERCLASS = 'emergency') from encounters""",
    )  # fmt: skip


def test_synthea_fills_and_their_cents(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    same(
        staged, files,
        """select drug_code, count(*), count(distinct claim_id), sum(allowed_amount), sum(paid_amount)
           from staging.stg_synthea_csv__pharmacy_claim group by 1""",
        """select CODE, sum(greatest(DISPENSES::int, 1)), count(*), sum(TOTALCOST::decimal(12, 2)), sum(PAYER_COVERAGE::decimal(12, 2))
           from medications group by 1""",
    )  # fmt: skip


def test_synthea_members_spans_and_conditions(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    same(
        staged, files,
        """select (select count(distinct member_id) from staging.stg_synthea_csv__member),
                  (select count(death_date) from staging.stg_synthea_csv__member),
                  (select count(*) from staging.stg_synthea_csv__eligibility), (select count(*) from staging.stg_synthea_csv__condition)""",
        """select (select count(distinct Id) from patients), (select count(DEATHDATE) from patients),
                  (select count(*) from payer_transitions), (select count(*) from conditions)""",
    )  # fmt: skip


def broken(spark: Any, table: str) -> dict[str, int]:
    """Rows that break each rule of a table's contract, by the very pass that a night runs."""
    return dict(tally(spark.table(table), contract(table)).broken)


def measured(spark: Any, survey: Survey, table: str, **beside: str) -> dict[str, float]:
    """A survey of `core` asked of a staging table as if all of its rows were in force; `beside`: SQL of other tables."""
    rows = spark.table(table).selectExpr("*", "cast(null as timestamp) as superseded_at", "false as is_void")
    asked = survey_answer(spark, survey, rows, lambda name: f"({beside[name.partition('.')[2]]})")
    return {row["name"]: row["value"] for row in asked.collect()}


def counted(files: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    """The one row of a query."""
    row = files.execute(query).fetchone()
    assert row is not None
    return tuple(int(value) for value in row)


def test_dirt_of_desynpuf_claims_is_met_by_rules(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    """Each stay comes twice, as a notice and as its claim; only the claim has the payment and the DRG."""
    found = broken(staged, "staging.stg_desynpuf__medical_claim")
    negative, no_npi, second, odd_drg, others = counted(
        files,
        """select count(*) filter (CLM_PMT_AMT::double < 0), sum(if(SEGMENT = '1', 2, 1)) filter (AT_PHYSN_NPI is null),
                  count(*) filter (SEGMENT = '2'), count(*) filter (not regexp_matches(drg, '^[0-9]{3}$')), count(*) filter (drg = 'OTH')
           from (select *, max(CLM_DRG_CD) filter (SEGMENT = '1') over (partition by filename, CLM_ID) as drg from inpatient)""",
    )
    assert (found["original_not_negative"], found["has_rendering_npi"], found["is_first_segment"], found["drg_is_a_number"]) == (
        negative, no_npi, second, odd_drg,
    )  # fmt: skip
    assert odd_drg == others > 0, "a DRG that is no number is the word OTH"
    assert min(negative, no_npi, second) > 0


def test_members_of_an_hmo_are_met_by_a_rule(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    """Their spans are marked incomplete: once when the year begins, and again where coverage ends within the year."""
    found = broken(staged, "staging.stg_desynpuf__eligibility")["claims_are_complete"]
    spans = staged.sql(
        """select count(*) as rows, count(distinct member_id, year(enrollment_start_date)) as years
           from staging.stg_desynpuf__eligibility where not is_claims_complete"""
    ).collect()[0]
    (years,) = counted(
        files,
        """select count(*) from summary where BENE_HMO_CVRAGE_TOT_MONS::int > 0
           and greatest(BENE_HI_CVRAGE_TOT_MONS::int, BENE_SMI_CVRAGE_TOT_MONS::int) > 0""",
    )
    assert (found, spans["years"]) == (spans["rows"], years)
    assert years > 10_000


STAYS = "(select *, CLM_ADMSN_DT as admitted, NCH_BENE_DSCHRG_DT as discharged from inpatient where SEGMENT = '1')"


def test_overlapping_stays_are_met_by_a_rule(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    found = measured(staged, together.STAYS, "staging.stg_desynpuf__medical_claim")
    (overlapping,) = counted(
        files,
        f"""select count(*) from {STAYS} as later where exists (
              select 1 from {STAYS} as earlier where earlier.DESYNPUF_ID = later.DESYNPUF_ID
              and (earlier.admitted, earlier.CLM_ID) < (later.admitted, later.CLM_ID) and earlier.discharged > later.admitted)""",
    )
    assert found == {"stay_does_not_overlap": overlapping}
    assert overlapping > 0


def test_thinned_year_is_met_by_a_measure(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    """Stays per covered day of the last year that is told in full against the year before; coverage is even."""
    found = measured(
        staged, utilisation.CLAIMS, "staging.stg_desynpuf__medical_claim",
        member_month="select explode(sequence(date'2008-01-01', date'2010-12-01', interval 1 month)) as year_month, 1000000 as covered_days",
    )["stay_rate_like_year_before"]  # fmt: skip
    _, *stays = counted(
        files,
        """with stay as (select strptime(CLM_FROM_DT, '%Y%m%d')::date as starts, strptime(CLM_THRU_DT, '%Y%m%d')::date as ends from inpatient where SEGMENT = '1'),
             told as (select date_trunc('month', max(ends) + 30)::date - interval 3 month as until from stay)
           select 1, count(*) filter (starts >= until - interval 12 month and starts < until),
             count(*) filter (starts >= until - interval 24 month and starts < until - interval 12 month) from stay, told""",
    )
    assert found == pytest.approx(stays[0] / stays[1])
    (measure,) = (m for m in utilisation.CLAIMS.measures if m.name == "stay_rate_like_year_before")
    assert not measure.holds(found)


def test_dirt_of_synthea_transactions_is_met_by_rules(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    found = broken(staged, "raw.synthea_csv__claims_transactions")
    transfers, no_amount, no_code = counted(
        files,
        """select count(*) filter (TYPE in ('TRANSFERIN', 'TRANSFEROUT')), count(*) filter (AMOUNT is null),
                  count(*) filter (PLACEOFSERVICE is not null and not regexp_full_match(PLACEOFSERVICE, '[0-9]{2}'))
           from claims_transactions""",
    )
    assert (found["is_no_transfer"], found["amount_is_given"], found["place_is_a_code"]) == (
        transfers,
        no_amount,
        no_code,
    )
    (payments,) = counted(files, "select count(*) from claims_transactions where TYPE = 'PAYMENT' and AMOUNT is null")
    assert no_amount >= payments > 0
    assert min(transfers, no_code) > 0


def test_dirt_of_synthea_claims_is_met_by_rules(staged: Any, files: duckdb.DuckDBPyConnection) -> None:
    found = broken(staged, "staging.stg_synthea_csv__medical_claim")
    begun = "coalesce(encounters.START, claims.SERVICEDATE)[:10]::date"
    old, snomed = counted(
        files,
        f"""{CARE_CLAIMS} select count(*) filter ({begun} < date '1980-01-01'), count(*) filter (claims.DIAGNOSIS1 is not null)
            from claims_transactions join care on care.Id = CLAIMID join claims on claims.Id = CLAIMID
            left join encounters on encounters.Id = claims.APPOINTMENTID where TYPE = 'CHARGE'""",
    )
    assert (found["service_is_of_our_time"], found["diagnoses_are_of_claims"]) == (old, snomed)
    dead, heavy = counted(
        files,
        f"""{CARE_CLAIMS}, told as (
              select PATIENTID, {begun} > patients.DEATHDATE::date as is_late from claims join care using (Id)
              join patients on patients.Id = PATIENTID left join encounters on encounters.Id = claims.APPOINTMENTID)
            select (select count(*) from told where is_late),
                   (select count(*) from (select 1 from told group by PATIENTID having count(*) > 500))""",
    )
    members = "select data_source, member_id, sex, birth_date, death_date from staging.stg_synthea_csv__member"
    late = measured(staged, together.CLAIM_AND_MEMBER, "staging.stg_synthea_csv__medical_claim", member=members)
    skewed = measured(staged, utilisation.HEAVY_USERS, "staging.stg_synthea_csv__medical_claim")
    assert (late["service_not_after_death"], skewed["member_has_at_most_500_claims"]) == (dead, heavy)
    assert min(old, snomed, dead, heavy) > 0


def test_staging_again_takes_in_nothing_twice(staged: Any) -> None:
    tables = [table.name for table in layer("staging") if table.table.startswith("stg_desynpuf")]
    before = {name: staged.table(name).count() for name in tables}
    run_dbt("path:models/staging/desynpuf", run_id=uuid.uuid4().hex)
    assert {name: staged.table(name).count() for name in tables} == before
