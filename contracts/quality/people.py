"""Rules of one member's demographics, of one enrolment span and of one fill."""

from __future__ import annotations

from contracts.quality import codes
from contracts.quality.rules import implausible, refuse, warn

MEMBER = (
    refuse("death_not_before_birth", "death_date >= birth_date", "Nobody dies before being born."),
    warn("birth_not_after_known", "birth_date <= cast(known_at as date)", "A birth is in the past when it is told."),
    warn("death_not_after_told", "death_date <= cast(death_known_at as date)", "A death is in the past when it is told."),
    warn("death_says_when_told", "death_date is null or death_known_at is not null", "A death says when it became known."),
    warn("death_says_its_day", "death_known_at is null or death_date is not null", "A death says its day."),
    implausible("birth_is_plausible", "birth_date >= date'1890-01-01'", "Nobody is older than the oldest known."),
    implausible("age_is_plausible", "datediff(coalesce(death_date, cast(known_at as date)), birth_date) <= 43830", "Nobody lives beyond 120 years."),
    implausible("sex_is_given", "sex <> 'unknown'", "The administrative sex is given."),
)  # fmt: skip

# A text in the place of the date of death that tells neither a day nor, by naming a year that can be its, that there was a death.
DEATH = (
    refuse("death_date_is_readable", "unreadable_columns not like '%death_date%' or death_known_at is not null", "A text given as the date of death can be read as one."),
)  # fmt: skip

# Where the source tells states by their USPS abbreviation or name.
STATE = (warn("state_is_known", codes.one_of("state", codes.STATES), "The state is one of the USPS."),)

ELIGIBILITY = (
    refuse("end_not_before_start", "enrollment_end_date >= enrollment_start_date", "A span ends on or after its start."),
    warn("start_not_far_ahead", "datediff(enrollment_start_date, cast(known_at as date)) <= 366", "A span is told a year ahead at most."),
    warn("end_is_open_or_near", "enrollment_end_date = date'9999-12-31' or datediff(enrollment_end_date, cast(known_at as date)) <= 731", "An end is within two years, or open."),
    warn("payer_type_is_given", "payer_type <> 'unknown'", "The span says what kind of payer it is."),
    warn("has_payer", "payer is not null", "The span names its payer."),
    implausible("start_is_of_our_time", "enrollment_start_date >= date'1980-01-01'", "A span does not start decades ago."),
    implausible("claims_are_complete", "is_claims_complete", "Claims of the span are paid here, not by an HMO."),
)  # fmt: skip
# Where the source brings CMS's codes of Medicare and dual eligibility.
MEDICARE_CODES = (
    warn("medicare_status_only_medicare", "medicare_status_code is null or payer_type = 'medicare'", "Only Medicare has a Medicare status."),
    warn("entitlement_only_medicare", "original_reason_entitlement_code is null or payer_type = 'medicare'", "Only Medicare has a reason for entitlement."),
    warn("dual_is_public", "coalesce(dual_status_code, 'NA') in ('00', 'NA', '99') or payer_type in ('medicare', 'medicaid')", "Only public payers have dual eligibles."),
    warn("dual_status_is_known", codes.one_of("dual_status_code", codes.DUAL_STATUSES), "The dual status is one of CMS's."),
    warn("medicare_status_is_known", codes.one_of("medicare_status_code", codes.MEDICARE_STATUSES), "The Medicare status is one of CMS's."),
    warn("entitlement_reason_is_known", codes.one_of("original_reason_entitlement_code", codes.ENTITLEMENT_REASONS), "The reason for entitlement is one of CMS's."),
    warn("medicare_has_status", "payer_type <> 'medicare' or medicare_status_code is not null", "A Medicare span has a status."),
)  # fmt: skip

FILL = (
    warn("original_not_negative", "paid_amount >= 0 or adjustment_type_code <> '0'", "Only reversals pay less than nothing."),
    warn("allowed_not_negative", "allowed_amount >= 0 or adjustment_type_code <> '0'", "Only reversals allow less than nothing."),
    warn("paid_not_above_allowed", "paid_amount <= allowed_amount or adjustment_type_code <> '0'", "The payer pays no more than was allowed."),
    warn("fill_not_after_known", "dispensing_date <= cast(known_at as date)", "A fill is told after it was made."),
    warn("paid_not_before_fill", "paid_date >= dispensing_date", "Nobody pays before the fill."),
    warn("paid_not_after_known", "paid_date <= cast(known_at as date)", "A payment is told after it was made."),
    warn("quantity_positive", "quantity > 0", "A fill dispenses something."),
    warn("refills_are_possible", "refills between 0 and 99", "A prescription has 0 to 99 refills."),
    warn("void_takes_back", "paid_amount <= 0 or adjustment_type_code <> '1'", "A cancellation pays nothing more."),
    implausible("days_supply_is_plausible", "days_supply between 1 and 180", "A fill lasts 1 to 180 days."),
    implausible("quantity_is_plausible", "quantity <= 10000", "A fill dispenses at most 10,000 units."),
    implausible("paid_plausible", "abs(paid_amount) <= 500000", "A fill pays half a million dollars at most."),
    implausible("fill_is_of_our_time", "dispensing_date >= date'1980-01-01'", "A fill is not decades ago."),
)  # fmt: skip

NDC = (
    warn("ndc_has_11_digits", codes.matches("drug_code", "[0-9]{11}"), "An NDC is eleven digits."),
    warn("ndc_names_a_labeler", "left(drug_code, 5) <> '00000'", "The first five digits of an NDC name its labeler."),
    warn("has_prescriber", "prescribing_npi is not null", "The fill says who prescribed it."),
    warn("prescribing_npi_is_valid", codes.is_npi("prescribing_npi"), "The prescriber's NPI has ten digits and the right check digit."),
)  # fmt: skip

CONDITION = (
    warn("recorded_not_after_known", "recorded_date <= cast(known_at as date)", "A condition is told after it was recorded."),
    warn("code_is_icd10", f"code_type <> 'icd-10-cm' or {codes.matches('code', codes.ICD10_CM)}", "ICD-10-CM codes are formed like such."),
)  # fmt: skip
