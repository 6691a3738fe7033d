"""Each rule of health-data quality finds the row made for it and no other, on pandas frames without Spark."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from quality_cases import CASES, frame_of, rows_of

from contracts.catalog import catalog, contract
from contracts.compile.rules import Scope, rules_of
from contracts.errors import ContractError
from contracts.frames import broken_rows, require
from contracts.model import Tier

CARE = {
    name
    for name in catalog()
    if name.partition("__")[2] in ("medical_claim", "pharmacy_claim", "eligibility")
    or name in ("core.medical_claim", "core.pharmacy_claim", "core.eligibility", "core.member_month", "core.encounter")
}


@pytest.mark.parametrize("table", CASES)
def test_one_bad_row_per_rule(table: str) -> None:
    declared, rows, expected = rows_of(table)
    broken = broken_rows(declared, frame_of(declared, rows))
    for i, rules in enumerate(expected):
        assert {name for name, mask in broken.items() if mask[i]} == rules, f"row {i}"


@pytest.mark.parametrize("table", CASES)
def test_every_rule_across_columns_has_its_row(table: str) -> None:
    tested = {case.rule for case in CASES[table][1]}
    asked = {rule.name for rule in rules_of(contract(table)) if rule.kind == "expression"}
    assert not asked - tested, "a rule without a row that breaks it may never find anything"


def test_rules_of_every_contract_can_be_judged_without_spark() -> None:
    for table in catalog().values():
        frame = frame_of(table, [{}])
        found = broken_rows(table, frame)
        assert set(found) == {rule.name for rule in rules_of(table) if rule.scope in (Scope.ROW, Scope.KEY)}
        missing = {name for name, mask in found.items() if mask[0]}
        assert missing >= {f"{column.name}__not_null" for column in table.columns if not column.nullable}, table.name


def test_frame_that_breaks_an_error_is_refused_by_the_rules_name() -> None:
    declared, rows, _ = rows_of("staging.stg_tuva__eligibility")
    good = frame_of(declared, rows[:2])
    assert require(declared, good) is good
    with pytest.raises(ContractError, match=r"end_not_before_start: 1 of \d+ rows") as refused:
        require(declared, frame_of(declared, rows))
    assert "has_payer" not in str(refused.value), "a warning refuses nothing"
    with pytest.raises(ContractError, match="payer_type missing"):
        require(declared, good.drop(columns="payer_type"))
    with pytest.raises(ContractError, match="payer object"):
        require(declared, good.astype({"payer": "object"}))


def test_first_of_the_rows_with_one_key_stays() -> None:
    declared, rows, _ = rows_of("staging.stg_tuva__eligibility")
    twice = pd.concat([frame_of(declared, rows[:1])] * 3, ignore_index=True)
    assert np.array_equal(broken_rows(declared, twice)["key__unique"], [False, True, True])


def test_there_are_sixty_logical_rules_of_care_and_coverage() -> None:
    logical = {rule.name for name in CARE for rule in rules_of(contract(name)) if rule.tier is Tier.LOGICAL}
    assert len(logical) >= 60
    analytical = {
        rule.name for name in CARE for rule in rules_of(contract(name)) if rule.kind == "measure" and rule.tier is Tier.ANALYTICAL
    }  # fmt: skip
    assert analytical >= {
        "ed_visits_per_1000", "admissions_per_1000", "medical_paid_per_member_month", "line_without_diagnosis_share",
        "known_within_90_days_share",
    }  # fmt: skip
