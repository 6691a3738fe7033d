"""Tables on the engine: which of them there are, and how many files their rows make."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.model import Contract, TableContract, column, resolve, table
from contracts.types import Str
from jobs import enforce
from jobs.delta import (
    append,
    data_files,
    ensure_tables,
    existing_tables,
    join_small_files,
    only_appended_since,
    rows_of_contract,
    table_version,
)

pytestmark = pytest.mark.timeout(300)


@table("ops.table_made", key=("id",))
class Made(Contract):
    """A few rows at a time."""

    id: Str = column("Id.")


def _rows(*ids: int) -> list[dict[str, str]]:
    return [{"id": str(i)} for i in ids]


def _files(spark: Any, contract: TableContract) -> int:
    return len(data_files(contract.name, table_version(spark, contract.name)))


@pytest.fixture
def made(spark: Any) -> Any:
    contract: TableContract = resolve(Made)
    assert ensure_tables(spark, [contract]) == {contract.name}
    yield contract
    spark.sql(f"DROP TABLE {contract.name}")
    assert contract.name not in existing_tables(spark, [contract.name])


def test_only_tables_of_the_catalog_exist(spark: Any, made: TableContract) -> None:
    """Not a view of the session, not a table of another schema, and a schema that is not there has none."""
    spark.sql("SELECT 1 AS one").createOrReplaceTempView("table_seen")
    names = ["ops.table_made", "ops.table_seen", "raw.table_made", "nowhere.table_made"]
    assert existing_tables(spark, names) == {"ops.table_made"}
    assert existing_tables(spark, []) == frozenset()
    assert ensure_tables(spark, [made]) == frozenset(), "a table that is there is not made again"


def test_another_error_than_a_missing_schema_is_told(spark: Any) -> None:
    from pyspark.errors import ParseException

    with pytest.raises(ParseException):
        existing_tables(spark, ["a b.table_made"])


def test_a_session_joins_the_files_of_what_every_step_adds_to_once(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    monkeypatch.setattr(enforce, "_PREPARED", set())
    monkeypatch.setattr(enforce, "join_small_files", lambda _, name: looked_at.append(name))
    enforce.prepare(spark)
    enforce.prepare(spark)
    assert looked_at == ["ops.contract_result", "ops.table_profile", "ops.run_ledger"]


def test_rows_of_the_driver_are_one_file_and_many_small_files_become_one(spark: Any, made: TableContract) -> None:
    append(rows_of_contract(spark, made, _rows(*range(20))), made.name, "run")
    assert _files(spark, made) == 1
    for start in (20, 30):
        append(rows_of_contract(spark, made, _rows(start, start + 1)), made.name, "run")
    assert not join_small_files(spark, made.name, most=3)
    assert _files(spark, made) == 3
    assert join_small_files(spark, made.name, most=2)
    assert _files(spark, made) == 1
    assert spark.table(made.name).count() == 24
    assert only_appended_since(spark, made.name, 0), "joining files changes no rows"
