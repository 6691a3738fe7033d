"""`staging`: each source's rows, typed and renamed to the shapes of `core`, one row per delivered row unless said otherwise.

Error: the row cannot be used (no date, an end before its start). Warn: the data are odd but usable, counted and let through.
What needs more than one row to see (overlapping stays, care after death) is judged in `core`, where rows meet.
"""

from __future__ import annotations

from contracts.model import Rule, Severity, Tier, table
from contracts.tables.shapes import (
    ConditionShape,
    ConsentShape,
    Delivered,
    EligibilityShape,
    MedicalClaimShape,
    MemberShape,
    OutreachContactShape,
    PharmacyClaimShape,
)

ROW = ("file_sha256", "file_row_number")


def _warn(name: str, sql: str, description: str, tier: Tier = Tier.LOGICAL) -> Rule:
    return Rule(name, sql, description, Severity.WARN, tier)


_MEMBER = (
    Rule("death_not_before_birth", "death_date >= birth_date", "Nobody dies before being born."),
    _warn(
        "birth_is_plausible",
        "birth_date >= date '1890-01-01'",
        "Nobody is older than the oldest known.",
        Tier.ANALYTICAL,
    ),
    _warn("birth_not_after_known", "birth_date <= cast(known_at as date)", "A birth is in the past when it is told."),
)
_SPAN = (
    Rule("end_not_before_start", "enrollment_end_date >= enrollment_start_date", "A span ends on or after its start."),
    _warn(
        "claims_are_complete", "is_claims_complete", "Claims of the span are paid here, not by an HMO.", Tier.ANALYTICAL
    ),
)
_CLAIM = (
    Rule("end_not_before_start", "claim_end_date >= claim_start_date", "A claim ends on or after its start."),
    Rule("discharge_not_before_admission", "discharge_date >= admission_date", "Discharge follows admission."),
    _warn(
        "line_end_not_before_start",
        "claim_line_end_date >= claim_line_start_date",
        "A line ends on or after its start.",
    ),
    _warn(
        "service_not_after_known", "claim_start_date <= cast(known_at as date)", "A claim is told after its service."
    ),
    _warn(
        "original_not_negative",
        "paid_amount >= 0 or adjustment_type_code <> '0'",
        "Only reversals pay less than nothing.",
    ),
    _warn("has_diagnosis", "size(diagnosis_codes) > 0", "A claim states a diagnosis."),
)
_NPI = _warn("has_rendering_npi", "rendering_npi is not null", "The line says who rendered it.")
_DRG = _warn("drg_is_a_number", "drg_code rlike '^[0-9]{3}$'", "A DRG is three digits, not a word such as OTH.")
_FILL = (
    _warn("days_supply_is_plausible", "days_supply between 1 and 180", "A fill lasts 1 to 180 days.", Tier.ANALYTICAL),
    _warn(
        "original_not_negative",
        "paid_amount >= 0 or adjustment_type_code <> '0'",
        "Only reversals pay less than nothing.",
    ),
    _warn("fill_not_after_known", "dispensing_date <= cast(known_at as date)", "A fill is told after it was made."),
)
_RECORDED = (
    _warn(
        "recorded_not_after_known",
        "recorded_date <= cast(known_at as date)",
        "A condition is told after it was recorded.",
    ),
)


@table("staging.stg_tuva__member", key=ROW, writer="dbt", rules=_MEMBER)
class TuvaMember(MemberShape, Delivered):
    """Demographics as each row of a Tuva eligibility file tells them."""


@table("staging.stg_tuva__eligibility", key=ROW, writer="dbt", rules=_SPAN)
class TuvaEligibility(EligibilityShape, Delivered):
    """Enrolment spans of the Tuva input layer, every delivered version."""


@table("staging.stg_tuva__medical_claim", key=ROW, writer="dbt", rules=(*_CLAIM, _NPI, _DRG))
class TuvaMedicalClaim(MedicalClaimShape, Delivered):
    """Lines of medical claims of the Tuva input layer, every delivered version."""


@table("staging.stg_tuva__pharmacy_claim", key=ROW, writer="dbt", rules=(
    *_FILL, _warn("ndc_has_11_digits", "drug_code rlike '^[0-9]{11}$'", "An NDC is eleven digits."),
))  # fmt: skip
class TuvaPharmacyClaim(PharmacyClaimShape, Delivered):
    """Fills of the Tuva input layer, every delivered version."""


@table("staging.stg_tuva__outreach_contact", key=ROW, writer="dbt", rules=(
    Rule("randomised_has_probability", "assigned_by <> 'pilot' or assignment_probability is not null", "A randomised assignment logs its probability."),
    Rule("offered_has_channel", "not is_offered or channel is not null", "An offer is made through a channel."),
))  # fmt: skip
class TuvaOutreachContact(OutreachContactShape, Delivered):
    """Assignments to outreach, delivered beside the Tuva files."""


@table("staging.stg_tuva__consent", key=ROW, writer="dbt")
class TuvaConsent(ConsentShape, Delivered):
    """Statements of consent, delivered beside the Tuva files."""


@table("staging.stg_desynpuf__member", key=ROW, writer="dbt", rules=_MEMBER)
class DesynpufMember(MemberShape, Delivered):
    """One row per beneficiary and year."""


@table("staging.stg_desynpuf__eligibility", key=(*ROW, "known_at"), writer="dbt", rules=_SPAN)
class DesynpufEligibility(EligibilityShape, Delivered):
    """One row per beneficiary and covered year, and a second one, known later, where coverage ended within the year.

    The file tells how many months were covered, not which: the last ones of a first year, else the first ones. Members
    with any HMO month are incomplete for the whole year.
    """


@table("staging.stg_desynpuf__medical_claim", key=(*ROW, "known_at"), writer="dbt", rules=(
    *_CLAIM, _NPI, _DRG,
    _warn("is_first_segment", "claim_line_number = 1", "The row opens its claim and is not the continuation of one."),
    _warn("admission_is_start", "admission_date = claim_start_date", "A stay starts with its admission."),
))  # fmt: skip
class DesynpufMedicalClaim(MedicalClaimShape, Delivered):
    """Inpatient claims, each stay first as a notice without payment, then as the claim that replaces it.

    A second segment is line 2 of the claim and takes the dates of the first.
    """


@table("staging.stg_desynpuf__condition", key=(*ROW, "code"), writer="dbt", rules=_RECORDED)
class DesynpufCondition(ConditionShape, Delivered):
    """One row per beneficiary, year and chronic flag that says yes; known on the last day of the year."""


@table("staging.stg_synthea_csv__member", key=ROW, writer="dbt", rules=_MEMBER)
class SyntheaMember(MemberShape, Delivered):
    """One row per patient."""


@table("staging.stg_synthea_csv__eligibility", key=ROW, writer="dbt", rules=_SPAN)
class SyntheaEligibility(EligibilityShape, Delivered):
    """Spans of insurance; `self-pay` where there was none."""


@table("staging.stg_synthea_csv__medical_claim", key=ROW, writer="dbt", rules=(
    *_CLAIM,
    _warn("has_charge", "charge_amount is not null", "A charge says how much."),
    _warn("allowed_not_above_charge", "allowed_amount <= charge_amount", "Payments do not exceed the charge."),
    _warn("service_is_of_our_time", "claim_start_date >= date '1980-01-01'", "Service is not decades ago.", Tier.ANALYTICAL),
))  # fmt: skip
class SyntheaMedicalClaim(MedicalClaimShape, Delivered):
    """One row per charge of a claim for care; claims for drugs are in the pharmacy table."""


@table("staging.stg_synthea_csv__pharmacy_claim", key=(*ROW, "claim_line_number"), writer="dbt", rules=_FILL)
class SyntheaPharmacyClaim(PharmacyClaimShape, Delivered):
    """One row per fill: a prescription with n dispenses is n rows, evenly spaced over its course."""


@table("staging.stg_synthea_csv__condition", key=ROW, writer="dbt", rules=_RECORDED)
class SyntheaCondition(ConditionShape, Delivered):
    """Conditions, SNOMED CT."""
