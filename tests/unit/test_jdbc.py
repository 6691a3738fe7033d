"""The door for BI tools without an engine: who gets in, what drivers are told of the catalogue, how rows travel."""

from __future__ import annotations

import concurrent.futures as cf
import datetime as dt
import decimal
import errno
import json
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, cast

import duckdb
import pyarrow as pa
import pytest
from impala.dbapi import connect
from impala.error import Error

from contracts.errors import UserError
from contracts.roles import Role
from contracts.settings import Settings
from jobs.jdbc import catalogue, server
from jobs.jdbc.logins import admitted, grant, logins, revoke
from jobs.jdbc.rows import row_set, table_schema
from jobs.jdbc.service import Operation, interrupt


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def door(config: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[server.Door]:
    monkeypatch.setattr(server, "_REFUSED_SECONDS", 0.01)
    with server.Door(0, config) as door:
        thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield door
        door.shutdown()
        thread.join(10)


def client(door: server.Door, name: str, password: str):
    host, port = door.server_address
    return connect(host, port, user=name, password=password, auth_mechanism="PLAIN", timeout=30)


def answered(door: server.Door, message: bytes) -> bytes:
    """What a stranger who sends this and nothing more is told; nothing where the door hangs up, politely or not."""
    with socket.create_connection(door.server_address, timeout=10) as stranger:
        try:
            stranger.sendall(message)
            stranger.shutdown(socket.SHUT_WR)
            return stranger.recv(4096)
        except ConnectionError:
            return b""
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
            return b""


def test_a_password_is_shown_once_and_kept_as_a_hash(config: Settings) -> None:
    password = grant("anna", Role.ANALYST, config)
    file = config.jdbc_dir / "logins.json"
    assert password not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert config.jdbc_dir.stat().st_mode & 0o777 == 0o700
    login = admitted("anna", password, config)
    assert login is not None
    assert login.role is Role.ANALYST
    assert admitted("anna", password + "x", config) is None
    assert admitted("anna", "", config) is None
    assert admitted("otto", password, config) is None
    second = grant("anna", Role.STEWARD, config)
    assert admitted("anna", password, config) is None, "the old password still opens"
    assert admitted("anna", second, config).role is Role.STEWARD
    assert revoke("anna", config)
    assert not revoke("anna", config)
    assert logins(config) == {}
    with pytest.raises(UserError, match="cannot be a login"):
        grant("two words", Role.ANALYST, config)


def test_it_listens_on_loopback_only(door: server.Door) -> None:
    assert door.socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong"), ("nobody", "wrong"), ("", "")])
def test_a_wrong_password_opens_nothing(door: server.Door, config: Settings, name: str, password: str) -> None:
    grant("anna", Role.ANALYST, config)
    with pytest.raises(Exception, match="Name or password is wrong"):
        client(door, name, password).cursor()


@pytest.mark.parametrize(
    "opening",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">BI", 1, 6) + b"GSSAPI",
        struct.pack(">BI", 1, 5) + b"PLAIN" + struct.pack(">BI", 2, 2**31),
        struct.pack(">BI", 1, 5) + b"PLAIN" + struct.pack(">BI", 2, 4) + b"anna",
        struct.pack(">BI", 1, 5) + b"PLAIN" + struct.pack(">BI", 2, 4) + b"\0\xff\0\xff",
        b"",
    ],
    ids=["http", "kerberos", "too long", "no password", "not text", "nothing"],
)
def test_strangers_are_turned_away_and_the_door_stays_open(door: server.Door, config: Settings, opening: bytes) -> None:
    told = answered(door, opening)
    assert told == b"" or told[0] == 3, "anything but a refusal"
    password = grant("anna", Role.ANALYST, config)
    client(door, "anna", password).close()


def test_without_log_in_no_call_is_answered(door: server.Door) -> None:
    """A Thrift message at once, as a door without passwords would take."""
    call = b"\x80\x01\x00\x01" + struct.pack(">I", 11) + b"OpenSession" + bytes(8)
    assert answered(door, struct.pack(">I", len(call)) + call)[:1] in (b"", b"\x03")


def test_more_connections_than_places_are_refused(door: server.Door, config: Settings) -> None:
    password = grant("anna", Role.ANALYST, config)
    for _ in range(server.CONNECTIONS):
        assert door.places.acquire(blocking=False)
    with pytest.raises(Exception, match="connections are open"):
        client(door, "anna", password).cursor()
    for _ in range(server.CONNECTIONS):
        door.places.release()
    client(door, "anna", password).cursor().close()


def test_an_analyst_is_shown_what_the_role_reads(door: server.Door, config: Settings) -> None:
    cursor = client(door, "anna", grant("anna", Role.ANALYST, config)).cursor()
    cursor.get_databases()
    assert {row[0] for row in cursor.fetchall()} == {"outreach", "causal", "features", "ops"}
    cursor.get_tables(database_name="outreach")
    tables = {row[2]: row[3] for row in cursor.fetchall()}
    assert tables["priority"] == "TABLE"
    assert tables["action_list"] == "VIEW"
    cursor.execute("show databases")
    assert [row[0] for row in cursor.fetchall()] == ["outreach", "causal", "features", "ops"]
    cursor.execute("use ops")
    cursor.execute("show tables")
    assert {row[0] for row in cursor.fetchall()} == {"ops"}
    cursor.execute("describe outreach.priority")
    assert [c[0] for c in cursor.description] == ["col_name", "data_type", "comment"]
    described = {row[0]: row[2] for row in cursor.fetchall()}
    assert described["member_id"].startswith("Pseudonym")
    assert all(described.values()), "a column without a meaning"


def test_a_steward_sees_core_as_well(door: server.Door, config: Settings) -> None:
    cursor = client(door, "otto", grant("otto", Role.STEWARD, config)).cursor()
    cursor.execute("show tables in core")
    assert "member" in {row[1] for row in cursor.fetchall()}


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        ("SHOW TABLES IN outreach LIKE 'priority*'", ["outreach"] * 3),
        ("show tables like 'PRIORITY|nothing'", ["outreach"]),
        ("show tables from ops 'input%'", ["ops"]),
        ("show tables in core like '*'", []),
        ("SHOW SCHEMAS LIKE '*';", ["outreach", "causal", "features", "ops"]),
        ("show databases like 'o*'", ["outreach", "ops"]),
        ("show databases like 'core'", []),
    ],
)
def test_names_are_listed_by_pattern(door: server.Door, config: Settings, statement: str, first: list[str]) -> None:
    cursor = client(door, "anna", grant("anna", Role.ANALYST, config)).cursor()
    cursor.execute(statement)
    assert [row[0] for row in cursor.fetchall()] == first


@pytest.mark.parametrize(
    "statement",
    ["SHOW COLUMNS IN priority", "show columns from outreach.priority;", "show columns in `priority` from `outreach`",
     "describe table priority"],
)  # fmt: skip
def test_columns_are_listed_as_they_are_described(door: server.Door, config: Settings, statement: str) -> None:
    cursor = client(door, "anna", grant("anna", Role.ANALYST, config)).cursor()
    cursor.execute("describe priority")
    described = cursor.fetchall()
    cursor.execute(statement)
    assert cursor.fetchall() == described


def test_the_current_schema_is_the_sessions(
    door: server.Door, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hive's driver asks so (`Connection.getSchema`), and as often as `USE` was said; the engine's session serves many."""

    class Spark:
        """Answers as far as two dialects are one."""

        def sql(self, text: str) -> Spark:
            self.rows = duckdb.sql(text.replace("`", '"')).to_arrow_table()
            return self

        def toArrow(self) -> pa.Table:
            return self.rows

        def addTag(self, _: str) -> None: ...

        def removeTag(self, _: str) -> None: ...

    monkeypatch.setattr("jobs.session.spark_session", lambda _: Spark())
    monkeypatch.setattr("jobs.query.spark._hush", lambda: None)  # which would last
    cursor = client(door, "anna", grant("anna", Role.ANALYST, config)).cursor()
    for schema in ("outreach", "ops"):
        cursor.execute(f"use {schema}")
        cursor.execute("select current_database(), current_schema() as here, upper(current_schema())")
        assert cursor.fetchall() == [(schema, schema, schema.upper())]
        assert [c[0] for c in cursor.description][:2] == ["current_database()", "here"]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("drop table outreach.priority", "only reads"),
        ("insert into outreach.priority select 1", "only reads"),
        ("set spark.sql.ansi.enabled = true", "only reads"),
        ("add jar /tmp/x.jar", "only reads|not Spark SQL"),
        ("select 1; select 2", "2 statements"),
        ("select transform(program) using 'id' as (x string) from priority", "only reads"),
        ("select * from priority, lateral table_changes('core.member', 0)", "no table of this warehouse"),
        ("select _metadata.file_path from priority", "refused"),
        ("select java_method('java.lang.System', 'exit', 1)", "refused"),
        ("select * from core.member", "may not read"),
        ("select * from truth.potential_outcome", "may not read"),
        ("select * from delta.`/tmp/x`", "may not read"),
        ("select * from nothing", "There is no table outreach.nothing"),
        ("select * from priority", "No night has been published yet"),
        ("use core", "There is no schema core"),
        (
            "show create table priority",
            "only reads published rows and says what they mean; SHOW of anything else is refused",
        ),
        ("explain select * from priority", "EXPLAIN of anything else is refused"),
        ("describe function sum", "DESCRIBE of anything else is refused"),
        ("set -v", "SET is refused"),
        ("show columns in core.member", "may not read core.member"),
        ("selekt", "no statement"),
    ],
)
def test_what_is_refused_says_why_and_ends_nothing(
    door: server.Door, config: Settings, monkeypatch: pytest.MonkeyPatch, statement: str, why: str
) -> None:
    monkeypatch.setattr("jobs.session.spark_session", lambda _: pytest.fail("an engine was asked for"))
    cursor = client(door, "anna", grant("anna", Role.ANALYST, config)).cursor()
    with pytest.raises(Error, match=why):
        cursor.execute(statement)
    cursor.execute("show tables")
    assert cursor.fetchall()


def test_a_revoked_login_ends_with_its_next_statement(door: server.Door, config: Settings) -> None:
    cursor = client(door, "anna", grant("anna", Role.ANALYST, config)).cursor()
    cursor.execute("show tables")
    revoke("anna", config)
    with pytest.raises(Error, match="revoked"):
        cursor.execute("show tables")


def test_patterns_of_the_catalogue(config: Settings) -> None:
    def names(schema: str | None, table: str | None) -> set[str]:
        found = catalogue.tables(Role.ANALYST, schema, table, None)
        return set(found["TABLE_NAME"].to_pylist())

    assert names("outreach", "priority") == {"priority"}
    assert names("OUTREACH", "PRIORITY%") == {"priority", "priority_latest", "priority_changes"}
    assert names("outreach", r"priority\_latest") == {"priority_latest"}
    assert names("outreach", "priority_changes.") == set()
    assert names("out_each", "action_list") == {"action_list"}
    assert names(None, None) == names("%", "") > {"priority", "alert"}
    columns = catalogue.columns(Role.ANALYST, "outreach", "priority", "member\\_id")
    assert columns.num_rows == 1
    assert columns["DATA_TYPE"].to_pylist() == [12]
    whole = catalogue.columns(Role.STEWARD, "%", "%", "%")
    assert whole.num_rows > 500
    assert whole["TYPE_NAME"].null_count == 0


def test_rows_travel_with_their_types_and_nulls() -> None:
    rows = pa.table({
        "flag": pa.array([True, None, False] * 3, pa.bool_()),
        "small": pa.array([1, None, -1] * 3, pa.int16()),
        "count": pa.array([2**40, None, 0] * 3, pa.int64()),
        "share": pa.array([0.5, None, float("nan")] * 3, pa.float64()),
        "name": pa.array(["a", None, ""] * 3),
        "raw": pa.array([b"\0", None, b""] * 3),
        "day": pa.array([dt.date(2024, 2, 29), None, dt.date(1, 1, 1)] * 3),
        "at": pa.array([dt.datetime(2026, 1, 2, 3, 4, 5, 600), None, dt.datetime(1969, 1, 1)] * 3, pa.timestamp("us", "UTC")),
        "dollars": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-0.01")] * 3, pa.decimal128(9, 2)),
        "codes": pa.array([["a", None], None, []] * 3, pa.list_(pa.string())),
    })  # fmt: skip
    sent = row_set(rows, 4)
    assert sent.startRowOffset == 4
    for column in sent.columns:
        (value,) = [v for v in vars(column).values() if v is not None]
        assert len(value.values) == 9
        bits = [value.nulls[i // 8] >> i % 8 & 1 for i in range(9)]
        assert bits == [0, 1, 0] * 3
    texts = [vars(c)["stringVal"].values[0] for c in sent.columns[6:]]
    assert texts[:3] == ["2024-02-29", "2026-01-02 03:04:05.000600", "1.50"]
    assert json.loads(texts[3]) == ["a", None]
    kinds = [c.typeDesc.types[0].primitiveEntry for c in table_schema(rows.schema).columns]
    assert kinds[8].typeQualifiers.qualifiers["scale"].i32Value == 2


def test_a_cancelled_statement_is_interrupted_until_it_has_ended() -> None:
    """The first interrupt may meet what prepares the statement; the statement itself begins after it."""
    operation = Operation(b"one", 0, cf.Future())

    class Spark:
        interrupted: ClassVar[list[str]] = []

        def interruptTag(self, tag: str) -> None:
            self.interrupted.append(tag)
            if len(self.interrupted) == 3:
                operation.spark = None
                operation.result.set_result(None)

    operation.spark = cast("Any", Spark())
    interrupt(operation)
    assert Spark.interrupted == [operation.tag] * 3
