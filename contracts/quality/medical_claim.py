"""Rules of one medical claim line, in groups that a source takes where it delivers such columns."""

from __future__ import annotations

from contracts.quality import codes
from contracts.quality.rules import implausible, refuse, warn

_INSTITUTIONAL, _PROFESSIONAL = "claim_type = 'institutional'", "claim_type = 'professional'"
_STAY = "coalesce(bill_type_code rlike '^0?(?:11|18|21)', false)"
_ICD10, _ICD9 = "diagnosis_code_type = 'icd-10-cm'", "diagnosis_code_type = 'icd-9-cm'"
_ORIGINAL = "adjustment_type_code = '0'"
_FIRST = "element_at(diagnosis_codes, 1)"

DATES = (
    refuse("end_not_before_start", "claim_end_date >= claim_start_date", "A claim ends on or after its start."),
    refuse("discharge_not_before_admission", "discharge_date >= admission_date", "Discharge follows admission."),
    warn("line_end_not_before_start", "claim_line_end_date >= claim_line_start_date", "A line ends on or after its start."),
    warn("line_starts_within_claim", "claim_line_start_date between claim_start_date and claim_end_date", "A line starts within its claim."),
    warn("line_ends_within_claim", "claim_line_end_date <= claim_end_date", "A line ends within its claim."),
    warn("admission_not_after_claim", "admission_date <= claim_end_date", "A stay's claim does not end before the admission."),
    warn("discharge_not_after_claim", "discharge_date <= claim_end_date", "A stay's claim does not end before the discharge."),
    warn("service_not_after_known", "claim_start_date <= cast(known_at as date)", "A claim is told after its service."),
    warn("paid_not_before_service", "paid_date >= claim_start_date", "Nobody pays before the service."),
    warn("paid_not_after_known", "paid_date <= cast(known_at as date)", "A payment is told after it was made."),
    warn("discharge_has_admission", "discharge_date is null or admission_date is not null", "Who was discharged had been admitted."),
    implausible("service_is_of_our_time", "claim_start_date >= date'1980-01-01'", "Service is not decades ago."),
    implausible("stay_is_at_most_a_year", "datediff(discharge_date, admission_date) <= 365", "A stay lasts a year at most."),
    implausible("visit_is_at_most_a_month", f"{_INSTITUTIONAL} or datediff(claim_end_date, claim_start_date) <= 31", "A claim for visits spans a month at most."),
    implausible("lag_is_at_most_two_years", "datediff(cast(known_at as date), claim_end_date) <= 731", "A claim is known within two years."),
)  # fmt: skip

AMOUNTS = (
    warn("original_not_negative", f"paid_amount >= 0 or not ({_ORIGINAL})", "Only reversals pay less than nothing."),
    warn("allowed_not_negative", f"allowed_amount >= 0 or not ({_ORIGINAL})", "Only reversals allow less than nothing."),
    warn("charge_not_negative", f"charge_amount >= 0 or not ({_ORIGINAL})", "Only reversals charge less than nothing."),
    warn("paid_not_above_allowed", f"paid_amount <= allowed_amount or not ({_ORIGINAL})", "The payer pays no more than was allowed."),
    warn("allowed_not_above_charge", f"allowed_amount <= charge_amount or not ({_ORIGINAL})", "No more is allowed than was charged."),
    warn("has_paid_amount", "paid_amount is not null", "A line says what was paid."),
    warn("void_takes_back", "paid_amount <= 0 or adjustment_type_code <> '1'", "A cancellation pays nothing more."),
    warn("units_positive", f"service_unit_quantity > 0 or not ({_ORIGINAL})", "A service has units."),
    implausible("units_plausible", "service_unit_quantity <= 10000", "A line has at most 10,000 units."),
    implausible("paid_plausible", "abs(paid_amount) <= 1000000", "A line pays a million dollars at most."),
)  # fmt: skip

DIAGNOSES = (
    warn("has_diagnosis", "size(diagnosis_codes) > 0", "A claim states a diagnosis."),
    warn("diagnoses_are_icd10", f"not ({_ICD10}) or {codes.all_match('diagnosis_codes', codes.ICD10_CM)}", "ICD-10-CM codes are formed like such."),
    warn("diagnoses_are_icd9", f"not ({_ICD9}) or {codes.all_match('diagnosis_codes', codes.ICD9_CM)}", "ICD-9-CM codes are formed like such."),
    warn("icd10_not_before_october_2015", f"not ({_ICD10}) or claim_end_date >= date'2015-10-01'", "ICD-10-CM was not in use before October 2015."),
    warn("icd9_not_after_september_2015", f"not ({_ICD9}) or claim_start_date < date'2015-10-01'", "ICD-9-CM was not in use after September 2015."),
    warn("principal_is_no_external_cause", f"{_FIRST} not rlike '^[V-Y]' or not ({_ICD10})", "What caused an injury is never the principal diagnosis (ICD-10-CM guideline I.C.20)."),
    warn("principal_is_no_e_code", f"{_FIRST} not like 'E%' or not ({_ICD9})", "An external cause (ICD-9-CM E code) is never the principal diagnosis."),
    warn("diagnoses_not_repeated", "size(array_distinct(diagnosis_codes)) = size(diagnosis_codes)", "A claim states a diagnosis once."),
)  # fmt: skip

PROCEDURES = (
    warn("hcpcs_is_formed", codes.matches("hcpcs_code", "[0-9]{4}[0-9AFMTU]|[A-V][0-9]{4}"), "A HCPCS code is formed like CPT or level II."),
    warn("procedures_have_a_system", "size(procedure_codes) = 0 or procedure_code_type is not null", "Procedure codes say which system they are of."),
    warn("procedures_are_icd10", f"procedure_code_type <> 'icd-10-pcs' or {codes.all_match('procedure_codes', codes.ICD10_PCS)}", "ICD-10-PCS codes are formed like such."),
    warn("procedures_are_icd9", f"procedure_code_type <> 'icd-9-pcs' or {codes.all_match('procedure_codes', codes.ICD9_PCS)}", "ICD-9 procedure codes are formed like such."),
    warn("icd_procedures_only_institutional", f"{_INSTITUTIONAL} or size(procedure_codes) = 0 or procedure_code_type not like 'icd%'", "ICD procedures stand on institutional claims only."),
)  # fmt: skip

DRG = (
    warn("drg_is_a_number", codes.matches("drg_code", "[0-9]{3}"), "A DRG is three digits, not a word such as OTH."),
    warn("drg_is_groupable", "drg_code not in ('000', '998', '999')", "The stay could be grouped into a DRG."),
    warn("drg_only_on_stays", f"drg_code is null or {_STAY}", "Only inpatient stays have a DRG."),
)  # fmt: skip

# Conflicts between the type of a claim and what stands on it.
CLAIM_TYPE = (
    warn("institutional_has_bill_type", f"not ({_INSTITUTIONAL}) or bill_type_code is not null", "An institutional claim has a type of bill."),
    warn("bill_type_is_formed", codes.matches("bill_type_code", "0?[1-8][1-9][0-9A-Z]"), "A type of bill is formed like such."),
    warn("bill_type_only_institutional", f"{_INSTITUTIONAL} or bill_type_code is null", "Only institutional claims have a type of bill."),
    warn("institutional_has_revenue_center", f"not ({_INSTITUTIONAL}) or revenue_center_code is not null", "An institutional line has a revenue centre."),
    warn("revenue_center_is_formed", codes.matches("revenue_center_code", "[0-9]{4}"), "A revenue centre is four digits."),
    warn("revenue_center_only_institutional", f"{_INSTITUTIONAL} or revenue_center_code is null", "Only institutional lines have a revenue centre."),
    warn("professional_has_place", f"not ({_PROFESSIONAL}) or place_of_service_code is not null", "A professional line has a place of service."),
    warn("place_is_known", codes.one_of("place_of_service_code", codes.PLACES_OF_SERVICE), "The place of service is one of CMS's."),
    warn("place_only_professional", f"not ({_INSTITUTIONAL}) or place_of_service_code is null", "Institutional claims have no place of service."),
    warn("professional_has_hcpcs", f"not ({_PROFESSIONAL}) or hcpcs_code is not null", "A professional line says by HCPCS what was done."),
    warn("admission_only_institutional", f"{_INSTITUTIONAL} or admission_date is null", "Only institutional claims have an admission."),
    warn("stay_has_admission", f"not ({_STAY}) or admission_date is not null", "A stay has an admission."),
    warn("stay_has_discharge", f"not ({_STAY}) or discharge_date is not null or discharge_disposition_code = '30'", "A stay has a discharge, unless the patient is still there."),
    warn("outpatient_has_no_admission", "bill_type_code not rlike '^0?1[34]' or admission_date is null", "Outpatient care has no admission."),
)  # fmt: skip

STAY_CODES = (
    warn("stay_has_disposition", f"not ({_STAY}) or discharge_disposition_code is not null", "A stay says how it ended."),
    warn("disposition_is_known", codes.one_of("discharge_disposition_code", codes.DISCHARGE_STATUSES), "The discharge status is one of NUBC's."),
    warn("disposition_only_institutional", f"{_INSTITUTIONAL} or discharge_disposition_code is null", "Only institutional claims have a discharge status."),
    warn("still_a_patient_has_no_discharge", "discharge_disposition_code <> '30' or discharge_date is null", "Who is still a patient was not discharged."),
    warn("admit_type_is_known", codes.one_of("admit_type_code", codes.ADMIT_TYPES), "The priority of admission is one of NUBC's."),
    warn("admit_source_is_known", codes.one_of("admit_source_code", codes.ADMIT_SOURCES), "The point of origin is one of NUBC's."),
    warn("newborn_has_newborn_diagnosis", f"admit_type_code <> '4' or not ({_ICD10}) or {_FIRST} rlike '^(?:Z38|P)'", "A newborn's stay has a newborn's diagnosis."),
)  # fmt: skip

PROVIDERS = (
    warn("has_rendering_npi", "rendering_npi is not null", "The line says who rendered it."),
    warn("has_billing_npi", "billing_npi is not null", "The line says who billed it."),
    warn("rendering_npi_is_valid", codes.is_npi("rendering_npi"), "The rendering NPI has ten digits and the right check digit."),
    warn("billing_npi_is_valid", codes.is_npi("billing_npi"), "The billing NPI has ten digits and the right check digit."),
    warn("facility_npi_is_valid", codes.is_npi("facility_npi"), "The facility's NPI has ten digits and the right check digit."),
)  # fmt: skip
