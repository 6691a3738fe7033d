"""Enforcement on the engine: one bad row per rule is set aside, the rest goes on; what cannot go on is left alone."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.catalog import contract as contract_of
from contracts.errors import ContractError, UserError
from contracts.model import Contract, Reference, Rule, Severity, TableContract, column, resolve, table
from contracts.types import Date, Double, Money, Str, Strings, Timestamp
from dagster_project.cli import quarantine
from jobs import enforce, ledger
from jobs import held as held_rows
from jobs.delta import append, append_idempotent, data_files, ensure_tables, replace_where, table_version
from jobs.proofs import Bounds, column_bounds, distinct_texts, left_to_ask, row_groups
from jobs.release import Released, release

pytestmark = pytest.mark.timeout(600)
NOON = dt.datetime(2020, 1, 1, 12, 0, 0, 123456, dt.UTC)
DAY = dt.date(2020, 1, 1)
COLUMNS = (
    "id string, parent string, paid decimal(12,2), share double, day date, moment timestamp, code string, "
    "tags array<string>"
)
PARENT = "id string, words string"


@table("core.enforce_parent", key=("id",), quarantine_limit=0.9)
class Parent(Contract):
    """What rows refer to."""

    id: Str = column("Id.")
    words: Str = column("What is said of it.", nullable=True)


@table(
    "staging.enforce_case", key=("id",), quarantine_limit=0.9,
    references=(Reference(("parent",), "core.enforce_parent", ("id",), Severity.ERROR),),
    rules=(Rule("day_not_after_moment", "day <= cast(moment as date)", "A day is before its moment."),),
)  # fmt: skip
class Case(Contract):
    """A table with every kind of rule."""

    id: Str = column("Id.", str_length={"min_value": 1, "max_value": 12})
    parent: Str = column("Parent.", nullable=True)
    paid: Money = column("Paid.", unit="usd", nullable=True, ge=0)
    share: Double = column("Share.", nullable=True, in_range={"min_value": 0, "max_value": 1})
    day: Date = column("Day.", nullable=True)
    moment: Timestamp = column("Moment.", nullable=True)
    code: Str = column("Code.", nullable=True, str_matches=r"^[A-Z]\d{2}$", severity=Severity.WARN)
    tags: Strings = column("Tags.", nullable=True)


def _row(name: str | None, **changed: Any) -> tuple[Any, ...]:
    good = dict(parent="p", paid=Decimal("1.50"), share=0.5, day=DAY, moment=NOON, code="A12", tags=["x"])
    return (name, *{**good, **changed}.values())


GOOD = [_row("good"), _row("plain", parent=None, paid=None, share=None, day=None, moment=None, code=None, tags=None)]
WARNED = _row("warned", code="a12")
BAD = {
    "id__not_null": _row(None),
    "id__length": _row("far_too_long_"),
    "paid__at_least": _row("negative", paid=Decimal("-0.01")),
    "share__in_range": _row("nan", share=float("nan")),
    "day_not_after_moment": _row("late", day=dt.date(2020, 1, 2)),
    "parent__in_core_enforce_parent": _row("orphan", parent="nobody"),
}
TWICE = _row("twice")


@pytest.fixture(scope="module")
def case(spark: Any) -> Iterator[TableContract]:
    """The contract, its tables empty but for one parent."""
    contracts = [resolve(Case), resolve(Parent)]
    ensure_tables(spark, contracts)
    append(spark.createDataFrame([("p", None)], PARENT), "core.enforce_parent", "test")
    yield contracts[0]
    for contract in contracts:
        spark.sql(f"DROP TABLE {contract.name}")
    for name in ("quarantine", "contract_result"):
        spark.sql(f"DELETE FROM ops.{name} WHERE table_name = 'staging.enforce_case'")


def _frame(spark: Any, rows: list[tuple[Any, ...]]) -> Any:
    return spark.createDataFrame(rows, COLUMNS)


def _fill(spark: Any, rows: list[tuple[Any, ...]]) -> None:
    _frame(spark, rows).write.format("delta").mode("overwrite").saveAsTable("staging.enforce_case")


def _held(spark: Any) -> list[Any]:
    held = spark.table("ops.quarantine").where("table_name = 'staging.enforce_case'")
    return list(held.selectExpr("get_json_object(row_json, '$.id') AS id", "rules").collect())


def test_one_bad_row_per_rule(spark: Any, case: TableContract) -> None:
    _fill(spark, [*GOOD, WARNED, *BAD.values(), TWICE, TWICE])
    before = table_version(spark, case.name)

    result = enforce.audit_table(spark, case, run_id="one")

    broken = {rule.name: (rule.rows_broken, str(rule.verdict)) for rule in result.rules if not rule.passed}
    assert broken == {
        **dict.fromkeys(BAD, (1, "quarantined")), "key__not_null": (1, "quarantined"),
        "key__unique": (1, "quarantined"), "code__matches": (1, "warned"),
    }  # fmt: skip
    kept = sorted(row["id"] for row in spark.table(case.name).select("id").collect())
    assert kept == ["good", "plain", "twice", "warned"]
    rules = {row["id"]: set(row["rules"]) for row in _held(spark)}
    assert rules.pop(None) == {"id__not_null", "key__not_null"}
    expected = {row[0]: {name} for name, row in BAD.items() if row[0]} | {"twice": {"key__unique"}}
    assert rules == expected
    assert (result.rows_checked, result.rows_quarantined, result.table_version) == (11, 7, before + 1)

    again = enforce.audit_table(spark, case, run_id="two")
    assert (again.is_reused, again.rules) == (True, result.rules)
    assert table_version(spark, case.name) == before + 1


def test_files_prove_what_holds_in_all_of_them(spark: Any, case: TableContract) -> None:
    proven = dict.fromkeys(["id__not_null", "key__not_null", "paid__at_least", "share__in_range"], "")
    _fill(spark, GOOD)
    good = table_version(spark, case.name)
    assert left_to_ask(case, good) == proven
    append(_frame(spark, [BAD["share__in_range"], BAD["paid__at_least"], BAD["id__not_null"]]), case.name, "test")
    assert left_to_ask(case, table_version(spark, case.name)) == {}
    assert left_to_ask(case, good) == proven
    spark.sql(f"DELETE FROM {case.name} WHERE id IS NULL OR id IN ('nan', 'negative')")
    assert left_to_ask(case, table_version(spark, case.name)) == proven


@pytest.mark.parametrize("number", ["id", "-id", "id % 3", "IF(id < 9000, double('NaN'), id)"])
def test_no_file_of_spark_vouches_for_a_double_that_is_no_number(spark: Any, case: TableContract, number: str) -> None:
    rows = spark.range(20_000).selectExpr("id", f"IF(id = 7, double('NaN'), double({number})) AS share")
    try:
        rows.coalesce(1).write.format("delta").mode("overwrite").saveAsTable("staging.enforce_nan")
        [file] = data_files("staging.enforce_nan", table_version(spark, "staging.enforce_nan"))
        assert column_bounds(row_groups([file]))["share"] == Bounds(None, None, has_no_null=True, has_no_nan=False)
        numbers = rows.where("NOT isnan(share)").coalesce(1)
        numbers.write.format("delta").mode("overwrite").saveAsTable("staging.enforce_nan")
        [file] = data_files("staging.enforce_nan", table_version(spark, "staging.enforce_nan"))
        assert column_bounds(row_groups([file]))["share"].has_no_nan
    finally:
        spark.sql("DROP TABLE IF EXISTS staging.enforce_nan")


def test_dictionaries_of_spark_hold_every_text_or_are_not_believed(spark: Any) -> None:
    rows = spark.range(60_000).selectExpr(
        "element_at(array('a', 'b', NULL), CAST(1 + id % 3 AS int)) AS few",
        "CAST(id AS string) AS many",
        "IF(id = 59999, 'odd', 'even') AS last",
        "IF(id < 200, 'few', CAST(uuid() AS string)) AS then_many",
    )
    try:
        rows.coalesce(1).write.format("delta").mode("overwrite").saveAsTable("staging.enforce_texts")
        files = data_files("staging.enforce_texts", table_version(spark, "staging.enforce_texts"))
        found = distinct_texts(row_groups(files), ["few", "many", "last", "then_many", "absent"])
        assert found == {"few": {"a", "b"}, "last": {"odd", "even"}}
    finally:
        spark.sql("DROP TABLE IF EXISTS staging.enforce_texts")


def test_files_whose_columns_may_have_other_names_prove_nothing(spark: Any) -> None:
    spark.sql("CREATE OR REPLACE TABLE staging.enforce_mapped USING delta AS SELECT 1 AS x")
    try:
        assert len(data_files("staging.enforce_mapped", table_version(spark, "staging.enforce_mapped"))) == 1
        spark.sql("ALTER TABLE staging.enforce_mapped SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
        assert data_files("staging.enforce_mapped", table_version(spark, "staging.enforce_mapped")) == []
    finally:
        spark.sql("DROP TABLE staging.enforce_mapped")


def test_an_audit_asks_what_is_left_and_no_more(
    spark: Any, case: TableContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(spark, [*GOOD, WARNED])
    asked: list[tuple[str, int]] = []

    def left(contract: TableContract, version: int) -> dict[str, str]:
        asked.append((contract.name, version))
        return {"code__matches": ""}

    monkeypatch.setattr(enforce, "left_to_ask", left)
    result = enforce.audit_table(spark, case, run_id="left", record=False)
    assert asked == [(case.name, table_version(spark, case.name))]
    assert all(rule.passed for rule in result.rules)


def test_same_bad_rows_again_are_the_same_entries_and_clean_rows_write_nothing(spark: Any, case: TableContract) -> None:
    held = len(_held(spark))
    rows = [*GOOD, WARNED, *BAD.values(), TWICE, TWICE]
    first = enforce.write_audited(_frame(spark, rows), case, run_id="three")
    assert (first.rows_quarantined, len(_held(spark))) == (7, held)

    second = enforce.write_audited(_frame(spark, rows), case, run_id="four")
    assert second.table_version == first.table_version


def test_release_takes_back_what_keeps_the_contract_by_now_and_only_once(spark: Any, case: TableContract) -> None:
    def ids() -> list[str]:
        return sorted(row["id"] for row in spark.table(case.name).select("id").collect())

    def held() -> dict[str, int]:
        return {row["rule"]: row["held"] for row in held_rows.quarantine_counts(spark, case.name)}

    assert release(spark, case, run_id="early") == Released(asked=7, added=0, there=0, held=7)
    append(spark.createDataFrame([("nobody", None)], PARENT), "core.enforce_parent", "test")
    before, kept = table_version(spark, case.name), held()
    rule = "parent__in_core_enforce_parent"

    assert release(spark, case, run_id="first") == Released(asked=7, added=1, there=0, held=6)
    assert ids() == ["good", "orphan", "plain", "twice", "warned"]
    assert held() == {**kept, rule: 0}
    (entry,) = held_rows.quarantined_rows(spark, case.name, rule)
    assert (entry["status"], "row_json" in entry) == ("released", False)
    values = held_rows.quarantined_rows(spark, case.name, rule, with_values=True)[0]["row_json"]
    assert json.loads(values)["parent"] == "nobody"
    listed = json.loads(CliRunner().invoke(quarantine.app, ["list", "--json"]).stdout)
    assert {"table_name": case.name, "rule": rule, "held": 0, "released": 1} in listed

    assert release(spark, case, run_id="second") == Released(asked=6, added=0, there=0, held=6)
    assert table_version(spark, case.name) == before + 1, "a second release writes nothing"

    # a release that was cut off after it wrote the rows and before it marked them
    spark.sql(
        "UPDATE ops.quarantine SET status = 'held', released_at = NULL, released_run_id = NULL"
        f" WHERE table_name = '{case.name}' AND status = 'released'"
    )
    again = release(spark, case, run_id="third", rule=rule, ids=[entry["quarantine_id"][:12]])
    assert again == Released(asked=1, added=0, there=1, held=0)
    assert (ids().count("orphan"), table_version(spark, case.name)) == (1, before + 1)

    whole = release(spark, case, run_id="fourth", ids=[entry["quarantine_id"], entry["quarantine_id"][:12]])
    assert whole == Released(asked=0, added=0, there=0, held=0), "what was released is known, and not asked again"
    first = Counter(row["quarantine_id"][0] for row in held_rows.quarantined_rows(spark, case.name))
    shared = [letter for letter, n in first.items() if n > 1]
    unknown = next(letter for letter in "0123456789abcdef" if letter not in first)
    for wrong, told in ((unknown, "no entry"), ("no id' OR true", "not the id"), *((s, "entries") for s in shared)):
        with pytest.raises(UserError, match=told):
            release(spark, case, run_id="wrong", ids=[entry["quarantine_id"], wrong])


def test_broken_keys_block_what_is_derived(spark: Any, case: TableContract) -> None:
    """Copies of one row do not: one of them stays."""
    parent, version = resolve(Parent), table_version(spark, "core.enforce_parent")
    for rows, rule in (([("p", "one"), ("p", "other")], "key__unique"), ([("p", "one"), (None, "x")], "key__not_null")):
        result = enforce.write_audited(spark.createDataFrame(rows, PARENT), parent, run_id="key", record=False)
        assert result.blocked, rule
        assert rule in (result.reason or "")
    assert table_version(spark, parent.name) == version, "a blocked table is left as it was"


def test_too_many_bad_rows_block_and_leave_the_table_alone(spark: Any, case: TableContract) -> None:
    version = table_version(spark, case.name)
    result = enforce.write_audited(_frame(spark, [BAD["paid__at_least"]]), case, run_id="five")
    assert result.blocked
    assert "quarantine_share__at_most" in (result.reason or "")
    with pytest.raises(ContractError, match=r"staging\.enforce_case"):
        result.require()
    assert table_version(spark, case.name) == version
    recorded = spark.table("ops.contract_result").where("run_id = 'five' AND verdict = 'failed'").count()
    assert recorded == 2  # the share, and the rule whose row could not be set aside


def test_other_columns_or_types_are_refused(spark: Any, case: TableContract) -> None:
    with pytest.raises(ContractError, match="extra more"):
        enforce.write_audited(_frame(spark, GOOD).selectExpr("*", "1 AS more"), case, run_id="six")
    wrong = _frame(spark, GOOD).selectExpr("* EXCEPT (paid)", "CAST(paid AS double) AS paid")
    with pytest.raises(ContractError, match=r"paid double instead of decimal\(12,2\)"):
        enforce.write_audited(wrong, case, run_id="six")


def test_replace_where_writes_only_what_changed(spark: Any, case: TableContract) -> None:
    good = _frame(spark, GOOD)
    first = replace_where(good, case, "id IN ('good', 'plain')", "seven")
    same = replace_where(_frame(spark, GOOD[::-1]), case, "id IN ('good', 'plain')", "seven")
    assert (same.changed, same.version, same.rows) == (False, first.version, 2)
    shifted = [_row("good", parent=None, code="p"), GOOD[1]]
    assert replace_where(_frame(spark, shifted), case, "id IN ('good', 'plain')", "seven").changed
    assert "twice" in {row["id"] for row in spark.table(case.name).select("id").collect()}


def test_append_idempotent(spark: Any, case: TableContract) -> None:
    before = spark.table(case.name).count()
    for _ in range(2):
        append_idempotent(_frame(spark, [_row("appended")]), case.name, "test-app", 1)
    assert spark.table(case.name).count() == before + 1


def _failing_run() -> None:
    with ledger.run("test-ledger", "run-ledger"):
        with ledger.step("good") as record:
            record.rows_out = 3
        with ledger.step("bad"):
            raise ValueError("a secret value")


def test_ledger_is_written_once(spark: Any) -> None:
    with pytest.raises(ValueError, match="secret"):
        _failing_run()
    ledger.flush(spark)
    rows = (
        spark.table(contract_of("ops.run_ledger").name)
        .where("run_id = 'run-ledger' AND step <> 'lineage'")
        .orderBy("started_at")
        .collect()
    )
    assert [(row["step"], row["status"], row["rows_out"], row["message"]) for row in rows] == [
        ("good", "succeeded", 3, None), ("bad", "failed", None, "ValueError"),
    ]  # fmt: skip
