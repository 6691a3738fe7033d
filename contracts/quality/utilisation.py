"""Measures of the analytical tier: how much care, what it costs, how soon it is told; each with a reference range.

They look at the last twelve months that have had three more to be told (run-out), by the source's own clock. With less
than 50 member-years there is nothing to measure. Ranges span commercial and Medicare plans: a value outside says that a
feed is missing, doubled or misread, not that the plan is unusual.
"""

from __future__ import annotations

from contracts.model import Measure, Survey

_FEWEST_YEARS = 50
_MEDICARE = "MedPAC Data Book; HCUP Statistical Briefs (AHRQ)"

_HEARD = "heard as (select add_months(trunc(max(known_at), 'MM'), -3) as until from {rows})"
_YEARS = f"""years as (
      select if(sum(covered_days) >= {_FEWEST_YEARS} * 365.25, sum(covered_days) / 365.25, null) as n
      from {{core.member_month}} cross join heard
      where year_month >= add_months(until, -12) and year_month < until
    )"""


def _seen(day: str, columns: str, condition: str = "superseded_at is null", months: int = 12) -> str:
    """Rows of the last months, by the date `day`."""
    return f"""seen as (
      select {columns} from {{rows}} cross join heard
      where {condition} and {day} >= add_months(until, -{months}) and {day} < until
    )"""


def _per_thousand(condition: str) -> str:
    return f"1000 * count_if({condition}) / max(n)"


ENCOUNTERS = Survey(
    f"""
    with {_HEARD}, {_YEARS}, {_seen("encounter_start_date", "*")}
    select
      {_per_thousand("encounter_type = 'emergency_department'")} as ed_visits_per_1000,
      {_per_thousand("encounter_type = 'acute_inpatient'")} as admissions_per_1000,
      {_per_thousand("encounter_type in ('office_visit', 'telehealth', 'urgent_care')")} as office_visits_per_1000,
      avg(if(n is not null and encounter_type = 'acute_inpatient', length_of_stay_days, null)) as mean_length_of_stay_days,
      if(max(n) is null, null, avg(if(encounter_type = 'acute_inpatient', if(is_unplanned, 1, 0), null)))
        as unplanned_admission_share,
      if(max(n) is null, null, avg(if(encounter_type = 'acute_inpatient', if(primary_diagnosis_code is null, 1, 0), null)))
        as admission_without_diagnosis_share
    from years left join seen on true""",
    (
        Measure("ed_visits_per_1000", "Emergency visits per 1,000 member-years.", 100, 1000, "visits", "NCHS Data Brief 478: 430 in 2021, all payers; HEDIS EDU: 150 (commercial) to 510 (Medicare)"),
        Measure("admissions_per_1000", "Acute admissions per 1,000 member-years.", 30, 450, "admissions", _MEDICARE),
        Measure("office_visits_per_1000", "Visits in an office, by video or in urgent care, per 1,000 member-years.", 800, 12000, "visits", "NAMCS 2019: 3,200, all payers"),
        Measure("mean_length_of_stay_days", "Mean length of an acute stay.", 2.5, 8, "days", _MEDICARE),
        Measure("unplanned_admission_share", "Share of acute admissions that were not elective.", 0.5, 1, "of admissions", _MEDICARE),
        Measure("admission_without_diagnosis_share", "Share of acute admissions without a principal diagnosis.", 0, 0.02, "of admissions"),
    ),
)  # fmt: skip

CLAIMS = Survey(
    f"""
    with {_HEARD}, {_YEARS}, {_seen(
        "claim_start_date",
        "claim_line_number, paid_amount, known_at, claim_end_date, trunc(claim_start_date, 'MM') as month, diagnosis_codes",
        "superseded_at is null and not is_void",
    )},
    by_month as (select count(*) as lines from seen group by month),
    steady as (select if(count(*) >= 6, min(lines) / median(lines), null) as share from by_month)
    select
      sum(cast(paid_amount as double)) / max(n) / 12 as medical_paid_per_member_month,
      if(max(n) is null, null, avg(if(size(diagnosis_codes) = 0, 1, 0))) as line_without_diagnosis_share,
      if(max(n) is null, null, avg(if(datediff(cast(known_at as date), claim_end_date) <= 90, 1, 0)))
        as known_within_90_days_share,
      if(max(n) is null, null, avg(if(paid_amount = 0, 1, 0))) as unpaid_line_share,
      max(share) as thinnest_month_share
    from years left join seen on true cross join steady""",
    (
        Measure("medical_paid_per_member_month", "Paid for medical claims per member and month.", 100, 2500, "usd", "HCCI 2021: 540 with drugs (commercial); CMS: about 1,000 (Medicare fee for service)"),
        Measure("line_without_diagnosis_share", "Share of claim lines without any diagnosis.", 0, 0.02, "of lines"),
        Measure("known_within_90_days_share", "Share of claim lines known within 90 days of their service.", 0.8, 1, "of lines", "CCW, Medicare Claims Maturity"),
        Measure("unpaid_line_share", "Share of claim lines that pay nothing.", 0, 0.4, "of lines"),
        Measure("thinnest_month_share", "Lines of the thinnest month against the median month: a feed that failed to come.", 0.5, 1, "of the median month"),
    ),
)  # fmt: skip

STAY_CLAIMS = Survey(
    f"""
    with {_HEARD}, {_seen(
        "claim_start_date",
        "claim_start_date >= add_months(until, -12) as is_last_year",
        "superseded_at is null and not is_void and claim_line_number = 1 and bill_type_code rlike '^0?11[1-9]'",
        24,
    )}
    select
      if(count(*) >= 100, count_if(is_last_year) / nullif(count_if(not is_last_year), 0), null) as stay_claims_like_year_before
    from seen""",
    (
        Measure("stay_claims_like_year_before", "Claims for hospital stays in the last year against the year before.", 0.75, 1.33, "of the year before"),
    ),
)  # fmt: skip

FILLS = Survey(
    f"""
    with {_HEARD}, {_YEARS}, {_seen(
        "dispensing_date",
        "paid_amount, days_supply, trunc(dispensing_date, 'MM') as month",
        "superseded_at is null and not is_void",
    )},
    by_month as (select count(*) as fills from seen group by month),
    steady as (select if(count(*) >= 6, min(fills) / median(fills), null) as share from by_month)
    select
      {_per_thousand("days_supply is not null")} as fills_per_1000,
      sum(cast(paid_amount as double)) / max(n) / 12 as pharmacy_paid_per_member_month,
      if(max(n) is null, null, avg(days_supply)) as mean_days_supply,
      max(share) as thinnest_month_share
    from years left join seen on true cross join steady""",
    (
        Measure("fills_per_1000", "Fills per 1,000 member-years.", 4000, 60000, "fills", "KFF: about 12,000 retail fills, all payers; MedPAC: about 55,000 thirty-day fills (Part D)"),
        Measure("pharmacy_paid_per_member_month", "Paid for fills per member and month.", 20, 600, "usd", "HCCI 2021: 110 (commercial); MedPAC: about 300 gross (Part D)"),
        Measure("mean_days_supply", "Mean days that a fill lasts.", 15, 75, "days"),
        Measure("thinnest_month_share", "Fills of the thinnest month against the median month: a feed that failed to come.", 0.5, 1, "of the median month"),
    ),
)  # fmt: skip

MEMBERS = Survey(
    """
    select
      avg(if(sex = 'female', 1, 0)) as female_share,
      avg(if(death_date is not null, 1, 0)) as deceased_share
    from {rows}
    having count(*) >= 50""",
    (
        Measure("female_share", "Share of women among the members.", 0.35, 0.65, "of members"),
        Measure("deceased_share", "Share of the members that have died.", 0, 0.25, "of members"),
    ),
)  # fmt: skip

HEAVY_USERS = Survey(
    """
    select count(*) as member_has_at_most_1000_claims
    from (
      select count(*) as claims
      from {rows}
      where superseded_at is null and not is_void and claim_line_number = 1
      group by data_source, member_id
      having claims > 1000
    )""",
    (
        Measure("member_has_at_most_1000_claims", "Members with more than 1,000 medical claims: plans' heaviest, or one person's id used for many.", high=0),
    ),
)  # fmt: skip
