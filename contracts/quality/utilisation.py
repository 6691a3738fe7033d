"""Measures of the analytical tier: how much care, what it costs, how soon it is told; each with a reference range.

They look at the last twelve months that have had three more to be told (run-out), by the source's own clock. With fewer
than 50 member-years there is nothing to measure. Ranges span commercial and Medicare plans: a value outside says that a
feed is missing, doubled or misread, not that the plan is unusual.
"""

from __future__ import annotations

from contracts.model import Measure, Survey

_FEWEST_DAYS = 50 * 365.25
_MEDICARE = "MedPAC Data Book; HCUP Statistical Briefs (AHRQ)"
_IN_FORCE = "superseded_at is null and not is_void"


def _monthly(day: str, condition: str, **sums: str) -> str:
    """One row per month: sums over the table's rows, covered `days`, and whether it is in the last year that is told in full.

    One scan of the table and one of the member months; all that follows is a few hundred rows.
    """
    columns = ", ".join(f"{sql} as {name}" for name, sql in sums.items())
    return f"""(
      select
        *,
        month >= add_months(until, -12) and month < until as is_last,
        month >= add_months(until, -24) and month < add_months(until, -12) as is_before
      from (
        select *, add_months(trunc(max(heard) over (), 'MM'), -3) as until
        from (
          select trunc({day}, 'MM') as month, max(known_at) as heard, count(*) as lines, {columns}
          from {{rows}} where {condition} group by 1
        ) as told
        full outer join (
          select year_month as month, sum(covered_days) as days from {{core.member_month}} group by 1
        ) as covered using (month)
      )
    )"""


def _last(column: str) -> str:
    """Sum over the last year; NULL with too few members to say anything."""
    enough = f"sum(if(is_last, days, 0)) >= {_FEWEST_DAYS}"
    return f"if({enough}, sum(if(is_last, {column}, 0)), null)"


def _per_thousand(column: str) -> str:
    return f"1000 * 365.25 * {_last(column)} / {_last('days')}"


def _per_member_month(column: str) -> str:
    return f"365.25 / 12 * {_last(column)} / {_last('days')}"


def _rate(year: str, column: str) -> str:
    return f"(sum(if({year}, {column}, 0)) / sum(if({year}, days, 0)))"


def _thinnest(column: str) -> str:
    """The smallest month of the last year against its median month."""
    return f"if(count_if(is_last) >= 6, min(if(is_last, coalesce({column}, 0), null)) / median(if(is_last, coalesce({column}, 0), null)), null)"


ENCOUNTERS = Survey(
    f"""
    select
      {_per_thousand("emergencies")} as ed_visits_per_1000,
      {_per_thousand("stays")} as admissions_per_1000,
      {_per_thousand("visits")} as office_visits_per_1000,
      {_last("nights")} / {_last("stays")} as mean_length_of_stay_days,
      {_last("unplanned")} / {_last("stays")} as unplanned_admission_share,
      {_last("undiagnosed")} / {_last("stays")} as admission_without_diagnosis_share
    from {_monthly(
        "encounter_start_date",
        "superseded_at is null",
        emergencies="count_if(encounter_type = 'emergency_department')",
        stays="count_if(encounter_type = 'acute_inpatient')",
        visits="count_if(encounter_type in ('office_visit', 'telehealth', 'urgent_care'))",
        nights="sum(if(encounter_type = 'acute_inpatient', length_of_stay_days, 0))",
        unplanned="count_if(encounter_type = 'acute_inpatient' and is_unplanned)",
        undiagnosed="count_if(encounter_type = 'acute_inpatient' and primary_diagnosis_code is null)",
    )}""",
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
    select
      {_per_member_month("paid")} as medical_paid_per_member_month,
      {_last("undiagnosed")} / {_last("lines")} as line_without_diagnosis_share,
      {_last("soon_known")} / {_last("lines")} as known_within_90_days_share,
      {_last("unpaid")} / {_last("lines")} as unpaid_line_share,
      {_thinnest("lines")} as thinnest_month_share,
      if(sum(if(is_before, stays, 0)) >= 100, {_rate("is_last", "stays")} / {_rate("is_before", "stays")}, null)
        as stay_rate_like_year_before
    from {_monthly(
        "claim_start_date",
        _IN_FORCE,
        paid="sum(cast(paid_amount as double))",
        undiagnosed="count_if(size(diagnosis_codes) = 0)",
        soon_known="count_if(datediff(cast(known_at as date), claim_end_date) <= 90)",
        unpaid="count_if(paid_amount = 0)",
        stays="count_if(claim_line_number = 1 and bill_type_code rlike '^0?11[1-9]')",
    )}""",
    (
        Measure("medical_paid_per_member_month", "Paid for medical claims per member and month.", 100, 2500, "usd", "HCCI 2021: 540 with drugs (commercial); CMS: about 1,000 (Medicare fee for service)"),
        Measure("line_without_diagnosis_share", "Share of claim lines without any diagnosis.", 0, 0.02, "of lines"),
        Measure("known_within_90_days_share", "Share of claim lines known within 90 days of their service.", 0.8, 1, "of lines", "CCW, Medicare Claims Maturity"),
        Measure("unpaid_line_share", "Share of claim lines that pay nothing.", 0, 0.4, "of lines"),
        Measure("thinnest_month_share", "Lines of the thinnest month against the median month: a feed that failed to come.", 0.5, 1, "of the median month"),
        Measure("stay_rate_like_year_before", "Hospital stays claimed per member in the last year against the year before.", 0.75, 1.33, "of the year before"),
    ),
)  # fmt: skip

FILLS = Survey(
    f"""
    select
      {_per_thousand("lines")} as fills_per_1000,
      {_per_member_month("paid")} as pharmacy_paid_per_member_month,
      {_last("supplied")} / {_last("lines")} as mean_days_supply,
      {_thinnest("lines")} as thinnest_month_share
    from {_monthly(
        "dispensing_date", _IN_FORCE, paid="sum(cast(paid_amount as double))", supplied="sum(days_supply)"
    )}""",
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
    select count(*) as member_has_at_most_500_claims
    from (
      select count(*) as claims
      from {rows}
      where superseded_at is null and not is_void and claim_line_number = 1
      group by data_source, member_id
      having claims > 500
    )""",
    (
        Measure("member_has_at_most_500_claims", "Members with more than 500 medical claims: plans' heaviest, or one person's id used for many.", high=0),
    ),
)  # fmt: skip
