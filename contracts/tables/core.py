"""`core`: the Tuva input-layer vocabulary, bitemporal.

`known_at` is when a version became known, `superseded_at` when the next version of it did (NULL: current). The state
of the world as known at D is `known_at < D and (superseded_at is null or superseded_at >= D) and not is_void`.
"""

from __future__ import annotations

from contracts.model import Phi, Reference, Rule, column, table
from contracts.quality import together, utilisation
from contracts.quality.rules import implausible, warn
from contracts.tables.shapes import (
    ConditionShape,
    ConsentShape,
    EligibilityShape,
    MedicalClaimShape,
    MemberShape,
    OutreachContactShape,
    PharmacyClaimShape,
    Sourced,
)
from contracts.types import Bool, Date, Int, Money, Str, Timestamp

ENCOUNTER_TYPES = (
    "acute_inpatient", "emergency_department", "observation", "skilled_nursing", "home_health", "hospice",
    "outpatient", "office_visit", "urgent_care", "telehealth", "other",
)  # fmt: skip
SERVICE_CATEGORIES = ("inpatient", "emergency", "outpatient", "professional", "pharmacy", "post_acute", "other")
EVENT_TYPES = ("ed_visit", "acute_admission", "readmission_30d", "medication_gap", "death")
CONDITION_CATEGORIES = (
    "diabetes", "heart_failure", "copd", "asthma", "ckd", "esrd", "ischemic_heart_disease", "stroke", "hypertension",
    "depression", "dementia", "cancer", "osteoporosis", "arthritis", "substance_use", "serious_mental_illness",
    "obesity", "liver_disease",
)  # fmt: skip
DRUG_CLASSES = ("diabetes", "ras_antagonist", "statin", "inhaler", "antidepressant", "anticoagulant", "opioid", "other")

# Days from the newest fact that a source has told to the night; files of claims and coverage come monthly or more often.
_MONTHLY = 45

MEMBER = Reference(("data_source", "member_id"), "core.member", ("data_source", "member_id"))


@table("core.member", key=("data_source", "member_id"), version="1.0.1", writer="dbt", surveys=(utilisation.MEMBERS,), profile=("sex", "death_date"), rules=(
    Rule("death_not_before_birth", "death_date >= birth_date", "Nobody dies before being born."),
    Rule("birth_not_after_known", "birth_date <= cast(known_at as date)", "A birth is in the past when it is told."),
))  # fmt: skip
class Member(MemberShape):
    """One row per member: the latest demographics that the source told."""

    zip3_code: Str = column(
        "First three digits of the ZIP code (Safe Harbor geography).", nullable=True, str_matches=r"^[0-9]{3}$"
    )


@table("core.eligibility", key=("data_source", "member_id", "payer", "enrollment_start_date", "known_at"), version="2.1.0", writer="dbt", references=(MEMBER,),
       surveys=(together.SPANS, together.UNCOVERED_MEMBERS), max_age_days=_MONTHLY, profile=("payer_type", "is_hospice", "is_claims_complete"), rules=(
    Rule("end_not_before_start", "enrollment_end_date >= enrollment_start_date", "A span ends on or after its start."),
))  # fmt: skip
class Eligibility(EligibilityShape):
    """One row per version of an enrolment span with a payer; who tells a span again tells all its payers."""

    payer: Str = column("Payer name; `unknown` where not given.")
    superseded_at: Timestamp = column(
        "When the span was next told otherwise or without this payer; NULL: current.", nullable=True
    )


@table("core.member_month", key=("data_source", "member_id", "year_month"), writer="dbt", references=(MEMBER,))
class MemberMonth(Sourced):
    """One row per member and calendar month with at least one covered day, from the current spans."""

    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    year_month: Date = column("First day of the month.")
    covered_days: Int = column("Days covered in the month.", unit="days", in_range={"min_value": 1, "max_value": 31})
    payer_type: Str = column("Payer type of the longest span in the month.")
    is_claims_complete: Bool = column("Claims of every covered day are paid here.")


@table("core.medical_claim", key=("data_source", "claim_id", "claim_line_number", "member_id", "known_at"), version="2.0.0", writer="dbt", references=(MEMBER,),
       surveys=(
           together.LINES_OF_CLAIM, together.BILLED_TWICE, together.STAYS, together.CLAIM_AND_MEMBER,
           utilisation.CLAIMS, utilisation.HEAVY_USERS,
       ),
       max_age_days=_MONTHLY, profile=("claim_type", "adjustment_type_code", "paid_amount", "service_category"), rules=(
    Rule("end_not_before_start", "claim_end_date >= claim_start_date", "A claim ends on or after its start."),
    Rule("discharge_not_before_admission", "discharge_date >= admission_date", "Discharge follows admission."),
))  # fmt: skip
class MedicalClaim(MedicalClaimShape):
    """One row per version of a claim line. Final action: `superseded_at is null and not is_void`."""

    service_category: Str = column("What kind of service the line pays for.", isin=SERVICE_CATEGORIES)
    claim_encounter_type: Str = column("Kind of encounter that the claim makes on its own.", isin=ENCOUNTER_TYPES)
    encounter_id: Str = column(
        "Encounter that the line belongs to; NULL for cancellations.", nullable=True, phi=Phi.OTHER_ID
    )
    encounter_type: Str = column(
        "Kind of that encounter: an emergency visit that ends in admission belongs to the stay.", isin=ENCOUNTER_TYPES
    )
    encounter_start_date: Date = column("First day of that encounter.", phi=Phi.DATE)
    superseded_at: Timestamp = column("When the next version of the claim became known; NULL: current.", nullable=True)
    is_void: Bool = column("This version cancels the claim.")


@table(
    "core.pharmacy_claim",
    key=("data_source", "claim_id", "claim_line_number", "member_id", "known_at"),
    version="2.0.0",
    writer="dbt",
    references=(MEMBER,),
    surveys=(together.FILL_AND_MEMBER, together.FILLED_TWICE, together.LINES_OF_FILL, utilisation.FILLS),
    max_age_days=_MONTHLY,
    profile=("adjustment_type_code", "days_supply", "paid_amount", "drug_class"),
)
class PharmacyClaim(PharmacyClaimShape):
    """One row per version of a fill. Final action: `superseded_at is null and not is_void`."""

    drug_class: Str = column("Therapeutic class for adherence (CMS Star measures) and risk.", isin=DRUG_CLASSES)
    superseded_at: Timestamp = column("When the next version of the fill became known; NULL: current.", nullable=True)
    is_void: Bool = column("This version cancels the fill.")


@table("core.encounter", key=("data_source", "encounter_id"), writer="dbt", references=(MEMBER,),
       surveys=(together.ENCOUNTER_AND_MEMBER, utilisation.ENCOUNTERS), profile=("encounter_type", "length_of_stay_days", "is_unplanned", "paid_amount"), rules=(
    Rule("end_not_before_start", "encounter_end_date >= encounter_start_date", "An encounter ends on or after its start."),
    warn("stay_is_counted_in_days", "length_of_stay_days = datediff(encounter_end_date, encounter_start_date)", "The length of stay is the last day minus the first."),
    warn("emergency_visit_is_short", "encounter_type <> 'emergency_department' or length_of_stay_days <= 3", "An emergency visit lasts three days at most."),
    warn("visit_is_one_month_at_most", "encounter_type in ('acute_inpatient', 'skilled_nursing', 'home_health', 'hospice') or length_of_stay_days <= 31", "Care outside of stays lasts a month at most."),
    warn("stay_has_diagnosis", "encounter_type <> 'acute_inpatient' or primary_diagnosis_code is not null", "An acute stay has a principal diagnosis."),
    warn("encounter_is_told_after_its_start", "encounter_start_date <= cast(known_at as date)", "An encounter is told after it began."),
    implausible("stay_is_at_most_a_year", "encounter_type <> 'acute_inpatient' or length_of_stay_days <= 365", "An acute stay lasts a year at most."),
    implausible("encounter_paid_plausible", "abs(paid_amount) <= 5000000", "An encounter pays five million dollars at most."),
))  # fmt: skip
class Encounter(Sourced):
    """One row per encounter, grouped from claim lines (overlapping or adjacent inpatient stays are one)."""

    encounter_id: Str = column("Keyed by source, member, type and start.", phi=Phi.OTHER_ID)
    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    encounter_type: Str = column("Kind of encounter.", isin=ENCOUNTER_TYPES)
    encounter_start_date: Date = column("First day.", phi=Phi.DATE)
    encounter_end_date: Date = column("Last day.", phi=Phi.DATE)
    length_of_stay_days: Int = column("Last day minus first day.", unit="days", ge=0)
    is_unplanned: Bool = column("Emergency visits and non-elective admissions.")
    primary_diagnosis_code: Str = column("Principal diagnosis of the first claim.", nullable=True)
    drg_code: Str = column("MS-DRG of the stay.", nullable=True)
    discharge_disposition_code: Str = column("Status at discharge.", nullable=True)
    facility_npi: Str = column("Facility.", nullable=True)
    paid_amount: Money = column("Paid in sum over the final-action lines.", unit="usd", nullable=True)
    claim_count: Int = column("Claims grouped.", unit="count", ge=1)
    superseded_at: Timestamp = column("When the last of its claims was voided; NULL: current.", nullable=True)


@table(
    "core.condition",
    key=("data_source", "member_id", "code_type", "code", "recorded_date", "known_at"),
    writer="dbt",
    references=(MEMBER,),
)
class Condition(ConditionShape):
    """One row per member, code, day on which it was recorded and delivery that said so, from claims and problem lists."""

    condition_category: Str = column(
        "Chronic group of the code; NULL when it is in none.", nullable=True, isin=CONDITION_CATEGORIES
    )
    hcc_code: Str = column("CMS-HCC (V28) of an ICD-10-CM code; NULL when it maps to none.", nullable=True)
    superseded_at: Timestamp = column("When the last claim that said so was changed; NULL: current.", nullable=True)


@table("core.outreach_contact", key=("data_source", "contact_id", "member_id"), version="2.0.0", writer="dbt", references=(MEMBER,),
       surveys=(together.CONTACTS,), rules=(
    Rule("randomised_has_probability", "assigned_by <> 'pilot' or assignment_probability is not null", "A randomised assignment logs its probability."),
    Rule("offered_has_channel", "not is_offered or channel is not null", "An offer is made through a channel."),
))  # fmt: skip
class OutreachContact(OutreachContactShape):
    """One row per assignment: offers made, and controls of randomised pilots and holdouts.

    `known_at` is when the assignment became known; how it ended became known later.
    """

    reached_known_at: Timestamp = column("When the warehouse learnt that the member was reached.", nullable=True)


@table(
    "core.consent",
    key=("data_source", "member_id", "program", "channel", "effective_date", "known_at"),
    writer="dbt",
    references=(MEMBER,),
)
class Consent(ConsentShape):
    """One row per statement of consent or its withdrawal."""


@table("core.outcome_event", key=("data_source", "member_id", "event_type", "event_start_date", "event_detail"), writer="dbt", references=(MEMBER,), rules=(
    Rule("end_not_before_start", "event_end_date >= event_start_date", "An event ends on or after its start."),
))  # fmt: skip
class OutcomeEvent(Sourced):
    """One row per event that a program may want to change. Outcomes count events or the days they last."""

    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    event_type: Str = column(
        "`medication_gap`: days without supply between first and last known fill of a class plus the open gap after it, "
        "one row per gap; the others start with an encounter.",
        isin=EVENT_TYPES,
    )
    event_start_date: Date = column("First day of the event.", phi=Phi.DATE)
    event_end_date: Date = column("Last day of the event; equals the start for point events.", phi=Phi.DATE)
    event_detail: Str = column("Drug class of a medication gap; kind of encounter, or `death`, of the others.")
    superseded_at: Timestamp = column("When the event was voided; NULL: current.", nullable=True)
