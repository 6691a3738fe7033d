"""De-identified columns hold the same in Spark as in DuckDB, so that the doors show one thing."""

from __future__ import annotations

from typing import Any

import duckdb

from contracts.deidentify import shown_columns
from contracts.dictionary import ColumnEntry, TableEntry

_COLUMNS = (
    ColumnEntry("data_source", "string", "none", None, "Meaning."),
    ColumnEntry("member_id", "string", "health_plan_beneficiary_number", None, "Meaning."),
    ColumnEntry("age", "int", "none", "years", "Meaning."),
    ColumnEntry("days_since_ed_visit", "int", "none", "days", "Meaning."),
    ColumnEntry("reason_1", "string", "none", None, "Meaning."),
)
_ROWS = """(values ('tuva', 'm1', 93, 59, 'Age 93'), ('tuva', 'm2', 67, 0, 'Last emergency visit 59 days ago'),
    ('tuva', null, null, null, null), ('demo', 'm1', 0, 365, '2 inhaler fills in the last year'))
    t(data_source, member_id, age, days_since_ed_visit, reason_1)"""


def test_both_engines_show_the_same(spark: Any) -> None:
    entry = TableEntry("features.x", "d", "o", "1", (), _COLUMNS, None, ())

    def asked(engine: str) -> str:
        columns = shown_columns(entry, b"secret", engine)
        return f"select {', '.join(f'{c.sql} as {c.name}' for c in columns)} from {_ROWS} order by 1, 2 nulls first"

    shown = [tuple(row) for row in spark.sql(asked("spark")).collect()]
    assert shown == duckdb.sql(asked("duckdb")).fetchall()
    assert {row[-1] for row in shown} >= {"Age 90 or over", "Last emergency visit 30 to 59 days ago"}


def test_nothing_is_put_in_the_place_of_a_variable(spark: Any) -> None:
    """Spark's default puts the server's environment there, in which the clients' token stands."""
    for text in ("${env:SPARK_CONNECT_AUTHENTICATE_TOKEN}", "${system:user.home}", "${spark.app.name}"):
        assert spark.sql(f"select '{text}' as x").collect()[0]["x"] == text
