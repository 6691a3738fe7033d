"""The registry defines each feature once, in words; the programs and the SQL speak of no other feature."""

from __future__ import annotations

import re

import pytest

from contracts.catalog import contract
from contracts.features import covariates, registry, version
from contracts.programs import programs
from contracts.reference_codes import SEEDS, icd10_categories, render
from contracts.tables.core import CONDITION_CATEGORIES, DRUG_CLASSES

_SQL_WORDS = {"and", "or", "not", "is", "null", "between", "coalesce", "case", "when", "then", "else", "end"}


def test_sixty_features_or_more_may_enter_a_model() -> None:
    assert len(covariates()) >= 60
    assert not [name for name in covariates() if re.search("race|ethnic|member_id", name)]


@pytest.mark.parametrize("key", list(programs().programs))
def test_programs_name_only_registered_features(key: str) -> None:
    program = programs().programs[key]
    measures = " ".join(m.measure for m in (*program.placebos, *programs().negative_controls))
    words = set(re.findall(r"[a-z_][a-z0-9_]*", f"{program.eligibility} {program.fallback} {measures}"))
    assert words - _SQL_WORDS <= set(registry())


def test_contract_has_a_described_column_per_feature() -> None:
    columns = {column.name: column for column in contract("features.member_feature").columns}
    assert set(registry()) <= set(columns)
    assert all(columns[name].nullable == feature.nullable for name, feature in registry().items())


def test_reasons_are_plain_words() -> None:
    said = registry()["ed_visit_90d_count"]
    assert said.say(3) == "3 emergency visits in the last 90 days"
    assert said.say(1) == "1 emergency visit in the last 90 days"
    assert registry()["lowest_pdc_180d"].say(0.412) == "Long-term medicine on hand on only 41% of the last 180 days"
    assert registry()["office_visit_365d_count"].say(0) == "No office visit in the last 365 days"
    assert registry()["days_since_ed_visit"].say(float("nan")) == ""
    for feature in registry().values():
        assert "{" not in feature.say(2.0), f"{feature.name}: a placeholder is left in the words"


def test_version_is_stable_within_one_checkout() -> None:
    assert version() == version()
    assert re.fullmatch("[0-9a-f]{12}", version())


@pytest.mark.parametrize("name", ["ref_icd10_hcc.csv", "ref_hcc_weight.csv"])
def test_rendered_seeds_are_current(name: str) -> None:
    assert (SEEDS / name).read_text() == render()[name], "run `python -m contracts.reference_codes`"


def test_known_codes_map_to_their_v28_category() -> None:
    # CMS 2026 midyear final ICD-10 mappings: type 2 diabetes without complication, heart failure, major depression
    assert (icd10_categories()["E119"], icd10_categories()["I509"]) == ("HCC38", "HCC226")
    assert "I10" not in icd10_categories()


def test_seeded_groups_are_the_contracts() -> None:
    rows = [line.split(",") for line in (SEEDS / "ref_condition_code.csv").read_text().splitlines()[1:]]
    assert {row[3] for row in rows} == set(CONDITION_CATEGORIES)
    assert all(3 <= len(row[2]) <= 5 for row in rows if row[1] == "prefix")
    drugs = [line.split(",") for line in (SEEDS / "ref_drug_code.csv").read_text().splitlines()[1:]]
    assert {row[3] for row in drugs} <= set(DRUG_CLASSES)
