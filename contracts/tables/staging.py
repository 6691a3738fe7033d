"""`staging`: each source's rows, typed and renamed to the shapes of `core`, one row per delivered row unless said otherwise.

Error: the row cannot be used (no date, an end before its start). Warn: the data are odd but usable, counted and let through.
What needs more than one row to see (overlapping stays, care after death) is judged in `core`, where rows meet.
"""

from __future__ import annotations

from contracts.model import Rule, table
from contracts.quality import medical_claim, people
from contracts.quality.rules import warn
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

_CLAIM = (*medical_claim.DATES, *medical_claim.AMOUNTS, *medical_claim.DIAGNOSES)


@table("staging.stg_tuva__member", key=ROW, writer="dbt", rules=(*people.MEMBER, *people.STATE))
class TuvaMember(MemberShape, Delivered):
    """Demographics as each row of a Tuva eligibility file tells them."""


@table("staging.stg_tuva__eligibility", key=ROW, writer="dbt", rules=(*people.ELIGIBILITY, *people.MEDICARE_CODES))
class TuvaEligibility(EligibilityShape, Delivered):
    """Enrolment spans of the Tuva input layer, every delivered version."""


@table("staging.stg_tuva__medical_claim", key=ROW, writer="dbt", rules=(
    *_CLAIM, *medical_claim.PROCEDURES, *medical_claim.DRG, *medical_claim.CLAIM_TYPE, *medical_claim.STAY_CODES,
    *medical_claim.PROVIDERS,
))  # fmt: skip
class TuvaMedicalClaim(MedicalClaimShape, Delivered):
    """Lines of medical claims of the Tuva input layer, every delivered version."""


@table("staging.stg_tuva__pharmacy_claim", key=ROW, writer="dbt", rules=(*people.FILL, *people.NDC))
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


@table("staging.stg_desynpuf__member", key=ROW, writer="dbt", rules=people.MEMBER)
class DesynpufMember(MemberShape, Delivered):
    """One row per beneficiary and year."""


@table("staging.stg_desynpuf__eligibility", key=(*ROW, "known_at"), writer="dbt", rules=people.ELIGIBILITY)
class DesynpufEligibility(EligibilityShape, Delivered):
    """One row per beneficiary and covered year, and a second one, known later, where coverage ended within the year.

    The file tells how many months were covered, not which: the last ones of a first year, else the first ones. Members
    with any HMO month are incomplete for the whole year.
    """


@table("staging.stg_desynpuf__medical_claim", key=(*ROW, "known_at"), writer="dbt", rules=(
    *_CLAIM, *medical_claim.PROCEDURES, *medical_claim.DRG,
    warn("has_rendering_npi", "rendering_npi is not null", "The claim names its attending physician."),
    warn("is_first_segment", "claim_line_number = 1", "The row opens its claim and is not the continuation of one."),
    warn("admission_is_start", "admission_date = claim_start_date", "A stay starts with its admission."),
))  # fmt: skip
class DesynpufMedicalClaim(MedicalClaimShape, Delivered):
    """Inpatient claims, each stay first as a notice without payment, then as the claim that replaces it.

    A second segment is line 2 of the claim and takes the dates of the first.
    """


@table("staging.stg_desynpuf__condition", key=(*ROW, "code"), writer="dbt", rules=people.CONDITION)
class DesynpufCondition(ConditionShape, Delivered):
    """One row per beneficiary, year and chronic flag that says yes; known on the last day of the year."""


@table("staging.stg_synthea_csv__member", key=ROW, writer="dbt", rules=(*people.MEMBER, *people.STATE))
class SyntheaMember(MemberShape, Delivered):
    """One row per patient."""


@table("staging.stg_synthea_csv__eligibility", key=ROW, writer="dbt", rules=people.ELIGIBILITY)
class SyntheaEligibility(EligibilityShape, Delivered):
    """Spans of insurance; `self-pay` where there was none."""


@table("staging.stg_synthea_csv__medical_claim", key=ROW, writer="dbt", rules=(
    *_CLAIM,
    warn("has_charge", "charge_amount is not null", "A charge says how much."),
    warn("diagnoses_are_of_claims", "size(diagnosis_codes) = 0 or diagnosis_code_type like 'icd%'", "Payers are told diagnoses in ICD, not in SNOMED CT."),
))  # fmt: skip
class SyntheaMedicalClaim(MedicalClaimShape, Delivered):
    """One row per charge of a claim for care; claims for drugs are in the pharmacy table."""


@table("staging.stg_synthea_csv__pharmacy_claim", key=(*ROW, "claim_line_number"), writer="dbt", rules=people.FILL)
class SyntheaPharmacyClaim(PharmacyClaimShape, Delivered):
    """One row per fill: a prescription with n dispenses is n rows, evenly spaced over its course."""


@table("staging.stg_synthea_csv__condition", key=ROW, writer="dbt", rules=people.CONDITION)
class SyntheaCondition(ConditionShape, Delivered):
    """Conditions, SNOMED CT."""
