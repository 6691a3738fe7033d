"""`staging`: each source's rows, typed and renamed to the shapes of `core`, one row per delivered row unless said otherwise.

Error: the row cannot be used (no date, an end before its start). Warn: the data are odd but usable, counted and let through.
What needs more than one row to see (overlapping stays, care after death) is judged in `core`, where rows meet.
"""

from __future__ import annotations

from collections.abc import Callable

from contracts.model import C, Rule, column, table
from contracts.quality import delivery, medical_claim, people
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
from contracts.types import Str, Timestamp

ROW = ("file_sha256", "file_row_number")

# A plan delivers a handful of rows on some days: one bad row of two is set aside and does not stop a night.
_FEW_ROWS = 20

_CLAIM = (*medical_claim.DATES, *medical_claim.AMOUNTS, *medical_claim.DIAGNOSES)


class TuvaDelivered(Delivered):
    """Where a row stood, when it was landed and what in it could not be read."""

    ingested_at: Timestamp = column("When the row was landed (UTC); NULL in rows staged before 1.1.0.", nullable=True)
    unreadable_columns: Str = column(
        "Names of the delivered columns whose text is no date, amount, number or flag, with blanks between; NULL when there "
        "are none.",
        nullable=True,
    )


def _tuva(name: str, *rules: Rule) -> Callable[[type[C]], type[C]]:
    """Declare the staging table of a Tuva entity."""
    return table(
        f"staging.stg_tuva__{name}", key=ROW, writer="dbt", version="1.1.0", quarantine_from=_FEW_ROWS,
        rules=(*rules, *delivery.DELIVERY),
    )  # fmt: skip


@_tuva("member", *people.MEMBER, *people.STATE, *people.DEATH)
class TuvaMember(MemberShape, TuvaDelivered):
    """Demographics as each row of a Tuva eligibility file tells them."""


@_tuva("eligibility", *people.ELIGIBILITY, *people.MEDICARE_CODES)
class TuvaEligibility(EligibilityShape, TuvaDelivered):
    """Enrolment spans of the Tuva input layer, every delivered version."""


@_tuva(
    "medical_claim", *_CLAIM, *medical_claim.PROCEDURES, *medical_claim.DRG, *medical_claim.CLAIM_TYPE,
    *medical_claim.STAY_CODES, *medical_claim.PROVIDERS,
)  # fmt: skip
class TuvaMedicalClaim(MedicalClaimShape, TuvaDelivered):
    """Lines of medical claims of the Tuva input layer, every delivered version."""


@_tuva("pharmacy_claim", *people.FILL, *people.NDC)
class TuvaPharmacyClaim(PharmacyClaimShape, TuvaDelivered):
    """Fills of the Tuva input layer, every delivered version."""


@_tuva(
    "outreach_contact",
    Rule("randomised_has_probability", "assigned_by <> 'pilot' or assignment_probability is not null", "A randomised assignment logs its probability."),
    Rule("offered_has_channel", "not is_offered or channel is not null", "An offer is made through a channel."),
)  # fmt: skip
class TuvaOutreachContact(OutreachContactShape, TuvaDelivered):
    """Assignments to outreach, delivered beside the Tuva files."""


@_tuva("consent")
class TuvaConsent(ConsentShape, TuvaDelivered):
    """Statements of consent, delivered beside the Tuva files."""


@table("staging.stg_desynpuf__member", key=ROW, writer="dbt", version="1.1.0", rules=people.MEMBER)
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


@table("staging.stg_synthea_csv__member", key=ROW, writer="dbt", version="1.1.0", rules=(*people.MEMBER, *people.STATE))
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
