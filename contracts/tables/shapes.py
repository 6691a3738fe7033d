"""What an entity is, whichever layer or source it comes from: the Tuva input-layer vocabulary plus two clocks.

Staging tables add where a row was delivered (`Delivered`); core tables add what the warehouse derives.
Every source's staging table of an entity has the same columns, so that core is their union.
"""

from __future__ import annotations

from contracts.model import Contract, Phi, Severity, column
from contracts.source_names import SOURCES as SOURCES
from contracts.types import Bool, Date, Double, Int, Money, Str, Strings, Timestamp

SEXES = ("female", "male", "unknown")
CLAIM_TYPES = ("professional", "institutional", "dental", "vision", "undetermined")
CODE_TYPES = ("icd-10-cm", "icd-9-cm", "snomed-ct")
PROGRAMS_MATCH = r"^[a-z][a-z0-9_]*$"
CHANNELS = ("phone", "letter", "visit", "text")


class Sourced(Contract):
    """A row that says which source told it and when the warehouse learnt it."""

    data_source: Str = column("Ingestion source of the row.", isin=SOURCES)
    known_at: Timestamp = column(
        "When the warehouse learnt this fact (UTC): delivery of the file, or the source's own processing date where the "
        "file is a historical extract. Features as of D use rows with `known_at` < D only."
    )


class Delivered(Contract):
    """Where in which delivered file a staged row stood."""

    file_name: Str = column("Base name of the delivered file.")
    file_sha256: Str = column("SHA-256 of the file as delivered.", str_matches=r"^[0-9a-f]{64}$")
    file_row_number: Int = column("1-based data row within the file, header not counted.", ge=1)


class MemberShape(Sourced):
    """A person's demographics as a source tells them."""

    member_id: Str = column("Member identifier, unique within `data_source`.", phi=Phi.PLAN_ID)
    birth_date: Date = column("Date of birth.", phi=Phi.DATE)
    sex: Str = column("Administrative sex.", isin=SEXES)
    race: Str = column("Race in the source's words, lower case; `unknown` where not given.")
    ethnicity: Str = column("Ethnicity in the source's words, lower case; `unknown` where not given.")
    language: Str = column("Preferred language, ISO 639-1; `en` where not given.", str_matches=r"^[a-z]{2}$")
    state: Str = column("USPS state abbreviation, or the source's state code.", nullable=True)
    zip_code: Str = column(
        "5-digit ZIP code.", phi=Phi.GEOGRAPHY, nullable=True, str_matches=r"^[0-9]{5}$", severity=Severity.WARN
    )
    death_date: Date = column("Date of death; NULL while alive or unknown.", phi=Phi.DATE, nullable=True)
    death_known_at: Timestamp = column(
        "When the warehouse learnt of the death (UTC); given without `death_date` where the source tells a death but no day "
        "that can be read.",
        nullable=True,
    )


class EligibilityShape(Sourced):
    """A span of enrolment. A span is delivered again when its end changes; the latest version known wins."""

    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    enrollment_start_date: Date = column("First day covered.", phi=Phi.DATE)
    enrollment_end_date: Date = column("Last day covered; 9999-12-31 while open.", phi=Phi.DATE)
    payer: Str = column("Payer name.", nullable=True)
    payer_type: Str = column(
        "`commercial`, `medicare`, `medicaid`, `self-pay` or `unknown`.",
        isin=("commercial", "medicare", "medicaid", "self-pay", "unknown"),
    )
    plan: Str = column("Plan name.", nullable=True)
    dual_status_code: Str = column("CMS dual eligibility status code.", nullable=True)
    original_reason_entitlement_code: Str = column("CMS original reason for entitlement code (0-3).", nullable=True)
    medicare_status_code: Str = column("CMS Medicare status code.", nullable=True)
    is_hospice: Bool = column("In hospice during the span.")
    is_claims_complete: Bool = column(
        "False when claims of the span are paid elsewhere (e.g. HMO months), so that no claim does not mean healthy."
    )


class MedicalClaimShape(Sourced):
    """One line of a medical claim, in one of the versions that were delivered."""

    claim_id: Str = column("Claim identifier, the same for all versions of a claim.", phi=Phi.ACCOUNT)
    claim_line_number: Int = column("Line within the claim, from 1.", ge=1)
    adjustment_type_code: Str = column(
        "0 original, 1 cancellation (void), 2 adjustment (as in CMS CCLF).", isin=("0", "1", "2")
    )
    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    claim_type: Str = column("`professional`, `institutional`, ...", isin=CLAIM_TYPES)
    claim_start_date: Date = column("First service date of the claim.", phi=Phi.DATE)
    claim_end_date: Date = column("Last service date of the claim.", phi=Phi.DATE)
    claim_line_start_date: Date = column("First service date of the line.", phi=Phi.DATE)
    claim_line_end_date: Date = column("Last service date of the line.", phi=Phi.DATE)
    admission_date: Date = column("Admission, institutional inpatient only.", phi=Phi.DATE, nullable=True)
    discharge_date: Date = column("Discharge, institutional inpatient only.", phi=Phi.DATE, nullable=True)
    admit_source_code: Str = column("NUBC point of origin code.", nullable=True)
    admit_type_code: Str = column("NUBC priority of admission code; 3 is elective.", nullable=True)
    discharge_disposition_code: Str = column("NUBC patient discharge status, two digits; 20 is expired.", nullable=True)
    place_of_service_code: Str = column("CMS place of service, two digits; 23 is an emergency room.", nullable=True)
    bill_type_code: Str = column("NUBC type of bill; 11x is hospital inpatient.", nullable=True)
    drg_code: Str = column("MS-DRG, three digits, or the source's word.", nullable=True)
    revenue_center_code: Str = column("NUBC revenue centre, four digits; 045x is emergency room.", nullable=True)
    hcpcs_code: Str = column("HCPCS level I or II code.", nullable=True)
    service_unit_quantity: Double = column("Units of service.", nullable=True, unit="count")
    rendering_npi: Str = column("National provider identifier of who rendered.", nullable=True)
    billing_npi: Str = column("National provider identifier of who billed.", nullable=True)
    facility_npi: Str = column("National provider identifier, or the source's number, of the facility.", nullable=True)
    paid_date: Date = column("When the payer paid.", phi=Phi.DATE, nullable=True)
    paid_amount: Money = column("Paid by the payer for this line; negative on reversals.", unit="usd", nullable=True)
    allowed_amount: Money = column("Allowed for this line.", unit="usd", nullable=True)
    charge_amount: Money = column("Charged for this line.", unit="usd", nullable=True)
    diagnosis_code_type: Str = column("Code system of `diagnosis_codes`.", isin=CODE_TYPES)
    diagnosis_codes: Strings = column("Diagnosis codes of the claim without dots, principal first; empty when none.")
    procedure_code_type: Str = column("Code system of `procedure_codes`.", nullable=True)
    procedure_codes: Strings = column("Institutional procedure codes of the claim; empty when none.")


class PharmacyClaimShape(Sourced):
    """One fill of a prescription, in one of the versions that were delivered."""

    claim_id: Str = column("Claim identifier, the same for all versions of a claim.", phi=Phi.ACCOUNT)
    claim_line_number: Int = column("Line within the claim, from 1.", ge=1)
    adjustment_type_code: Str = column("0 original, 1 cancellation (void), 2 adjustment.", isin=("0", "1", "2"))
    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    dispensing_date: Date = column("Day of the fill.", phi=Phi.DATE)
    drug_code_type: Str = column("`ndc` or `rxnorm`.", isin=("ndc", "rxnorm"))
    drug_code: Str = column("NDC (11 digits) or RxNorm concept of the drug.")
    drug_name: Str = column("The source's words for the drug.", nullable=True)
    quantity: Double = column("Quantity dispensed.", nullable=True, unit="count")
    days_supply: Int = column("Days that the fill lasts.", ge=0, unit="days")
    refills: Int = column("Refills left.", nullable=True, unit="count")
    prescribing_npi: Str = column("National provider identifier of the prescriber.", nullable=True)
    paid_date: Date = column("When the payer paid.", phi=Phi.DATE, nullable=True)
    paid_amount: Money = column("Paid by the payer.", unit="usd", nullable=True)
    allowed_amount: Money = column("Allowed.", unit="usd", nullable=True)


class ConditionShape(Sourced):
    """A diagnosis that a source states outside claims: a problem list entry or a yearly chronic flag."""

    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    recorded_date: Date = column("When the condition was recorded.", phi=Phi.DATE)
    code_type: Str = column("Code system; `flag` for a yearly chronic-condition flag.", isin=(*CODE_TYPES, "flag"))
    code: Str = column("Code without dots, or the flag's column name in lower case.")


class OutreachContactShape(Sourced):
    """One assignment of a member to be offered a program's outreach, or to a randomised control arm."""

    contact_id: Str = column("Identifier of the assignment.", phi=Phi.OTHER_ID)
    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    program: Str = column("Program key, as in `contracts/programs.yaml`.", str_matches=PROGRAMS_MATCH)
    channel: Str = column("How the offer was made; NULL for controls.", nullable=True, isin=CHANNELS)
    team: Str = column("Team that made the offer; NULL for controls.", nullable=True)
    assigned_date: Date = column("Time zero: the day on which the offer was decided.", phi=Phi.DATE)
    assigned_by: Str = column(
        "`care_manager` (their own choice), `pilot` (randomised), `policy` (published list).",
        isin=("care_manager", "pilot", "policy"),
    )
    is_offered: Bool = column("True: offered (intention to treat). False: randomised to the control arm.")
    assignment_probability: Double = column(
        "Logged probability of being offered, where the assignment was randomised.",
        nullable=True,
        unit="probability",
        in_range={"min_value": 0.0, "max_value": 1.0},
    )
    is_reached: Bool = column("The member was reached; NULL while open and for controls.", nullable=True)
    disposition: Str = column(
        "`reached`, `declined`, `no_answer`, `wrong_number`; NULL while open.",
        nullable=True,
        isin=("reached", "declined", "no_answer", "wrong_number"),
    )


class ConsentShape(Sourced):
    """A member's word on being contacted. The latest known row per program and channel wins."""

    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    program: Str = column("Program key, or `all`.", str_matches=PROGRAMS_MATCH)
    channel: Str = column("Channel, or `all`.", isin=(*CHANNELS, "all"))
    is_consented: Bool = column("False: do not contact.")
    effective_date: Date = column("From this day on.", phi=Phi.DATE)
