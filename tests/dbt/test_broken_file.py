"""A delivered file with one bad row per rule: exactly these rows are set aside, each under its rule, and the rest goes on.

The same rows in a Spark frame and in a pandas frame are caught under the same names.
"""

from __future__ import annotations

import csv
import uuid
from pathlib import Path
from typing import Any

import pytest
from quality_cases import CLAIMS, VISIT, arrow_of, frame_of, rows_of

from contracts.compile.rules import rules_of
from contracts.errors import ContractError
from contracts.frames import require
from contracts.model import Severity
from jobs.dbt import run_dbt
from jobs.enforce import audit_table, prepare
from jobs.ingest.land import ensure_raw, land
from jobs.row_flags import classified

pytestmark = pytest.mark.timeout(600)
TABLE = "staging.stg_tuva__medical_claim"
# Rules that quarantine and that a file can break: what dbt fills in where it is missing cannot be missing.
BROKEN = (
    "claim_id__not_null", "claim_line_number__not_null", "claim_line_number__at_least", "adjustment_type_code__in_set",
    "member_id__not_null", "claim_type__in_set", "diagnosis_code_type__in_set", "end_not_before_start",
    "discharge_not_before_admission",
)  # fmt: skip
GOOD_ROWS = 300  # so that the bad ones are fewer than the share that blocks the table


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the contract as the delivered file has it."""
    lists = {
        f"{stem}_{i}": code
        for stem in ("diagnosis_code", "procedure_code")
        for i, code in enumerate(row[f"{stem}s"], start=1)
    }
    kept = {name: value for name, value in row.items() if not name.endswith("_codes")}
    return {"person_id": kept.pop("member_id"), **kept, **lists}


def _deliver(path: Path) -> None:
    cases = [case for case in CLAIMS if case.rule in BROKEN]
    assert len(cases) == len(BROKEN)
    rows = [_cells({**VISIT, "claim_id": f"good {i}"}) for i in range(GOOD_ROWS)]
    rows += [_cells({**case.base, "claim_id": f"bad {case.rule}", **case.edits}) for case in cases]
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def test_each_bad_row_is_quarantined_under_its_rule_and_the_rest_goes_on(spark: Any, tmp_path: Path) -> None:
    ensure_raw(spark)
    prepare(spark)
    name = f"{uuid.uuid4().hex[:8]}_medical_claim_2026-03-01.csv"
    _deliver(tmp_path / name)
    land(spark, "tuva", [tmp_path], uuid.uuid4().hex)
    run_dbt("stg_tuva__medical_claim", run_id=uuid.uuid4().hex)
    table, _, _ = rows_of(TABLE)
    errors = {rule.name for rule in rules_of(table) if rule.severity is Severity.ERROR}

    result = audit_table(spark, table, run_id="broken-file", where=f"file_name = '{name}'", record=False)

    assert not result.blocked, result.reason
    assert (result.rows_checked, result.rows_quarantined) == (GOOD_ROWS + len(BROKEN), len(BROKEN))
    found = {rule.name: rule.rows_broken for rule in result.rules if rule.rows_broken and rule.name in errors}
    assert found.pop("quarantine_share__at_most") == len(BROKEN)
    assert found == dict.fromkeys(BROKEN, 1)
    held = spark.table("ops.quarantine").where(f"table_name = '{TABLE}' AND file_name = '{name}'").collect()
    assert sorted(rule for row in held for rule in row["rules"] if rule in errors) == sorted(BROKEN)
    assert {row["file_row_number"] for row in held} == {GOOD_ROWS + 1 + i for i in range(len(BROKEN))}
    kept = spark.table(TABLE).where(f"file_name = '{name}'").select("claim_id").collect()
    assert sorted(row[0] for row in kept) == sorted(f"good {i}" for i in range(GOOD_ROWS))


def test_spark_and_pandas_frames_are_caught_by_the_same_names(spark: Any) -> None:
    table, rows, expected = rows_of(TABLE)
    bad = {rule: row for rule in BROKEN for row, rules in zip(rows, expected, strict=True) if rule in rules}
    for rule, row in bad.items():
        with pytest.raises(ContractError, match=f"{rule}: 1 of 1 rows"):
            require(table, frame_of(table, [row]))
    numbered = [{**row, "file_row_number": i} for i, row in enumerate(bad.values(), start=1)]
    seen = classified(spark.createDataFrame(arrow_of(table, numbered)), table, {}, twins=False)
    found = seen.where("__bad").orderBy("file_row_number").select("__rules").collect()
    assert [rule in row[0] for rule, row in zip(bad, found, strict=True)] == [True] * len(BROKEN)
