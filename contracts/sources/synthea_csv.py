"""Synthea's CSV export, layouts of 3.0.0 and 3.3.0: columns are found by name, older names are aliases.

Column meanings from Synthea's CSV data dictionary.
"""

from __future__ import annotations

from contracts.model import Phi
from contracts.quality.rules import warn
from contracts.sources.layout import FileLayout, RawColumn, Source, plain, private

_PATIENT = private(Phi.MRN, patient="Patient.")
_ENCOUNTER = private(Phi.OTHER_ID, encounter="Encounter.")
_SPAN = private(Phi.DATE, start="Start.", stop="End; empty while it goes on.")
_CODED = plain(code="Code.", description="What the code means.")
_SYSTEM = plain(system="Code system (since 3.3).")
_REASON = plain(reasoncode="SNOMED code of the reason.", reasondescription="What the reason means.")
_PLACE = (*plain(address="Street address.", city="City.", zip="ZIP code.", phone="Telephone number."),)

PATIENTS = FileLayout(
    "patients", "Patients.", ("id", "birthdate", "gender"), file_pattern=r"^patients",
    columns=(
        *private(Phi.MRN, id="Patient."),
        *private(Phi.DATE, birthdate="Date of birth.", deathdate="Date of death."),
        *private(Phi.SSN, ssn="Social security number."),
        *private(Phi.LICENSE, drivers="Driving licence.", passport="Passport."),
        *private(Phi.NAME, prefix="Name prefix.", first="First name.", middle="Middle name (since 3.3).",
                 last="Last name.", suffix="Name suffix.", maiden="Maiden name."),
        *plain(marital="Marital status.", race="Race.", ethnicity="Ethnicity.", gender="M or F.", state="State, its full name."),
        *private(Phi.GEOGRAPHY, birthplace="Place of birth.", address="Street address.", city="City.", county="County.",
                 fips="FIPS county code (since 3.3).", zip="ZIP code; 00000 where unknown.", lat="Latitude.", lon="Longitude."),
        *plain(healthcare_expenses="Paid by the patient in life, dollars.", healthcare_coverage="Paid by payers in life, dollars.",
               income="Income, dollars per year (since 3.3)."),
    ),
)  # fmt: skip

ENCOUNTERS = FileLayout(
    "encounters", "Encounters.", ("id", "start", "stop", "patient", "encounterclass"), file_pattern=r"^encounters",
    columns=(
        *private(Phi.OTHER_ID, id="Encounter."), *_SPAN, *_PATIENT,
        *plain(organization="Organisation.", provider="Provider.", payer="Payer.",
               encounterclass="ambulatory, emergency, inpatient, ..."),
        *_CODED,
        *plain(base_encounter_cost="Cost without procedures, dollars.", total_claim_cost="Cost, dollars.",
               payer_coverage="Paid by the payer, dollars."),
        *_REASON,
    ),
)  # fmt: skip

CLAIMS = FileLayout(
    "claims", "Heads of claims.", ("id", "patientid", "appointmentid", "servicedate", "healthcareclaimtypeid1"),
    file_pattern=r"^claims(?!_transactions)",
    columns=(
        *private(Phi.ACCOUNT, id="Claim."),
        *private(Phi.MRN, patientid="Patient."),
        *plain(providerid="Provider.", primarypatientinsuranceid="Primary payer.", secondarypatientinsuranceid="Secondary payer.",
               departmentid="Department.", patientdepartmentid="Department of the patient."),
        *plain(**{f"diagnosis{n}": f"Diagnosis {n}, SNOMED." for n in range(1, 9)}),
        *plain(referringproviderid="Referring provider."),
        *private(Phi.OTHER_ID, appointmentid="Encounter."),
        *private(Phi.DATE, currentillnessdate="Onset.", servicedate="Date of service."),
        *plain(supervisingproviderid="Supervising provider.", status1="Status with the primary payer.",
               status2="Status with the secondary payer.", statusp="Status with the patient.",
               outstanding1="Owed by the primary payer, dollars.", outstanding2="Owed by the secondary payer, dollars.",
               outstandingp="Owed by the patient, dollars."),
        *private(Phi.DATE, lastbilleddate1="When the primary payer was billed.", lastbilleddate2="When the secondary payer was billed.",
                 lastbilleddatep="When the patient was billed."),
        *plain(healthcareclaimtypeid1="1 professional, 2 institutional.", healthcareclaimtypeid2="The same for the secondary claim; 0 none."),
    ),
)  # fmt: skip

CLAIMS_TRANSACTIONS = FileLayout(
    "claims_transactions", "Charges, payments and transfers of claims.", ("id", "claimid", "chargeid", "patientid", "type", "amount", "payments", "fromdate"),
    file_pattern=r"^claims_transactions",
    columns=(
        *private(Phi.OTHER_ID, id="Transaction."),
        *private(Phi.ACCOUNT, claimid="Claim."),
        *plain(chargeid="Running number of the transaction."),
        *private(Phi.MRN, patientid="Patient."),
        *plain(type="CHARGE, PAYMENT, TRANSFERIN or TRANSFEROUT.", amount="Amount of charges and transfers in, dollars; empty on payments.",
               method="How it was paid: ECHECK by the payer, CASH, CC, CHECK or COPAY by the patient."),
        *private(Phi.DATE, fromdate="First moment of service.", todate="Last moment of service; 1970-01-01 where unknown."),
        *plain(placeofservice="Organisation; not a place of service code.", procedurecode="SNOMED, CVX or RxNorm code of what is charged.",
               modifier1="Modifier 1.", modifier2="Modifier 2.",
               **{f"diagnosisref{n}": f"Which diagnosis of the claim, {n}." for n in range(1, 5)},
               units="Units.", departmentid="Department.", notes="What is charged, in words.", unitamount="Price of a unit, dollars.",
               transferoutid="Transaction that a transfer comes from.", transfertype="1 primary payer, 2 secondary payer, p patient.",
               payments="Amount paid, dollars.", adjustments="Adjusted, dollars.", transfers="Transferred, dollars.",
               outstanding="Still owed, dollars."),
        *private(Phi.OTHER_ID, appointmentid="Encounter."),
        *plain(linenote="Note."),
        *private(Phi.PLAN_ID, patientinsuranceid="Insurance of the patient."),
        *plain(feescheduleid="Fee schedule.", providerid="Provider.", supervisingproviderid="Supervising provider."),
    ),
    rules=(
        warn("is_no_transfer", "type not in ('TRANSFERIN', 'TRANSFEROUT')", "The row is no half of a transfer: summed with the charges, transfers double what was billed."),
        warn("amount_is_given", "nullif(trim(amount), '') is not null", "The row says its amount; payments have theirs in another column."),
        warn("place_is_a_code", "trim(placeofservice) rlike '^[0-9]{2}$'", "The place of service is a code of CMS, not an organisation."),
    ),
)  # fmt: skip

CONDITIONS = FileLayout(
    "conditions", "Conditions of patients.", ("start", "patient", "code", "encounter", "description"), file_pattern=r"^conditions",
    columns=(*_SPAN, *_PATIENT, *_ENCOUNTER, *_SYSTEM, *_CODED),
)  # fmt: skip

MEDICATIONS = FileLayout(
    "medications", "Prescriptions, each with its number of fills.", ("start", "patient", "encounter", "code", "dispenses", "totalcost"),
    file_pattern=r"^medications",
    columns=(
        *_SPAN, *_PATIENT, *plain(payer="Payer."), *_ENCOUNTER, *_CODED,
        *plain(base_cost="Cost of a fill, dollars.", payer_coverage="Paid by the payer for all fills, dollars.",
               dispenses="Number of fills.", totalcost="Cost of all fills, dollars."),
        *_REASON,
    ),
)  # fmt: skip

PAYER_TRANSITIONS = FileLayout(
    "payer_transitions", "Spans of insurance.", ("patient", "start_date", "end_date", "payer"), file_pattern=r"^payer_transitions",
    columns=(
        *_PATIENT,
        *private(Phi.PLAN_ID, memberid="Member number of the policy."),
        RawColumn("start_date", "Start.", Phi.DATE, ("start_year",)),
        RawColumn("end_date", "End; the next span starts then.", Phi.DATE, ("end_year",)),
        *plain(payer="Payer.", secondary_payer="Secondary payer."),
        RawColumn("plan_ownership", "Guardian, Self or Spouse.", aliases=("ownership",)),
        RawColumn("owner_name", "Name of the policy's owner.", Phi.NAME, ("ownername",)),
    ),
)  # fmt: skip

PAYERS = FileLayout(
    "payers", "Payers.", ("id", "name"), file_pattern=r"^payers",
    columns=(
        *plain(id="Payer.", name="Name; NO_INSURANCE for none.", ownership="GOVERNMENT, PRIVATE or NO_INSURANCE (since 3.3).",
               state_headquartered="State of the head office.", amount_covered="Paid, dollars.", amount_uncovered="Not paid, dollars.",
               revenue="Premiums, dollars.", covered_encounters="Encounters paid.", uncovered_encounters="Encounters not paid.",
               covered_medications="Medications paid.", uncovered_medications="Medications not paid.",
               covered_procedures="Procedures paid.", uncovered_procedures="Procedures not paid.",
               covered_immunizations="Immunisations paid.", uncovered_immunizations="Immunisations not paid.",
               unique_customers="Members.", qols_avg="Mean quality of life of members.", member_months="Member months."),
        *_PLACE,
    ),
)  # fmt: skip

ORGANIZATIONS = FileLayout(
    "organizations", "Organisations that give care.", ("id", "name", "revenue", "utilization"), file_pattern=r"^organizations",
    columns=(
        *plain(id="Organisation.", name="Name.", state="State.", lat="Latitude.", lon="Longitude.",
               revenue="Revenue, dollars.", utilization="Encounters."),
        *_PLACE,
    ),
)  # fmt: skip

PROVIDERS = FileLayout(
    "providers", "Clinicians.", ("id", "organization", "speciality"), file_pattern=r"^providers",
    columns=(
        *plain(id="Provider.", organization="Organisation.", name="Name of the clinician.", gender="M or F.",
               speciality="Speciality.", state="State.", lat="Latitude.", lon="Longitude.", procedures="Procedures (since 3.3)."),
        RawColumn("encounters", "Encounters.", aliases=("utilization",)),
        *_PLACE,
    ),
)  # fmt: skip

PROCEDURES = FileLayout(
    "procedures", "Procedures.", ("start", "patient", "encounter", "code", "base_cost", "description"), file_pattern=r"^procedures",
    columns=(*_SPAN, *_PATIENT, *_ENCOUNTER, *_SYSTEM, *_CODED, *plain(base_cost="Cost, dollars."), *_REASON),
)  # fmt: skip

CAREPLANS = FileLayout(
    "careplans", "Care plans.", ("id", "start", "patient", "encounter", "code", "reasoncode"), file_pattern=r"^careplans",
    columns=(*private(Phi.OTHER_ID, id="Care plan."), *_SPAN, *_PATIENT, *_ENCOUNTER, *_CODED, *_REASON),
)  # fmt: skip

SYNTHEA_CSV = Source(
    name="synthea_csv",
    description="Synthea's CSV export: synthetic patients with whole medical histories.",
    files=(PATIENTS, ENCOUNTERS, CLAIMS, CLAIMS_TRANSACTIONS, CONDITIONS, MEDICATIONS, PAYER_TRANSITIONS, PAYERS,
           ORGANIZATIONS, PROVIDERS, PROCEDURES, CAREPLANS),
    unused_pattern=r"^(allergies|devices|imaging_studies|immunizations|observations|supplies|patient_expenses)",
)  # fmt: skip
