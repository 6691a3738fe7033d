"""A handful of members written straight into staging, for tests of core and features by hand-computed examples.

Every row carries the file hash of its world, so that a world can be removed again and shares the warehouse with others.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from contracts.catalog import contract
from jobs.delta import ensure_tables

_DEFAULTS: dict[str, dict[str, Any]] = {
    "member": {"birth_date": date(1960, 2, 29), "sex": "female", "race": "unknown", "ethnicity": "unknown",
               "language": "en", "state": "WA", "zip_code": "99901"},
    "eligibility": {"enrollment_start_date": date(2020, 1, 1), "enrollment_end_date": date(9999, 12, 31),
                    "payer_type": "medicare", "is_hospice": False, "is_claims_complete": True},
    "medical_claim": {"claim_line_number": 1, "adjustment_type_code": "0", "claim_type": "professional",
                      "place_of_service_code": "11", "paid_amount": Decimal("100.00"), "billing_npi": "1",
                      "diagnosis_code_type": "icd-10-cm", "diagnosis_codes": [], "procedure_codes": []},
    "pharmacy_claim": {"claim_line_number": 1, "adjustment_type_code": "0", "drug_code_type": "rxnorm",
                       "drug_code": "314231", "days_supply": 30, "paid_amount": Decimal("10.00")},
    "outreach_contact": {"program": "ed_diversion", "channel": "phone", "team": "nurse_line",
                         "assigned_by": "care_manager", "is_offered": True},
    "consent": {"program": "all", "channel": "all", "is_consented": True},
}  # fmt: skip


def day(text: str) -> date:
    return date.fromisoformat(text)


def at(text: str) -> datetime:
    """A moment in UTC; of a day alone its morning."""
    return datetime.fromisoformat(f"{text if 'T' in text else f'{text}T06:00:00'}+00:00")


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return f"timestamp'{value:%Y-%m-%d %H:%M:%S}'"
    if isinstance(value, date):
        return f"date'{value.isoformat()}'"
    if isinstance(value, list):
        return f"cast(array({', '.join(map(_literal, value))}) as array<string>)"
    return f"'{value}'" if isinstance(value, str) else str(value)


class World:
    """Rows of one test, on their way into staging."""

    def __init__(self, spark: Any, key: str) -> None:
        self.spark, self.key, self.number = spark, key * 64, 0
        self.rows: dict[str, list[dict[str, Any]]] = {}
        names = [*(f"staging.stg_tuva__{entity}" for entity in _DEFAULTS), *_OTHER_STAGING]
        ensure_tables(spark, [contract(name) for name in names])
        _ensure_overlay(spark)

    def add(self, entity: str, member_id: str, *, known: str, **values: Any) -> None:
        """One staged row; dates and moments as ISO text."""
        self.number += 1
        row = {"data_source": "tuva", "member_id": member_id, "known_at": at(known), **_DEFAULTS[entity],
               "file_name": "hand.csv", "file_sha256": self.key, "file_row_number": self.number}  # fmt: skip
        row |= {k: day(v) if isinstance(v, str) and k.endswith("_date") else v for k, v in values.items()}
        self.rows.setdefault(entity, []).append(row)

    def claim(
        self, member_id: str, claim_id: str, start: str, *, known: str, end: str | None = None, **values: Any
    ) -> None:
        """One line of a medical claim; line dates follow the claim's."""
        dates = {"claim_start_date": start, "claim_end_date": end or start}
        dates |= {"claim_line_start_date": start, "claim_line_end_date": end or start}
        self.add("medical_claim", member_id, known=known, claim_id=claim_id, **(dates | values))

    def stay(self, member_id: str, claim_id: str, start: str, end: str, *, known: str, **values: Any) -> None:
        """One line of an acute inpatient facility claim."""
        kind = {"claim_type": "institutional", "bill_type_code": "111", "place_of_service_code": None}
        self.claim(
            member_id,
            claim_id,
            start,
            end=end,
            known=known,
            admission_date=start,
            discharge_date=end,
            **(kind | values),
        )

    def emergency(self, member_id: str, claim_id: str, start: str, *, known: str, **values: Any) -> None:
        """One line of an emergency-room facility claim."""
        kind = {
            "claim_type": "institutional",
            "bill_type_code": "131",
            "revenue_center_code": "0450",
            "place_of_service_code": None,
        }
        self.claim(member_id, claim_id, start, known=known, **(kind | values))

    def fill(self, member_id: str, claim_id: str, on: str, *, known: str, **values: Any) -> None:
        self.add("pharmacy_claim", member_id, known=known, claim_id=claim_id, dispensing_date=on, **values)

    def write(self) -> None:
        """Append what was added since the last write."""
        for entity, rows in self.rows.items():
            names = sorted({name for row in rows for name in row})
            listed = ", ".join(f"({', '.join(_literal(row.get(name)) for name in names)})" for row in rows)
            self.spark.sql(f"insert into staging.stg_tuva__{entity} ({', '.join(names)}) values {listed}")
        self.rows = {}

    def remove(self) -> None:
        """Take this world's rows out of staging again."""
        for entity in _DEFAULTS:
            self.spark.sql(f"delete from staging.stg_tuva__{entity} where file_sha256 = '{self.key}'")


_OTHER_STAGING = [
    *(f"staging.stg_desynpuf__{entity}" for entity in ("member", "eligibility", "medical_claim", "condition")),
    *(
        f"staging.stg_synthea_csv__{e}"
        for e in ("member", "eligibility", "medical_claim", "pharmacy_claim", "condition")
    ),
]


def _ensure_overlay(spark: Any) -> None:
    from jobs.simulate.overlay import ensure_overlay

    ensure_overlay(spark)
