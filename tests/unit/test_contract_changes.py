"""Which changes of a contract break its readers, what they ask of its version, and how they are told."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from contracts.catalog import contract
from contracts.changes import Weight, compare, words
from contracts.compile.odcs import document, render
from contracts.errors import UserError
from contracts.published import documents_of

TABLE = "core.encounter"


def _edited(edit: Callable[[dict[str, Any]], Any], version: str | None = None) -> list[Any]:
    """Changes between the encounter's contract and an edited copy."""
    before = json.loads(json.dumps(document(contract(TABLE))))
    after = copy.deepcopy(before)
    edit(after)
    after["version"] = version or before["version"]
    return compare({TABLE: before}, {TABLE: after})


def _column(doc: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in doc["schema"][0]["properties"] if c["name"] == name)
    return found


def _rule(doc: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(r for r in doc["schema"][0]["quality"] if r["name"] == name)
    return found


BREAKING: dict[str, Callable[[dict[str, Any]], Any]] = {
    "the column paid_amount is gone": lambda d: d["schema"][0]["properties"].remove(_column(d, "paid_amount")),
    "paid_amount is double, it was decimal(12,2)": lambda d: _column(d, "paid_amount").update(physicalType="double"),
    "member_id may be NULL, it never was": lambda d: _column(d, "member_id").pop("required"),
    "member_id is of the PHI class none, it was health_plan_beneficiary_number":
        lambda d: _column(d, "member_id").pop("customProperties"),
    "the key is (data_source), it was (data_source, encounter_id)":
        lambda d: _column(d, "encounter_id").pop("primaryKey"),
    "the rule end_not_before_start (error) is gone":
        lambda d: d["schema"][0]["quality"].remove(_rule(d, "end_not_before_start")),
    "the rule end_not_before_start is of severity warn, it was error":
        lambda d: _rule(d, "end_not_before_start").update(severity="warn"),
}  # fmt: skip
COMPATIBLE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "the column more is new":
        lambda d: d["schema"][0]["properties"].append({"name": "more", "physicalType": "string"}),
    "the rule stay_has_diagnosis (warn) is gone":
        lambda d: d["schema"][0]["quality"].remove(_rule(d, "stay_has_diagnosis")),
    "the rule end_not_before_start asks for something else":
        lambda d: _rule(d, "end_not_before_start").update(query="select 1"),
    "the owner changed": lambda d: d["team"].update(name="someone"),
}  # fmt: skip


@pytest.mark.parametrize("what", BREAKING)
def test_breaking_change_needs_a_major_version(what: str) -> None:
    for version, is_refused in ((None, True), ("1.1.0", True), ("0.9.0", True), ("2.0.0", False)):
        (table,) = _edited(BREAKING[what], version)
        assert [change.what for change in table.changes] == [what]
        assert (table.asked, table.is_refused) == (Weight.MAJOR, is_refused), version


@pytest.mark.parametrize("what", COMPATIBLE)
def test_compatible_change_is_let_through_and_told(what: str) -> None:
    (table,) = _edited(COMPATIBLE[what])
    assert [change.what for change in table.changes] == [what]
    assert (table.asked, table.is_refused, table.is_told) == (Weight.MINOR, False, False)
    assert _edited(COMPATIBLE[what], "1.1.0")[0].is_told


def test_table_that_is_gone_breaks_unless_it_was_announced() -> None:
    doc = json.loads(json.dumps(document(contract(TABLE))))
    (gone,) = compare({TABLE: doc}, {})
    assert gone.is_refused
    (announced,) = compare({TABLE: {**doc, "status": "deprecated"}}, {})
    assert not announced.is_refused
    assert not compare({TABLE: doc}, {TABLE: doc})


def test_diff_against_a_folder_is_readable_and_fails(tmp_path: Path) -> None:
    """The committed files with one promise more: a column that the contract of today does not have."""
    from dagster_project.cli.contracts import app

    for name in (TABLE, "core.member"):
        doc = yaml.safe_load(render(contract(name)))
        if name == TABLE:
            doc["schema"][0]["properties"].append(
                {"name": "gone", "physicalType": "string", "logicalType": "string", "required": True}
            )
        (tmp_path / f"{name}.odcs.yaml").write_text(yaml.safe_dump(doc))
    result = CliRunner().invoke(app, ["diff", "--against", str(tmp_path)])
    assert result.exit_code == 21, result.output
    assert (
        f"{TABLE}  1.0.0 -> 1.0.0  (breaking: needs a new major version)\n  ! the column gone is gone" in result.output
    )
    assert "core.member  " not in result.output, "an unchanged contract is not in the diff"
    assert "core.condition  none -> " in result.output, "a table that the others do not have yet is new"


def test_what_cannot_be_compared_with_says_so(tmp_path: Path) -> None:
    for against in (str(tmp_path), "no-such-revision"):
        with pytest.raises(UserError) as caught:
            documents_of(against, tmp_path)
        assert against in str(caught.value)


def test_changes_in_words_put_the_breaking_ones_first() -> None:
    def edit(doc: dict[str, Any]) -> None:
        COMPATIBLE["the owner changed"](doc)
        BREAKING["the column paid_amount is gone"](doc)

    lines = words(_edited(edit)).splitlines()
    assert [line.strip()[0] for line in lines[1:]] == ["!", "~"]
