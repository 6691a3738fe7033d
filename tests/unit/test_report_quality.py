"""What a page says of its own night's audits and code, also where it is drawn before its run has ended. No JVM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from report_world import LAST, NIGHT

from contracts.settings import settings
from jobs import ledger
from jobs.code_version import code_version
from jobs.report.collect import with_own_code
from jobs.report.queries import _code_version, _quality


class Duck:
    """As much of a Spark session as the queries ask for, on DuckDB."""

    def __init__(self, *tables: str) -> None:
        self.base = duckdb.connect()
        self.base.execute("create schema ops")
        for table in tables:
            self.base.execute(f"create table {table}")
        self.names = {table.split("(")[0].strip() for table in tables}
        self.catalog = SimpleNamespace(tableExists=lambda name: name in self.names)

    def sql(self, statement: str) -> Any:
        found = self.base.execute(statement)
        assert found.description is not None
        columns = [column[0] for column in found.description]
        rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
        return SimpleNamespace(collect=lambda: [SimpleNamespace(asDict=lambda row=row: row) for row in rows])


RESULTS = """ops.contract_result(run_id text, table_name text, data_source text, run_date date, row_filter text, rule text,
    verdict text, rows_broken bigint, audited_at timestamp)"""
FILES = "ops.input_file(data_source text, entity text, status text, run_id text)"
LEDGER = (
    "ops.run_ledger(run_id text, step text, data_source text, run_date date, started_at timestamp, code_version text)"
)


def audited(duck: Duck, run: str, night: str, broken: int, at: str) -> None:
    """The audits of one run: of the landed files, which belong to no night, and of a table made for the night."""
    duck.base.execute(
        f"""insert into ops.contract_result values
        ('{run}', 'raw.tuva__member', null, null, null, 'birth_date__not_null', 'quarantined', {broken}, '{at}'),
        ('{run}', 'core.member', 'tuva', date'{night}', null, 'sex__in_set', 'passed', 0, '{at}')"""
    )


def test_the_first_page_of_a_night_knows_its_audits_before_its_run_is_in_the_ledger() -> None:
    duck = Duck(RESULTS, FILES, LEDGER)
    assert _quality(duck, "tuva", NIGHT) == (False, [], [])
    audited(duck, "first", str(LAST), 7, "2026-11-22 05:00")
    audited(duck, "now", str(NIGHT), 1797, "2026-11-23 05:00")
    duck.base.execute(
        "insert into ops.input_file values ('tuva', 'member', 'parked', 'now'), ('tuva', 'claim', 'parked', 'first')"
    )
    is_recorded, broken, parked = _quality(duck, "tuva", NIGHT)
    assert is_recorded
    assert [(row["table_name"], row["rows_broken"]) for row in broken] == [("raw.tuva__member", 1797)]
    assert parked == [{"entity": "member", "n": 1}]
    assert _quality(Duck(RESULTS), "tuva", NIGHT) == (False, [], []), "nobody has read a file"


def test_of_a_night_that_ran_twice_the_last_audit_counts() -> None:
    duck = Duck(RESULTS)
    audited(duck, "one", str(NIGHT), 20, "2026-11-23 05:00")
    audited(duck, "two", str(NIGHT), 12, "2026-11-23 06:00")
    assert [row["rows_broken"] for row in _quality(duck, "tuva", NIGHT)[1]] == [12]


def test_the_code_is_that_of_the_last_publication() -> None:
    assert _code_version(Duck(), "tuva", NIGHT) == ""
    duck = Duck(LEDGER)
    assert _code_version(duck, "tuva", NIGHT) == ""
    duck.base.execute(
        f"""insert into ops.run_ledger values ('a', 'publish', 'tuva', date'{NIGHT}', '2026-11-23 05:00', '0.1.0+old'),
        ('b', 'publish', 'tuva', date'{NIGHT}', '2026-11-23 06:00', '0.1.0+new'),
        ('b', 'report', 'tuva', date'{NIGHT}', '2026-11-23 07:00', '0.1.0+other')"""
    )
    assert _code_version(duck, "tuva", NIGHT) == "0.1.0+new"


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A process that has journalled nothing."""
    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path))
    settings.cache_clear()
    ledger._journal.cache_clear()
    yield ledger.journal_path()
    ledger._journal.cache_clear()
    settings.cache_clear()


def test_a_run_that_draws_what_it_published_knows_its_own_code(journal: Path) -> None:
    on_record = {"run_id": "r", "code_version": ""}
    assert with_own_code(on_record, "tuva", NIGHT) == on_record
    with ledger.step("score", data_source="tuva", run_date=NIGHT):
        pass
    assert with_own_code(on_record, "tuva", NIGHT) == on_record, "nothing was published"
    with ledger.step("publish", data_source="tuva", run_date=NIGHT):
        pass
    assert journal.exists()
    assert with_own_code(on_record, "tuva", NIGHT) == {"run_id": "r", "code_version": code_version()}
    assert with_own_code(on_record, "tuva", LAST) == on_record
    assert with_own_code(on_record, "synthea_csv", NIGHT) == on_record
