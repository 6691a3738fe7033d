"""The Tuva project's input layer (claims), as CSV or Parquet, with two files and two columns of our own.

`outreach_contact` and `consent` are not in Tuva; nor are `adjustment_type_code` of claims and `language` of eligibility.
All are optional. Several versions of a claim have one `claim_id` and differ in `file_date`.
"""

from __future__ import annotations

from contracts.model import Phi
from contracts.sources.layout import FileLayout, RawColumn, Source, numbered, plain, private

_PERSON = (
    *private(Phi.PLAN_ID, person_id="Person across payers; identifies the member where given.",
             member_id="Member of one payer; identifies the member where there is no person_id."),
)  # fmt: skip
_DELIVERY = (
    *plain(delivered_data_source="Name of the source as the file states it.",
           delivered_file_name="Name of the file as the file states it.",
           delivered_file_date="Date of the delivery as the file states it; becomes `file_date`.",
           ingest_datetime="When the sender loaded the row."),
)  # fmt: skip
_RENAMED = {
    "data_source": "delivered_data_source",
    "file_name": "delivered_file_name",
    "file_date": "delivered_file_date",
}


def _renamed(columns: tuple[RawColumn, ...]) -> tuple[RawColumn, ...]:
    """Tuva's own `data_source, file_name, file_date` would hide those that landing adds."""
    older = {new: old for old, new in _RENAMED.items()}
    return tuple(RawColumn(c.name, c.description, c.phi, (older[c.name],)) if c.name in older else c for c in columns)


_MONEY = plain(
    paid_amount="Paid by the payer, dollars.", allowed_amount="Allowed, dollars.", charge_amount="Charged, dollars.",
    coinsurance_amount="Coinsurance of the member, dollars.", copayment_amount="Copayment of the member, dollars.",
    deductible_amount="Deductible of the member, dollars.",
)  # fmt: skip
_ADJUSTMENT = plain(adjustment_type_code="0 original, 1 cancellation, 2 adjustment; original where not given.")

ELIGIBILITY = FileLayout(
    entity="eligibility",
    description="Enrolment spans with the member's demographics.",
    required=("person_id|member_id", "birth_date", "gender", "enrollment_start_date", "enrollment_end_date"),
    file_pattern=r"eligibility",
    columns=(
        *_PERSON,
        *private(Phi.PLAN_ID, subscriber_id="Subscriber of the policy."),
        RawColumn("gender", "Administrative sex: male, female or unknown.", aliases=("sex",)),
        *plain(race="Race."),
        *private(Phi.DATE, birth_date="Date of birth.", death_date="Date of death.",
                 enrollment_start_date="First day covered.", enrollment_end_date="Last day covered."),
        *plain(death_flag="1 when dead.", payer="Payer.", payer_type="Type of payer.", plan="Plan.",
               original_reason_entitlement_code="CMS original reason for entitlement.",
               dual_status_code="CMS dual eligibility status.", medicare_status_code="CMS Medicare status."),
        *private(Phi.PLAN_ID, group_id="Employer group."),
        *plain(group_name="Name of the employer group."),
        *private(Phi.NAME, name_suffix="Name suffix.", first_name="First name.", middle_name="Middle name.",
                 last_name="Last name."),
        *private(Phi.SSN, social_security_number="Social security number."),
        *plain(subscriber_relation="Relation to the subscriber."),
        *private(Phi.GEOGRAPHY, address="Street address.", city="City.", zip_code="ZIP code."),
        *plain(state="State."),
        *private(Phi.PHONE, phone="Telephone number."),
        *private(Phi.EMAIL, email="E-mail address."),
        *plain(ethnicity="Ethnicity.", enrollment_status="Status of the enrolment.", hospice_flag="1 when in hospice.",
               snp_type="Special needs plan.", medicaid_indicator="1 when on Medicaid.",
               long_term_institutional_flag="1 when living in an institution.",
               part_d_raf_type="Part D risk model.", low_income_subsidy_indicator="1 when subsidised.",
               metal_level="Metal level of a marketplace plan.", csr_indicator="Cost-sharing reduction.",
               enrollment_duration_months="Months enrolled.", esrd_status="End-stage renal disease status.",
               transplant_duration_months="Months since a kidney transplant.",
               language="Preferred language, ISO 639-1; English where not given."),
        *_renamed(_DELIVERY),
    ),
)  # fmt: skip

MEDICAL_CLAIM = FileLayout(
    entity="medical_claim",
    description="Lines of medical claims.",
    required=("person_id|member_id", "claim_id", "claim_line_number", "claim_type",
              "claim_start_date|claim_line_start_date", "diagnosis_code_1"),
    file_pattern=r"medical_claim",
    columns=(
        *private(Phi.ACCOUNT, claim_id="Claim, the same for all versions of it."),
        *plain(claim_line_number="Line of the claim.", claim_type="professional or institutional, ..."),
        *_PERSON,
        *plain(payer="Payer.", plan="Plan."),
        *private(Phi.DATE, claim_start_date="First service date of the claim.", claim_end_date="Last service date of the claim.",
                 claim_line_start_date="First service date of the line.", claim_line_end_date="Last service date of the line.",
                 admission_date="Admission.", discharge_date="Discharge."),
        *plain(admit_source_code="NUBC point of origin.", admit_type_code="NUBC priority of admission.",
               discharge_disposition_code="NUBC discharge status.", place_of_service_code="CMS place of service.",
               bill_type_code="NUBC type of bill.", drg_code_type="Version of the DRG.", drg_code="DRG.",
               revenue_center_code="NUBC revenue centre.", service_unit_quantity="Units of service.",
               hcpcs_code="HCPCS code."),
        *numbered("hcpcs_modifier", 5, "HCPCS modifier {n}."),
        *plain(rendering_npi="NPI of who rendered.", rendering_tin="Tax number of who rendered.",
               billing_npi="NPI of who billed.", billing_tin="Tax number of who billed.",
               facility_npi="NPI of the facility."),
        *private(Phi.DATE, paid_date="When the payer paid."),
        *_MONEY,
        *plain(total_cost_amount="Paid by payer and member together, dollars.",
               diagnosis_code_type="Code system of the diagnoses."),
        *numbered("diagnosis_code", 25, "Diagnosis {n} of the claim."),
        *numbered("diagnosis_poa", 25, "Was diagnosis {n} present on admission."),
        *plain(procedure_code_type="Code system of the procedures."),
        *numbered("procedure_code", 25, "Procedure {n} of the claim."),
        *numbered("procedure_date", 25, "Date of procedure {n}.", Phi.DATE),
        *plain(in_network_flag="1 when in network."),
        *_ADJUSTMENT,
        *_renamed(_DELIVERY),
    ),
)  # fmt: skip

PHARMACY_CLAIM = FileLayout(
    entity="pharmacy_claim",
    description="Fills of prescriptions.",
    required=("person_id|member_id", "claim_id", "claim_line_number", "dispensing_date", "ndc_code", "days_supply"),
    file_pattern=r"pharmacy_claim",
    columns=(
        *private(Phi.ACCOUNT, claim_id="Claim, the same for all versions of it."),
        *plain(claim_line_number="Line of the claim."),
        *_PERSON,
        *plain(payer="Payer.", plan="Plan.", prescribing_provider_npi="NPI of the prescriber.",
               dispensing_provider_npi="NPI of the pharmacy."),
        *private(Phi.DATE, dispensing_date="Day of the fill."),
        *plain(ndc_code="National drug code.", quantity="Quantity dispensed.", days_supply="Days that the fill lasts.",
               refills="Refills left."),
        *private(Phi.DATE, paid_date="When the payer paid."),
        *_MONEY,
        *plain(in_network_flag="1 when in network.", drug_name="Name of the drug (not in Tuva)."),
        *_ADJUSTMENT,
        *_renamed(_DELIVERY),
    ),
)  # fmt: skip

OUTREACH_CONTACT = FileLayout(
    entity="outreach_contact",
    description="Offers of outreach, and controls of randomised pilots (not in Tuva).",
    required=("person_id|member_id", "contact_id", "program", "assigned_date", "assigned_by", "is_offered"),
    file_pattern=r"outreach_contact",
    columns=(
        *private(Phi.OTHER_ID, contact_id="The assignment."),
        *_PERSON,
        *plain(program="Program key.", channel="How the offer was made.", team="Team that made the offer."),
        *private(Phi.DATE, assigned_date="Day on which the offer was decided."),
        *plain(assigned_by="care_manager, pilot or policy.", is_offered="true: offered; false: randomised control.",
               assignment_probability="Logged probability of being offered.", is_reached="Was the member reached.",
               disposition="reached, declined, no_answer or wrong_number."),
        *_renamed(_DELIVERY),
    ),
)  # fmt: skip

CONSENT = FileLayout(
    entity="consent",
    description="Members' word on being contacted (not in Tuva).",
    required=("person_id|member_id", "program", "channel", "is_consented", "effective_date"),
    file_pattern=r"consent",
    columns=(
        *_PERSON,
        *plain(program="Program key, or all.", channel="Channel, or all.", is_consented="false: do not contact."),
        *private(Phi.DATE, effective_date="From this day on."),
        *_renamed(_DELIVERY),
    ),
)

TUVA = Source(
    name="tuva",
    description="Claims in the Tuva input layer.",
    files=(ELIGIBILITY, MEDICAL_CLAIM, PHARMACY_CLAIM, OUTREACH_CONTACT, CONSENT),
    unused_pattern=r"(appointment|condition|encounter|immunization|lab_result|location|medication|observation|patient"
    r"|practitioner|procedure|provider_attribution)",
)
