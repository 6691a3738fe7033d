"""One bad row per rule of the delivered claims, spans, fills and members of the Tuva layout.

Each case is a good row with the edits that make it break one rule, and no other but those named in `also`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa

from contracts.catalog import contract
from contracts.model import TableContract

D = dt.date
KNOWN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
SHA = "0" * 64
DELIVERED = {"data_source": "tuva", "known_at": KNOWN, "file_name": "x.csv", "file_sha256": SHA}

VISIT: dict[str, Any] = dict(
    claim_id="c", claim_line_number=1, adjustment_type_code="0", member_id="m", claim_type="professional",
    claim_start_date=D(2026, 1, 5), claim_end_date=D(2026, 1, 5), claim_line_start_date=D(2026, 1, 5),
    claim_line_end_date=D(2026, 1, 5), admission_date=None, discharge_date=None, admit_source_code=None,
    admit_type_code=None, discharge_disposition_code=None, place_of_service_code="11", bill_type_code=None,
    drg_code=None, revenue_center_code=None, hcpcs_code="99213", service_unit_quantity=1.0,
    rendering_npi="1234567893", billing_npi="1234567893", facility_npi=None, paid_date=D(2026, 2, 1),
    paid_amount=Decimal("80.00"), allowed_amount=Decimal("100.00"), charge_amount=Decimal("150.00"),
    diagnosis_code_type="icd-10-cm", diagnosis_codes=["E119", "I10"], procedure_code_type=None, procedure_codes=[],
)  # fmt: skip
STAY = {
    **VISIT, "claim_type": "institutional", "claim_end_date": D(2026, 1, 9), "claim_line_end_date": D(2026, 1, 9),
    "admission_date": D(2026, 1, 5), "discharge_date": D(2026, 1, 9), "admit_source_code": "1", "admit_type_code": "1",
    "discharge_disposition_code": "01", "place_of_service_code": None, "bill_type_code": "111", "drg_code": "470",
    "revenue_center_code": "0120", "hcpcs_code": None, "facility_npi": "1234567893", "service_unit_quantity": 4.0,
    "procedure_code_type": "icd-10-pcs", "procedure_codes": ["0SR9019"],
}  # fmt: skip
SPAN: dict[str, Any] = dict(
    member_id="m", enrollment_start_date=D(2025, 1, 1), enrollment_end_date=D(2026, 12, 31), payer="P",
    payer_type="medicare", plan="A", dual_status_code="NA", original_reason_entitlement_code="0",
    medicare_status_code="10", is_hospice=False, is_claims_complete=True,
)  # fmt: skip
FILL: dict[str, Any] = dict(
    claim_id="f", claim_line_number=1, adjustment_type_code="0", member_id="m", dispensing_date=D(2026, 1, 5),
    drug_code_type="ndc", drug_code="00093104801", drug_name=None, quantity=30.0, days_supply=30, refills=2,
    prescribing_npi="1234567893", paid_date=D(2026, 1, 9), paid_amount=Decimal("8.00"), allowed_amount=Decimal("9.00"),
)  # fmt: skip
PERSON: dict[str, Any] = dict(
    member_id="m", birth_date=D(1950, 1, 1), sex="female", race="white", ethnicity="not hispanic", language="en",
    death_date=None, death_known_at=None, state="WA", zip_code=None,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A row that breaks `rule`."""

    rule: str
    edits: Mapping[str, Any]
    also: frozenset[str] = frozenset()
    base: Mapping[str, Any] = field(default_factory=dict)


def _v(rule: str, *also: str, **edits: Any) -> Case:
    return Case(rule, edits, frozenset(also), VISIT)


def _s(rule: str, *also: str, **edits: Any) -> Case:
    return Case(rule, edits, frozenset(also), STAY)


def _of(base: Mapping[str, Any]) -> Any:
    return lambda rule, *also, **edits: Case(rule, edits, frozenset(also), base)


_e, _f, _p = _of(SPAN), _of(FILL), _of(PERSON)


def _late(base: Mapping[str, Any]) -> tuple[Case, ...]:
    """The cases that every delivered row may be of: dated after its landing, and with a text that is nothing."""
    row = _of(base)
    return (
        row("delivery_is_not_ahead", ingested_at=KNOWN - dt.timedelta(days=2)),
        row("delivery_is_not_years_ahead", "delivery_is_not_ahead", ingested_at=KNOWN - dt.timedelta(days=732)),
        row("all_columns_are_readable", unreadable_columns="paid_amount"),
    )


CLAIMS = (
    _v("claim_id__not_null", claim_id=None),
    _v("claim_line_number__not_null", claim_line_number=None),
    _v("claim_line_number__at_least", claim_line_number=0),
    _v("adjustment_type_code__not_null", adjustment_type_code=None),
    _v("adjustment_type_code__in_set", adjustment_type_code="7"),
    _v("member_id__not_null", member_id=None),
    _v("claim_type__in_set", claim_type="veterinary"),
    _v("claim_start_date__not_null", claim_start_date=None),
    _v("diagnosis_code_type__in_set", diagnosis_code_type="read"),
    _v("end_not_before_start", "line_ends_within_claim", "line_starts_within_claim", claim_end_date=D(2026, 1, 4)),
    _s("discharge_not_before_admission", admission_date=D(2026, 1, 6), discharge_date=D(2026, 1, 5)),
    _s("line_end_not_before_start", claim_line_start_date=D(2026, 1, 8), claim_line_end_date=D(2026, 1, 7)),
    _s("line_starts_within_claim", claim_line_start_date=D(2026, 1, 4)),
    _s("line_ends_within_claim", claim_line_end_date=D(2026, 1, 10)),
    _s("admission_not_after_claim", "discharge_not_after_claim", admission_date=D(2026, 1, 10), discharge_date=D(2026, 1, 11)),
    _s("discharge_not_after_claim", discharge_date=D(2026, 1, 10)),
    _v("service_not_after_known", known_at=dt.datetime(2026, 1, 4, tzinfo=dt.UTC), paid_date=None),
    _v("paid_not_before_service", paid_date=D(2026, 1, 4)),
    _v("paid_not_after_known", paid_date=D(2026, 3, 2)),
    _s("discharge_has_admission", "stay_has_admission", admission_date=None),
    _v("service_is_of_our_time", "icd10_not_before_october_2015", "lag_is_at_most_two_years",
       **dict.fromkeys(("claim_start_date", "claim_end_date", "claim_line_start_date", "claim_line_end_date"), D(1935, 5, 1))),
    _s("stay_is_at_most_a_year", admission_date=D(2025, 1, 2)),
    _v("visit_is_at_most_a_month", claim_end_date=D(2026, 2, 6)),
    _v("lag_is_at_most_two_years", known_at=dt.datetime(2028, 3, 1, tzinfo=dt.UTC)),
    _v("original_not_negative", paid_amount=Decimal("-1.00")),
    _v("allowed_not_negative", "paid_not_above_allowed", allowed_amount=Decimal("-1.00")),
    _v("charge_not_negative", "allowed_not_above_charge", charge_amount=Decimal("-1.00")),
    _v("paid_not_above_allowed", paid_amount=Decimal("101.00")),
    _v("allowed_not_above_charge", allowed_amount=Decimal("151.00")),
    _v("has_paid_amount", paid_amount=None),
    _v("void_takes_back", adjustment_type_code="1"),
    _v("units_positive", service_unit_quantity=0.0),
    _v("units_plausible", service_unit_quantity=10001.0),
    _v("paid_plausible", "allowed_not_above_charge", "paid_not_above_allowed", paid_amount=Decimal("1000001.00"), allowed_amount=Decimal("1000000.00")),
    _v("has_diagnosis", diagnosis_codes=[]),
    _v("diagnoses_are_icd10", diagnosis_codes=["E119", "250"]),
    _v("diagnoses_are_icd9", "icd9_not_after_september_2015", diagnosis_code_type="icd-9-cm", diagnosis_codes=["25000", "I10"]),
    _v("icd9_not_after_september_2015", diagnosis_code_type="icd-9-cm", diagnosis_codes=["25000"]),
    _v("icd10_not_before_october_2015", "lag_is_at_most_two_years",
       **dict.fromkeys(("claim_start_date", "claim_end_date", "claim_line_start_date", "claim_line_end_date"), D(2015, 9, 30))),
    _v("principal_is_no_external_cause", diagnosis_codes=["W19XXXA"]),
    _v("principal_is_no_e_code", "icd9_not_after_september_2015", diagnosis_code_type="icd-9-cm", diagnosis_codes=["E8859"]),
    _v("diagnoses_not_repeated", diagnosis_codes=["I10", "I10"]),
    _v("hcpcs_is_formed", hcpcs_code="9921"),
    _s("procedures_have_a_system", procedure_code_type=None),
    _s("procedures_are_icd10", procedure_codes=["OSR9019"]),
    _s("procedures_are_icd9", procedure_code_type="icd-9-pcs", procedure_codes=["0SR9019"]),
    _v("icd_procedures_only_institutional", procedure_code_type="icd-10-pcs", procedure_codes=["0SR9019"]),
    _s("drg_is_a_number", drg_code="OTH"),
    _s("drg_is_groupable", drg_code="999"),
    _v("drg_only_on_stays", drg_code="470"),
    _s("institutional_has_bill_type", "drg_only_on_stays", bill_type_code=None),
    _s("bill_type_is_formed", "drg_only_on_stays", bill_type_code="9X"),
    _v("bill_type_only_institutional", bill_type_code="831"),
    _s("institutional_has_revenue_center", revenue_center_code=None),
    _s("revenue_center_is_formed", revenue_center_code="12O0"),
    _v("revenue_center_only_institutional", revenue_center_code="0450"),
    _v("professional_has_place", place_of_service_code=None),
    _v("place_is_known", place_of_service_code="98"),
    _s("place_only_professional", place_of_service_code="21"),
    _v("professional_has_hcpcs", hcpcs_code=None),
    _v("admission_only_institutional", admission_date=D(2026, 1, 5)),
    _s("stay_has_admission", admission_date=None, discharge_date=None, discharge_disposition_code="30"),
    _s("stay_has_discharge", discharge_date=None),
    _s("outpatient_has_no_admission", bill_type_code="131", drg_code=None),
    _s("stay_has_disposition", discharge_disposition_code=None),
    _s("disposition_is_known", discharge_disposition_code="99"),
    _v("disposition_only_institutional", discharge_disposition_code="01"),
    _s("still_a_patient_has_no_discharge", discharge_disposition_code="30"),
    _s("admit_type_is_known", admit_type_code="8"),
    _s("admit_source_is_known", admit_source_code="Z"),
    _s("newborn_has_newborn_diagnosis", admit_type_code="4"),
    *_late(VISIT),
    _v("has_rendering_npi", rendering_npi=None),
    _v("has_billing_npi", billing_npi=None),
    _v("rendering_npi_is_valid", rendering_npi="1234567890"),
    _v("billing_npi_is_valid", billing_npi="3234567893"),
    _s("facility_npi_is_valid", facility_npi="123456789"),
)  # fmt: skip
SPANS = (
    _e("member_id__not_null", member_id=None),
    _e("enrollment_start_date__not_null", enrollment_start_date=None),
    _e("end_not_before_start", enrollment_end_date=D(2024, 12, 31)),
    _e("start_not_far_ahead", enrollment_start_date=D(2027, 5, 1), enrollment_end_date=D(2027, 12, 31)),
    _e("end_is_open_or_near", enrollment_end_date=D(2030, 12, 31)),
    *_late(SPAN),
    _e("payer_type_is_given", "medicare_status_only_medicare", "entitlement_only_medicare", payer_type="unknown"),
    _e("has_payer", payer=None),
    _e("start_is_of_our_time", enrollment_start_date=D(1979, 12, 31)),
    _e("claims_are_complete", is_claims_complete=False),
    _e("medicare_status_only_medicare", "entitlement_only_medicare", payer_type="commercial"),
    _e("entitlement_only_medicare", payer_type="commercial", medicare_status_code=None),
    _e("dual_is_public", payer_type="commercial", medicare_status_code=None, original_reason_entitlement_code=None, dual_status_code="02"),
    _e("dual_status_is_known", dual_status_code="7"),
    _e("medicare_status_is_known", medicare_status_code="7"),
    _e("entitlement_reason_is_known", original_reason_entitlement_code="7"),
    _e("medicare_has_status", medicare_status_code=None),
)  # fmt: skip
FILLS = (
    _f("dispensing_date__not_null", dispensing_date=None),
    _f("days_supply__at_least", "days_supply_is_plausible", days_supply=-1),
    _f("original_not_negative", paid_amount=Decimal("-8.00")),
    _f("allowed_not_negative", "paid_not_above_allowed", allowed_amount=Decimal("-9.00")),
    _f("paid_not_above_allowed", paid_amount=Decimal("9.01")),
    _f("fill_not_after_known", dispensing_date=D(2026, 3, 2), paid_date=None),
    _f("paid_not_before_fill", paid_date=D(2026, 1, 4)),
    _f("paid_not_after_known", paid_date=D(2026, 3, 2)),
    _f("quantity_positive", quantity=0.0),
    _f("refills_are_possible", refills=100),
    _f("void_takes_back", adjustment_type_code="1"),
    _f("days_supply_is_plausible", days_supply=181),
    _f("quantity_is_plausible", quantity=10001.0),
    _f("paid_plausible", paid_amount=Decimal("500001.00"), allowed_amount=Decimal("500001.00")),
    _f("fill_is_of_our_time", dispensing_date=D(1935, 5, 1)),
    _f("ndc_has_11_digits", drug_code="0093104801"),
    _f("ndc_names_a_labeler", drug_code="00000104801"),
    *_late(FILL),
    _f("has_prescriber", prescribing_npi=None),
    _f("prescribing_npi_is_valid", prescribing_npi="1234567890"),
)  # fmt: skip
PEOPLE = (
    _p("member_id__not_null", member_id=None),
    _p("birth_date__not_null", birth_date=None),
    _p("death_not_before_birth", death_date=D(1949, 1, 1), death_known_at=KNOWN),
    _p("birth_not_after_known", birth_date=D(2026, 3, 2)),
    _p("death_not_after_told", death_date=D(2026, 3, 2), death_known_at=KNOWN),
    _p("death_says_when_told", death_date=D(2026, 1, 1)),
    _p("death_says_its_day", death_known_at=KNOWN),
    _p("death_date_is_readable", "all_columns_are_readable", unreadable_columns="birth_date death_date"),
    *_late(PERSON),
    _p("birth_is_plausible", birth_date=D(1889, 12, 31), death_date=D(1950, 1, 1), death_known_at=KNOWN),
    _p("age_is_plausible", birth_date=D(1900, 1, 1)),
    _p("sex_is_given", sex="unknown"),
    _p("state_is_known", state="XX"),
)
CASES: dict[str, tuple[Mapping[str, Any], tuple[Case, ...]]] = {
    "staging.stg_tuva__medical_claim": (VISIT, CLAIMS),
    "staging.stg_tuva__eligibility": (SPAN, SPANS),
    "staging.stg_tuva__pharmacy_claim": (FILL, FILLS),
    "staging.stg_tuva__member": (PERSON, PEOPLE),
}


def rows_of(table: str) -> tuple[TableContract, list[dict[str, Any]], list[set[str]]]:
    """The contract, its rows, and the rules that each row breaks: two good rows first, then one row per case."""
    good, cases = CASES[table]
    rows = [{**DELIVERED, **good}, {**DELIVERED, **(STAY if good is VISIT else good)}]
    rows += [{**DELIVERED, **case.base, **case.edits} for case in cases]
    expected = [set[str](), set[str](), *({case.rule, *case.also} for case in cases)]
    return contract(table), [{**row, "file_row_number": i + 1} for i, row in enumerate(rows)], expected


def arrow_of(table: TableContract, rows: list[dict[str, Any]]) -> pa.Table:
    """The rows with the contract's columns and types; a column that no row names is NULL."""
    fields = table.model.to_schema().columns
    arrays = {
        name: pa.array([row.get(name) for row in rows], type=field.dtype.type.pyarrow_dtype)
        for name, field in fields.items()
    }
    return pa.table(arrays)


def frame_of(table: TableContract, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The same as a pandas frame of Arrow types."""
    return arrow_of(table, rows).to_pandas(types_mapper=pd.ArrowDtype)
