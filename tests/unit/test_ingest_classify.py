"""Files are told by their columns and names; what differs from the layout is reported, not lost."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from contracts.errors import InputFileError, UserError
from contracts.sources import SOURCES, source
from jobs.ingest.classify import classify

SYNTHEA, TUVA = SOURCES["synthea_csv"], SOURCES["tuva"]
CONSENT = ["member_id", "program", "channel", "is_consented", "effective_date"]


def header_of(path: Path) -> list[str]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return next(csv.reader(content.decode().splitlines()))


def test_unknown_source_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="tuva or desynpuf or synthea_csv"):
        source("nobody")


def test_layouts_of_a_source_are_told_apart_by_their_columns_alone() -> None:
    for which in SOURCES.values():
        for layout in which.files:
            columns = [column.name for column in layout.columns]
            assert classify(which, ["delivery.csv"], columns).layout is layout, f"{which.name} {layout.entity}"


def test_a_file_named_after_an_entity_must_have_its_columns() -> None:
    with pytest.raises(InputFileError, match="effective_date"):
        classify(TUVA, ["consent.csv"], CONSENT[:-1])


def test_either_of_two_identifiers_will_do() -> None:
    assert classify(TUVA, ["consent.csv"], ["person_id", *CONSENT[1:]]).layout.entity == "consent"
    with pytest.raises(InputFileError, match="person_id or member_id"):
        classify(TUVA, ["consent.csv"], CONSENT[1:])


def test_drift_names_what_was_renamed_added_and_missing() -> None:
    columns = ["PATIENT", "MEMBERID", "START_YEAR", "END_YEAR", "PAYER", "SECONDARY_PAYER", "OWNERSHIP", "NEW ONE"]
    matched = classify(SYNTHEA, ["payer_transitions.csv"], columns)
    assert dict(matched.drift.renamed) == {
        "START_YEAR": "start_date", "END_YEAR": "end_date", "OWNERSHIP": "plan_ownership",
    }  # fmt: skip
    assert matched.drift.added == ("NEW ONE",)
    assert matched.drift.missing == ("owner_name",)
    assert matched.targets[-1] is None


def test_a_column_under_its_old_and_new_name_is_refused() -> None:
    columns = ["PATIENT", "START_YEAR", "START_DATE", "END_DATE", "PAYER"]
    with pytest.raises(InputFileError, match="start_date"):
        classify(SYNTHEA, ["payer_transitions.csv"], columns)


def test_tuvas_own_file_columns_do_not_hide_those_of_landing() -> None:
    matched = classify(TUVA, ["consent.csv"], [*CONSENT, "file_name", "file_date"])
    assert matched.targets[-2:] == ("delivered_file_name", "delivered_file_date")
    assert not matched.drift.renamed


@pytest.mark.parametrize("folder", ["synthea_3_0_0", "synthea_3_3_0"])
def test_every_column_of_both_synthea_layouts_is_known(real_data: Path, folder: str) -> None:
    for path in sorted((real_data / folder).glob("*.csv.gz")):
        matched = classify(SYNTHEA, [path.name], header_of(path))
        assert matched.layout.entity == path.name.split(".")[0]
        assert matched.drift.added == (), path.name


def test_every_column_of_tuvas_input_layer_is_known(real_data: Path) -> None:
    for entity in ("eligibility", "medical_claim", "pharmacy_claim"):
        matched = classify(
            TUVA, [f"raw_data__{entity}.csv"], header_of(real_data / "tuva_input_layer" / f"raw_data__{entity}.csv")
        )
        assert matched.layout.entity == entity
        assert matched.drift.added == ()


def test_every_column_of_desynpuf_is_known_and_delivered(real_data: Path) -> None:
    for path in sorted((real_data / "desynpuf").glob("*.csv.gz")):
        drift = classify(SOURCES["desynpuf"], [path.name], header_of(path)).drift
        assert not drift, path.name
