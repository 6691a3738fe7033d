"""`outreach sql` on two small nights of Delta files: what it answers, what it hides, what it refuses. No JVM."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from delta_world import FIRST, SECOND, priority_row, summary_row, two_nights, write_table
from deltalake import DeltaTable, write_deltalake
from ran import Run, at_home

from contracts.compile.dictionary import dictionary_text
from contracts.deidentify import is_days_since, shown_columns
from contracts.dictionary import FILE, ColumnEntry, TableEntry, dictionary
from contracts.settings import Settings, settings
from jobs import row_key


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("world")
    two_nights(made)
    return made


@pytest.fixture
def run(world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """The command line as the console script runs it."""
    with at_home(world, "analyst", monkeypatch, capsys) as call:
        yield call


def rows(run: Run, sql: str, role: str = "analyst") -> list[dict[str, Any]]:
    done = run("sql", sql, "--format", "json", role=role)
    assert done.code == 0, done.err
    return done.json


def accesses(world: Path) -> list[dict[str, Any]]:
    files = (world / "access").glob("*.ndjson")
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_the_rendered_dictionary_is_current() -> None:
    current = FILE.read_text(encoding="utf-8") == dictionary_text()
    assert current, "contracts/dictionary.json differs from its contracts: run `python -m contracts.compile dictionary`"


def test_who_moved_into_the_top_100_since_yesterday_and_why(run: Run) -> None:
    """The question of the issue, as one statement."""
    found = rows(
        run,
        """select priority_rank, previous_rank, change, cause, why from outreach.priority_changes
        where run_date = date '2026-07-02' and priority_rank <= 100 and coalesce(previous_rank, 101) > 100
        order by program, priority_rank""",
    )
    assert found == [
        {"priority_rank": 1, "previous_rank": 150, "change": "entered", "cause": "own_estimate",
         "why": "Expected net value rose from $80 to $410; new: Age 90 or over"},
        {"priority_rank": 2, "previous_rank": None, "change": "entered", "cause": "new_member",
         "why": "Was not among the members looked at on the night before"},
    ]  # fmt: skip


def test_every_change_has_its_cause(run: Run) -> None:
    found = rows(
        run, "select member_id, change, cause, rank_change, why from outreach.priority_changes", role="care_manager"
    )
    told = {row["member_id"]: (row["change"], row["cause"], row["rank_change"]) for row in found}
    assert told == {
        "stays": ("left", "not_callable", None),
        "gone": ("left", "gone", None),
        "same": ("left", "others_moved", -1),
        "riser": ("entered", "own_estimate", 149),
        "new": ("entered", "new_member", None),
        "drawn": ("entered", "drawn_to_explore", -1),
    }
    assert all(row["why"] for row in found)


def test_a_value_that_did_not_move_a_member_is_not_the_cause(tmp_path: Path) -> None:
    """Who moved up although the own value fell, or by cents, was moved by others."""
    from contracts.roles import Role
    from jobs.query.answer import answer

    made = {"up": (9, 5.4, 2, 5.3), "fell": (8, 90.0, 1, 80.0), "rose": (3, 10.0, 7, 12.0), "own": (1, 99.0, 9, 3.0),
            "cents": (4, 50.2, 5, 50.1)}  # fmt: skip
    rows = [
        priority_row(m, night, priority_rank=rank, expected_net_value_usd=value)
        for m, (was, before, now, value_now) in made.items()
        for night, rank, value in ((FIRST, was, before), (SECOND, now, value_now))
    ]
    write_table(tmp_path, "outreach.priority", rows)
    write_table(tmp_path, "outreach.program_summary", [summary_row(FIRST), summary_row(SECOND)])
    write_table(tmp_path, "causal.member_score", [{**row, "is_eligible": True, "rank_value": None} for row in rows])
    sql = "select member_id, cause, why from outreach.priority_changes"
    told = answer(sql, "duckdb", Settings(home=tmp_path, role=Role.STEWARD)).rows.to_pylist()
    assert {row["member_id"]: (row["cause"], row["why"]) for row in told} == {
        "up": ("others_moved", "Own value is the same; others moved"),
        "fell": ("others_moved", "Others moved more: expected net value is $80, was $90"),
        "rose": ("others_moved", "Others moved more: expected net value is $12, was $10"),
        "own": ("own_estimate", "Expected net value fell from $99 to $3"),
        "cents": ("others_moved", "Own value is the same; others moved"),
    }


def test_a_simple_rule_says_its_values(world: Path, tmp_path: Path) -> None:
    """A program without an effect model ranks by a rule, whose values the scores hold."""
    from contracts.roles import Role
    from jobs.query.answer import answer

    simple = {"verdict": "fallback", "expected_net_value_usd": None}
    rows = [
        *(priority_row(m, FIRST, priority_rank=r, **simple) for m, r in (("a", 1), ("b", 2), ("c", 3))),
        *(priority_row(m, SECOND, priority_rank=r, **simple) for m, r in (("a", 2), ("b", 1), ("c", 3))),
    ]
    values = {("a", FIRST): 5.0, ("b", FIRST): 4.0, ("a", SECOND): 5.0, ("b", SECOND): 7.256, ("c", SECOND): 1.0}
    write_table(tmp_path, "outreach.priority", rows)
    write_table(tmp_path, "outreach.program_summary", [summary_row(FIRST), summary_row(SECOND)])
    scores = [
        {**row, "is_eligible": True, "rank_value": values.get((row["member_id"], row["run_date"]))} for row in rows
    ]
    write_table(tmp_path, "causal.member_score", scores)
    config = Settings(home=tmp_path, role=Role.STEWARD)
    sql = "select member_id, change, cause, why from outreach.priority_changes order by member_id"
    assert [tuple(row.values()) for row in answer(sql, "duckdb", config).rows.to_pylist()] == [
        ("a", "moved_down", "others_moved", "Own value is the same; others moved"),
        ("b", "moved_up", "simple_rule", "The simple rule of the program gives 7.26 instead of 4.0"),
        ("c", "unchanged", "simple_rule", "The simple rule of the program gives 1.0 instead of no value"),
    ]


def test_a_first_night_has_no_changes(run: Run) -> None:
    assert rows(run, "select * from outreach.priority_changes where run_date = date '2026-07-01'") == []


def test_an_analyst_sees_pseudonyms_that_join(run: Run) -> None:
    sql = """select p.member_id as id, count(*) as n from outreach.priority p
        join outreach.priority_changes c using (data_source, program, member_id) group by 1 order by 1"""
    found = rows(run, sql)
    assert len(found) == 6
    assert all(len(row["id"]) == 20 and set(row["id"]) <= set("0123456789abcdef") for row in found)
    assert rows(run, sql) == rows(run, sql), "a pseudonym must be the same tomorrow"


def test_only_reading_as_it_is_is_put_on_record(run: Run, world: Path) -> None:
    before = len(accesses(world))
    rows(run, "select member_id from outreach.priority")
    assert len(accesses(world)) == before
    found = rows(run, "select reason_1 from outreach.action_list where member_id = 'riser'", role="care_manager")
    assert found == [{"reason_1": "Age 93"}]
    last = max(accesses(world), key=lambda entry: entry["accessed_at"])
    assert len(accesses(world)) == before + 1
    assert (last["role"], last["door"], last["is_identified"]) == ("care_manager", "sql", True)
    assert "outreach.priority" in last["tables"]
    assert "riser" not in json.dumps(last), "the access record must not name a member"
    assert "?" in last["statement"]


def test_nothing_is_read_when_it_cannot_be_put_on_record(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobs.journal import Journal

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "write", full)
    done = run("sql", "select member_id from outreach.priority", role="care_manager")
    assert done.code == 1
    assert "nothing was read" in done.err
    assert done.out == ""


def test_refused_rows_whole_are_for_stewards_and_on_record(
    run: Run, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object, with_values: bool, **__: object) -> list[dict[str, Any]]:
        seen.append((with_values, [entry["role"] for entry in accesses(world) if entry["door"] == "quarantine"]))
        return []

    seen: list[tuple[bool, list[str]]] = []
    monkeypatch.setattr("jobs.held.quarantined_rows", read)
    monkeypatch.setattr("jobs.session.spark_session", lambda *_: None)
    asked = ("quarantine", "show", "core.member")
    for role in ("analyst", "care_manager"):
        done = run(*asked, "--values", role=role)
        assert (done.code, done.out, "OUTREACH_ROLE=steward" in done.err) == (2, "", True)
        assert run(*asked, role=role).code == 0, "without their values any role may ask"
    assert run(*asked, "--values", role="steward").code == 0
    assert seen == [(False, []), (False, []), (True, ["steward"])], "on record before anything is read"


def test_describe_explains_every_column(run: Run) -> None:
    found = rows(run, "describe outreach.priority")
    assert [row["column"] for row in found] == [c.name for c in dictionary()["outreach.priority"].columns]
    assert all(row["meaning"] for row in found)
    assert "Pseudonym" in next(row["meaning"] for row in found if row["column"] == "member_id")
    identified = rows(run, "describe outreach.priority", role="steward")
    assert "Pseudonym" not in next(row["meaning"] for row in identified if row["column"] == "member_id")
    listed = {row["table"] for row in rows(run, "show tables in outreach")}
    assert {"outreach.priority", "outreach.priority_changes", "outreach.action_list"} <= listed


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("delete from outreach.priority", "only reads"),
        ("insert into outreach.priority select * from outreach.priority", "only reads"),
        ("create table x as select 1", "only reads"),
        ("drop table outreach.priority", "only reads"),
        ("copy (select 1) to '/tmp/x'", "only reads"),
        ("set memory_limit = '1GB'", "only reads"),
        ("select 1; select 2", "2 statements"),
        ("", "0 statements"),
        ("select * from read_parquet('/etc/passwd')", "no table of this warehouse"),
        ("select * from '/etc/passwd'", "no table of this warehouse"),
        ("select * from duckdb_views()", "no table of this warehouse"),
        ("select * from information_schema.tables", "may not read"),
        ("select 1 into x", "only reads"),
        ("select getenv('HOME')", "refused"),
        ("select * from core.member", "may not read core.member"),
        ("select * from truth.potential_outcome", "may not read"),
        ("select * from outreach.nothing", "no table outreach.nothing"),
        ("select * from (select * from outreach.priority", "not DuckDB SQL"),
        ("select nothing from outreach.priority", "not found"),
        ("with a as (select 1) select * from a, core.member", "may not read"),
    ],
)
def test_what_is_refused(run: Run, sql: str, words: str) -> None:
    done = run("sql", sql)
    assert done.code == 2, (sql, done.out, done.err)
    assert words in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    "sql",
    [
        "select v.sql from (select 1 from outreach.priority limit 1) p, lateral duckdb_views() v",
        """select sql from sqlite_master where (select count(*) from outreach.priority) > 0
            and exists (with sqlite_master as (select 1) select * from sqlite_master)""",
        "(with sqlite_master as (select 1) select * from sqlite_master) union all select * from sqlite_master",
        "with duckdb_views as (select * from duckdb_views) select * from duckdb_views",
        "with recursive a as (select * from duckdb_views), duckdb_views as (select 1) select * from a",
        "with recursive duckdb_views as (select sql from duckdb_views) select * from duckdb_views",
        "with recursive sqlite_master as (select sql from sqlite_master union all select 'a') select * from sqlite_master",
        "with recursive pg_settings as (select * from pg_settings except select 'a') select * from pg_settings",
        # The Kelvin sign, which Python lowers to k and DuckDB does not.
        "with duc\u212adb_views as (select 1) select * from duckdb_views",
        "select * from outreach.priority, lateral (select * from duckdb_views())",
        "select * from outreach.priority, lateral duckdb_settings()",
        "select * from outreach.priority, lateral json_execute_serialized_sql(json_serialize_sql('select 1'))",
        "select pg_get_viewdef(oid) from outreach.priority, range(5000) t(oid)",
        "select system.main.\"pg_get_viewdef\"(oid) from outreach.priority, range(5000) t(oid)",
        "select * from (describe core.member)",
        "select * from (summarize core.member)",
        *(f"select {name}('x') from outreach.priority"
          for name in ("getenv", "current_setting", "getvariable", "read_text", "query", "query_table", "current_query")),
    ],
)  # fmt: skip
def test_the_catalogue_of_the_connection_is_read_by_no_statement(run: Run, world: Path, sql: str) -> None:
    """There stand the texts of views, and in them the key of the pseudonyms."""
    done = run("sql", sql, "--engine", "duckdb", "--format", "json")
    assert (done.code, done.out) == (2, "")
    assert "no table of this warehouse" in done.err or "refused" in done.err
    assert not [word for word in keys(world) if word in done.err]


@pytest.mark.parametrize(
    "sql",
    [
        "select transform(data_source) using 'bash -c \"id\"' as (x string) from ops.input_file",
        "from ops.input_file select transform(data_source) using 'id'",
        "select x from (select transform(data_source) using 'id' as (x string) from ops.input_file)",
        "select * from ops.input_file, lateral table_changes('core.member', 0)",
        "select * from table_changes('core.member', 0)",
        "select * from identifier('core.member')",
        "select _metadata.file_path from ops.input_file",
        "select `_METADATA` from ops.input_file",
        *(f"select {name}('a', 'b') from ops.input_file"
          for name in ("reflect", "java_method", "try_reflect", "input_file_name", "identifier", "from_protobuf")),
    ],
)  # fmt: skip
def test_no_statement_leaves_spark(sql: str) -> None:
    """What both doors parse with: nothing that runs a program, reads a file or reads a table by a name in text."""
    from contracts.errors import UserError
    from jobs.query.statement import parse

    with pytest.raises(UserError, match=r"refused|no table of this warehouse"):
        parse(sql, "spark", "outreach")


def test_every_column_that_counts_days_since_an_event_is_rounded() -> None:
    """With the night beside it, it would be the date."""
    told = {
        c.name
        for e in dictionary().values()
        for c in e.columns
        if c.unit == "days" and c.description.startswith("Days since")
    }
    assert len(told) > 5
    assert {name for name in told if not is_days_since(name)} == set()


@pytest.mark.parametrize(
    "sql",
    [
        "select '${env:SPARK_CONNECT_AUTHENTICATE_TOKEN}' from ops.input_file",
        "select count(*) as `${env:HOME}` from ops.input_file",
        "select '\\u0024{system:user.home}' from ops.input_file",
        "select 1 /* ${env:HOME} */ from ops.input_file",
        "select @x from ops.input_file",
    ],
)
def test_no_variable_reaches_spark(sql: str) -> None:
    """Spark puts the server's environment, where the clients' token stands, in the place of `${env:NAME}`."""
    from contracts.errors import UserError
    from jobs.query.spark import _without_variables, renamed
    from jobs.query.statement import Query, parse

    def sent() -> str:
        query = parse(sql, "spark")
        assert isinstance(query, Query)
        return _without_variables(renamed(query.tree, {}))

    with pytest.raises(UserError, match="refused"):
        sent()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY a DESC) FROM ops.input_file",
        "SELECT PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY a) FILTER(WHERE a > 1) OVER (PARTITION BY b) FROM ops.input_file",
        "SELECT TO_CHAR(a, '999') FROM ops.input_file",
        "SELECT LOG10(a), LOG2(b), LOG(3, a), LN(a) FROM ops.input_file",
        "SELECT TO_UTC_TIMESTAMP(CAST(a AS TIMESTAMP), 'America/New_York') FROM ops.input_file",
        "SELECT CAST(a AS STRUCT<b: INT>) FROM ops.input_file",
        "SELECT BIGINT(a), LUHN_CHECK(b) FROM ops.input_file CLUSTER BY a",
    ],
)
def test_spark_is_asked_what_was_typed(sql: str) -> None:
    """The generator had put an approximation in the place of a median, and dropped a format."""
    from jobs.query.spark import renamed
    from jobs.query.statement import Query, parse

    query = parse(sql, "spark")
    assert isinstance(query, Query)
    assert renamed(query.tree, {}).upper() == sql.upper()


@pytest.mark.parametrize(
    ("dialect", "sql", "tables"),
    [
        ("spark", "select a from ops.f lateral view explode(xs) t as a", ("ops.f",)),
        ("spark", "select inline(xs), transform(xs, x -> x + 1) from ops.f, lateral explode(ys) y", ("ops.f",)),
        ("spark", "select percentile_approx(a, 0.5), try_sum(b) from ops.f group by grouping sets ((c), ())", ("ops.f",)),
        ("duckdb", "select a.upper(), [x * 2 for x in xs], list_aggregate(xs, 'sum') from ops.f", ("ops.f",)),
        ("duckdb", "select * from ops.f, unnest(xs) t(x), range(3), lateral (select 1)", ("ops.f",)),
        ("duckdb", "select * from (pivot ops.f on a using sum(b))", ("ops.f",)),
        ("duckdb", "with a as (select 1), b as (select * from a) select * from (with c as (from b) from a, c)", ()),
        ("duckdb", "with recursive a(n) as (select 1 union all select n + 1 from a where n < 3) from a", ()),
    ],
)  # fmt: skip
def test_what_analysts_write_is_let_through(dialect: str, sql: str, tables: tuple[str, ...]) -> None:
    from jobs.query.statement import Query, parse

    query = parse(sql, dialect)
    assert isinstance(query, Query)
    assert query.tables == tables


@pytest.mark.parametrize(
    ("dialect", "value"),
    [
        ("duckdb", "'M1234'"), ("duckdb", '"M1234"'), ("duckdb", "$$M1234$$"), ("duckdb", "e'M1234'"), ("duckdb", "M1234"),
        ("spark", '"M1234"'), ("spark", "`M1234`"), ("spark", "r'M1234'"), ("spark", "N'M1234'"), ("spark", "M1234"),
        ("spark", "1234M1234"), ("spark", "X'1234'"), ("spark", "1234L"), ("duckdb", "1234"), ("duckdb", "$M1234"),
        ("duckdb", "cate /* M1234 */"), ("duckdb", "'x' -- M1234\n"), ("spark", "(select /*+ broadcast(M1234) */ 1)"),
        ("duckdb", "case when 1 then 2 end as M1234"),
    ],
)  # fmt: skip
def test_the_access_record_keeps_no_value_however_it_is_written(dialect: str, value: str) -> None:
    from jobs.query.statement import Query, parse

    query = parse(f"select p.program, member_id = {value} from outreach.priority p", dialect)
    assert isinstance(query, Query)
    kept = query.without_literals()
    assert "1234" not in kept
    assert kept.startswith("select n1.program, member_id = ")
    assert " from outreach.priority n1" in kept


def test_nobody_reads_truth(run: Run) -> None:
    assert run("sql", "select * from truth.potential_outcome", role="steward").code == 2


def test_an_error_does_not_quote_a_members_data(run: Run) -> None:
    done = run("sql", "select cast(reason_1 as int) from outreach.priority", role="care_manager")
    assert done.code == 2
    assert "emergency visits" not in done.err
    assert "ConversionException" in done.err


def test_the_rows_behind_a_view_have_no_name_to_be_found(run: Run) -> None:
    """The last defence is the engine's: it reads no file and changes no setting."""
    from jobs.query.access import readable
    from jobs.query.duck import connect, fetch

    run("sql", "show tables")
    connection = connect(readable(["outreach.priority"], settings().role), settings())
    for sql in ("select * from read_text('/etc/hostname')", "set enable_external_access = true"):
        with pytest.raises(Exception, match="DuckDB"):
            fetch(connection, sql)


def test_formats(run: Run, tmp_path: Path) -> None:
    sql = "select run_date, program, priority_rank, reason_2 from outreach.priority where priority_rank = 2 order by 1"
    told = list(csv.reader(io.StringIO(run("sql", sql, "--format", "csv").out)))
    assert told[0] == ["run_date", "program", "priority_rank", "reason_2"]
    assert told[1] == ["2026-07-01", "ed_diversion", "2", ""]
    out = tmp_path / "rows.parquet"
    assert run("sql", sql, "--format", "parquet", "--out", str(out)).code == 0
    assert pq.read_table(out).num_rows == 2
    assert run("sql", sql, "--format", "parquet").code == 2
    assert "2 rows" in run("sql", sql).out


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_a_file_of_rows_is_its_owners_alone(run: Run, tmp_path: Path, form: str) -> None:
    sql = "select member_id from outreach.priority"
    fresh, old = tmp_path / "fresh", tmp_path / "old"
    old.touch(mode=0o644)
    for out in (fresh, old):
        assert run("sql", sql, "--format", form, "--out", str(out), role="care_manager").code == 0
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        assert out.stat().st_size > 0
    if form != "parquet":
        assert run("sql", sql, "--format", form, "--out", os.devnull).code == 0


def test_statement_from_file_and_standard_input(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "q.sql"
    file.write_text("select count(*) as n from outreach.priority;\n")
    assert run("sql", "--file", str(file), "--format", "json").json == [{"n": 12}]
    monkeypatch.setattr("sys.stdin", io.StringIO("select 1 as one"))
    assert run("sql", "-", "--format", "json").json == [{"one": 1}]
    assert run("sql").code == 2
    assert run("sql", "--file", str(tmp_path / "none.sql")).code == 2


def test_engine_asked_for(run: Run) -> None:
    for engine in ("duckdb", "auto", "spark"):
        done = run("sql", "select * from ops.alert", "--engine", engine)
        assert (done.code, done.err.split(" Next:")[0]) == (2, "ops.alert is not there yet.")
    for table, command in {"ops.alert": "outreach nightly", "causal.model": "outreach train"}.items():
        assert f"`{command}`" in run("sql", f"select * from {table}").err


@pytest.mark.parametrize("table", ["priority_latest", "priority", "priority_changes", "action_list"])
@pytest.mark.parametrize("engine", ["auto", "spark"])
def test_before_the_first_night_a_sentence_says_so_and_no_engine_is_started(
    run: Run, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, engine: str
) -> None:
    monkeypatch.setattr("jobs.session.spark_session", lambda *_: pytest.fail("an engine was started"))
    done = run("sql", f"select * from outreach.{table}", "--engine", engine, home=tmp_path / "new")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("No night has been published yet. Next: `outreach nightly`")
    assert not (tmp_path / "new" / "secrets").exists()


# A session of Spark that refuses a statement as its client tells it: with the plan, that is all views below, in the message.
REFUSING_SPARK = """
import jobs.session
from pyspark.errors.exceptions import connect
from pyspark.sql.connect.proto import base_pb2

class Refusing:
    heard = ""

    def sql(self, text):
        self.heard += text
        if FAILS not in text.lower():
            return
        context = base_pb2.FetchErrorDetailsResponse.QueryContext(fragment=text)
        raise connect.AnalysisException(
            message=self.heard, errorClass=CONDITION, messageParameters={"objectName": "`nocol`", "relationName": "`outreach`.`priority`"},
            contexts=[connect.SQLQueryContext(context)],
        )

jobs.session.spark_session = lambda *_: Refusing()
from pyspark.sql.connect.logging import logger
from dagster_project import cli
sys.argv = ["outreach", "sql", "select nocol, sha2(concat(member_id), 256) from outreach.priority", "--engine", "spark"]
cli.main()
"""


@pytest.mark.parametrize(
    ("fails", "condition", "words"),
    [
        ("create", "TABLE_OR_VIEW_NOT_FOUND", "No night has been published yet. Next: `outreach nightly`"),
        ("select nocol", "UNRESOLVED_COLUMN.WITH_SUGGESTION",
         "Spark refuses the statement: there is no column `nocol`. Next: `outreach sql \"describe outreach.priority\"`"),
        ("create", "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", "Spark refuses the statement (DATATYPE_MISMATCH."),
    ],
)  # fmt: skip
def test_no_key_leaves_with_a_refusal_of_spark(world: Path, fails: str, condition: str, words: str) -> None:
    """Its client logs an error with the plan, where the key stands, to standard error, beside raising it."""
    code = f"import sys; FAILS = {fails!r}; CONDITION = {condition!r}\n{REFUSING_SPARK}"
    env = {**os.environ, "OUTREACH_HOME": str(world), "OUTREACH_ROLE": "analyst", "SPARK_CONNECT_LOG_LEVEL": "debug"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith(words)
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert not [word for word in keys(world) if word in done.stderr]


def test_an_engine_that_ends_is_no_fault_of_the_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside it, what the server says of a statement, which comes with the same base class."""
    import grpc
    from pyspark.errors import PySparkException, PySparkRuntimeError
    from pyspark.errors.exceptions import connect

    from contracts.errors import EngineError, OutreachError, UserError
    from jobs.query.answer import answer

    away, internal = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL
    lost = {"error_type": "INVALID_HANDLE.SESSION_NOT_FOUND"}
    told: list[tuple[PySparkException, type[OutreachError]]] = [
        (connect.SparkConnectGrpcException("Connection refused", grpc_status_code=away), EngineError),
        (connect.SparkException("x", "INVALID_HANDLE.SESSION_CHANGED", {}, grpc_status_code=internal), EngineError),
        (PySparkRuntimeError(errorClass="RESPONSE_ALREADY_RECEIVED", messageParameters=lost), EngineError),
        (connect.SparkConnectGrpcException("a value", grpc_status_code=internal), UserError),
        (connect.SparkRuntimeException("a value", "CAST_INVALID_INPUT", {}, grpc_status_code=internal), UserError),
    ]

    class Ending:
        error: PySparkException

        def sql(self, _: str) -> None:
            raise self.error

    monkeypatch.setattr("jobs.query.spark._hush", lambda: None)  # which would last
    monkeypatch.setattr("jobs.session.spark_session", lambda _: Ending())
    for error, kind in told:
        Ending.error = error
        with pytest.raises(kind, match="run it again" if kind is EngineError else "look at casts") as ended:
            answer("select 1", "spark", settings())
        assert "a value" not in str(ended.value)


def keys(home: Path) -> list[str]:
    """The literals of de-identification that nobody may see, in halves as statements hold them."""
    # Made where no statement has needed it yet: the tests run in any order.
    secret = hmac.new(row_key._secret(home), b"pseudonyms", hashlib.sha256).digest()
    key = hmac.new(secret, b"pseudonym:member_id", hashlib.sha256).hexdigest()
    return [key[:32], key[32:]]


def test_no_key_leaves_with_a_refusal_of_duckdb(run: Run, tmp_path: Path) -> None:
    """A table that does not fit its view is refused with the view's text."""
    two_nights(tmp_path)
    folder = tmp_path / "warehouse" / "outreach.db" / "priority"
    old = pa.table(DeltaTable(folder).to_pyarrow_table())
    wrong = old.set_column(old.schema.get_field_index("reason_1"), "reason_1", pa.array([1] * old.num_rows))
    write_deltalake(folder, wrong, mode="overwrite", schema_mode="overwrite")
    done = run("sql", "select member_id from outreach.priority", home=tmp_path)
    assert (done.code, done.err.split(" (")[0]) == (2, "outreach.priority has other columns than this release expects")
    assert not [word for word in keys(tmp_path) if word in done.err + done.out]


def test_the_text_of_a_view_holds_no_key(run: Run, world: Path) -> None:
    """Should a statement ever read the catalogue, it finds names that no other statement can use."""
    from jobs.query.access import readable
    from jobs.query.duck import connect

    run("sql", "show tables")
    connection = connect(readable(["outreach.priority_changes"], settings().role), settings())
    text = str(connection.execute("select sql from duckdb_views() where not internal").fetchall())
    assert "sha256(" in text
    assert not [word for word in keys(world) if word in text]


def test_an_unknown_column_is_followed_by_where_they_are_listed(run: Run) -> None:
    told = run("sql", "select nocol from outreach.priority p join causal.member_score s using (member_id)").err
    assert (
        'Next: `outreach sql "describe outreach.priority"` and `outreach sql "describe causal.member_score"` list'
        in told
    )
    assert "Next:" not in run("sql", "select nofunction(cate) from outreach.priority").err


def test_a_column_that_a_table_has_not_gained_yet_is_null(tmp_path: Path) -> None:
    """Between a release and its first night, statements and views must not fail."""
    from contracts.roles import Role
    from jobs.query.answer import answer

    two_nights(tmp_path)
    folder = tmp_path / "warehouse" / "outreach.db" / "priority"
    old = pa.table(DeltaTable(folder).to_pyarrow_table()).drop_columns(["channel"])
    write_deltalake(folder, old, mode="overwrite", schema_mode="overwrite")
    config = Settings(home=tmp_path, role=Role.ANALYST)
    found = answer("select channel, count(*) as n from outreach.action_list group by 1", "duckdb", config).rows
    assert found.to_pylist() == [{"channel": None, "n": 3}]


def test_a_damaged_table_is_a_sentence(run: Run, world: Path) -> None:
    log = world / "warehouse" / "ops.db" / "drift" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020d}.json").write_text('{"add": ')
    done = run("sql", "select * from ops.drift")
    assert (done.code, "cannot be read without Spark" in done.err) == (2, True)


def test_columns_by_hipaa_class() -> None:
    def one(name: str, phi: str, kind: str = "string", unit: str | None = None) -> ColumnEntry:
        return ColumnEntry(name, kind, phi, unit, "Meaning.")

    entry = TableEntry(
        "core.x", "d", "o", "1", ("as_of_date",),
        (one("data_source", "none"), one("member_id", "health_plan_beneficiary_number"), one("last_name", "name"),
         one("birth_date", "date", "date"), one("admission_date", "date", "date"), one("as_of_date", "date", "date"),
         one("zip_code", "geographic_subdivision"), one("city", "geographic_subdivision"),
         one("age", "none", "int", "years"), one("days_since_ed_visit", "none", "int", "days"), one("phone", "phone"), one("email", "email"), one("paid", "none")),
        None, (),
    )  # fmt: skip
    shown = {c.name: c.sql for c in shown_columns(entry, b"secret", "duckdb")}
    assert list(shown) == [
        "data_source",
        "member_id",
        "admission_date",
        "as_of_date",
        "zip3_code",
        "age_band",
        "days_since_ed_visit",
        "paid",
    ]
    import duckdb

    select = ", ".join(f"{sql} as {name}" for name, sql in shown.items())
    found = (
        duckdb.sql(
            f"""select {select} from (values
            ('tuva', 'm1', 'Doe', date '1930-05-04', date '2026-03-09', date '2026-07-01', '03612', 'x', 93, 59, '1', 'e', 5),
            ('tuva', null, null, null, null, date '2026-07-01', '10001', null, 67, null, null, null, 5),
            ('demo', 'm1', null, null, null, date '2026-07-01', null, null, null, null, null, null, 5))
            t(data_source, member_id, last_name, birth_date, admission_date, as_of_date, zip_code, city, age, days_since_ed_visit, phone, email, paid)"""
        )
        .df()
        .astype(object)
    )
    assert found["zip3_code"].tolist()[:2] == ["000", "100"]
    assert found["age_band"].tolist()[:2] == ["90 and over", "60 to 69"]
    assert found["days_since_ed_visit"][0] == 30
    assert str(found["admission_date"][0])[:10] == "2026-01-01"
    assert str(found["as_of_date"][0])[:10] == "2026-07-01"
    assert found["member_id"][0] != found["member_id"][2], "the same number in two sources is two people"
    assert "secret" not in select


@pytest.mark.parametrize("role", ["analyst", "steward"])
def test_spark_is_given_the_same_limits(role: str) -> None:
    """The text that Spark gets; the acceptance tests let it run."""
    from contracts.roles import Role
    from jobs.query.access import readable
    from jobs.query.spark import renamed
    from jobs.query.statement import parse

    query = parse("select outreach.priority.cate, x.program from outreach.priority, causal.model as x", "spark")
    names = readable(query.tables, Role(role))
    columns = names.select_list(dictionary()["outreach.priority"], "spark")
    if role == "steward":
        assert columns is None
        return
    assert "sha2(concat(" in columns
    text = renamed(query.tree, {"outreach.priority": "shown_outreach_priority"})
    assert (
        text == "SELECT priority.cate, x.program FROM shown_outreach_priority AS priority CROSS JOIN causal.model AS x"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 9) select max(n) from t",
        "select * from (with recursive t(n) as (select 1 union all select n + 1 from t where n < 9) select n from t) as inner_one",
    ],
)
def test_spark_is_given_no_recursive_statement(sql: str) -> None:
    """Cancelled, it would go on; DuckDB answers it."""
    from contracts.errors import UserError
    from jobs.query.answer import answer

    with pytest.raises(UserError, match="goes on with a recursive statement"):
        answer(sql, "spark", settings())
    assert answer(sql, "duckdb", settings()).rows.num_rows >= 1


def test_a_hint_names_no_table() -> None:
    from jobs.query.statement import Query, parse

    query = parse("select /*+ broadcast(b) */ a.cate from priority a join causal.model b on true", "spark", "outreach")
    assert isinstance(query, Query)
    assert query.tables == ("outreach.priority", "causal.model")


def test_the_first_answer_imports_nothing_slow(world: Path) -> None:
    """The contracts' models take 1.6 s of CPU, Spark's client more; pyarrow's data sets load pandas (0.4 s) whatever we do."""
    code = (
        "import sys; sys.argv = ['outreach', 'sql', 'select count(*) from outreach.priority_changes'];"
        "from dagster_project.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "slow = {'pandera', 'pyspark', 'dagster', 'mlflow', 'econml'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    env = {**os.environ, "OUTREACH_HOME": str(world), "OUTREACH_ROLE": "analyst"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
