"""A Spark session without a server: plans are built in it, and whoever asks for rows gets one that says 1 everywhere.

Frames of Spark Connect are plans on the client. The lineage of a job can so be known from its code alone, for tests and
before the first night. The one row lets code go on that looks at a count or a date before it builds the next query.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import SimpleNamespace
from typing import Any

from contracts.catalog import catalog
from jobs.lineage.observe import keep_view
from jobs.lineage.plan import Asked, lineage_of_plan

_CONF = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.session.localRelationCacheThreshold": "1073741824",
    "spark.sql.session.localRelationChunkSizeRows": "10000",
    "spark.sql.session.localRelationChunkSizeBytes": "1073741824",
    "spark.sql.session.localRelationBatchOfChunksSizeBytes": "1073741824",
}


class NothingRunsError(RuntimeError):
    """Something asked the offline session to write, or what only a server knows."""


def offline_session(rows: int = 1) -> Any:
    """A session of Spark Connect whose client answers what building plans asks, and writes nothing.

    Its `client.statements` are the texts of every `sql` call, its `client.asked` the plans whose rows were asked for.

    Args:
        rows: that whoever asks gets, 1 or 0.
    """
    from pyspark.sql.connect.client.core import SparkConnectClient
    from pyspark.sql.connect.session import SparkSession

    session: Any = SparkSession.__new__(SparkSession)  # its own constructor would make a client that calls
    session._client = _offline(SparkConnectClient, rows)("sc://localhost:1")
    session._session_id = session._client._session_id
    session.release_session_on_close = False
    return session


def _offline(base: type[Any], rows: int) -> type[Any]:
    """The real client without its calls; its channel is never used."""

    class OfflineClient(base):
        def __init__(self, connection: str) -> None:
            super().__init__(connection)
            self.statements: list[str] = []
            self.asked: list[Asked] = []
            self.lineage_views: dict[str, Any] = {}

        def execute_command(self, command: Any, *_: Any, **__: Any) -> tuple[None, dict[str, Any], None]:
            """`session.sql` sends its text at once; as no result comes back, the frame keeps the text as its plan."""
            keep_view(self.lineage_views, command)
            if command.WhichOneof("command_type") == "create_dataframe_view":
                return None, {}, None
            if command.WhichOneof("command_type") != "sql_command":
                raise NothingRunsError("The offline session writes nothing.")
            self.statements.append(command.sql_command.input.sql.query or command.sql_command.sql)
            return None, {}, None

        def get_configs(self, *keys: str) -> tuple[str | None, ...]:
            return tuple(_CONF.get(key) for key in keys)

        def get_config_dict(self, *keys: str) -> dict[str, str]:
            return {key: _CONF.get(key, "false") for key in keys}

        def schema(self, plan: Any) -> Any:
            """Names of a plan's columns, each as text: enough for building on."""
            from pyspark.sql.types import StringType

            return _columns(dict.fromkeys(lineage_of_plan(plan.root, self.lineage_views).columns, StringType()))

        def add_artifacts(self, *_: str, **__: bool) -> None:
            """A model file that workers would be sent."""

        def _analyze(self, method: str, **given: Any) -> Any:
            if method == "ddl_parse":
                return _Parsed(given["ddl_string"])
            if method in ("persist", "unpersist"):
                return None
            raise NothingRunsError(f"The offline session cannot answer `{method}`.")

        def _cleanup_ml_cache(self) -> None:
            """At the process's end the real client would look for its server."""

        def to_table(self, plan: Any, *_: Any, **__: Any) -> tuple[Any, Any, None]:
            import pyarrow as pa

            if plan.root.WhichOneof("rel_type") == "catalog":  # every table that has a contract is there
                return pa.table({"value": [plan.root.catalog.table_exists.table_name in catalog()]}), None, None
            self.asked.append(Asked(plan.root, dict(self.lineage_views)))
            names = self.schema(plan).names
            values = [pa.array([_value(name)] * rows) for name in names]
            return pa.table(values, names=names), _columns({name: _type_of(name) for name in names}), None

        def to_pandas(self, plan: Any, *_: Any, **__: Any) -> tuple[Any, None]:
            return self.to_table(plan)[0].to_pandas(), None

        def config(self, operation: Any) -> Any:
            """Settings asked for with a default have that default."""
            return SimpleNamespace(pairs=[(p.key, p.value) for p in operation.get_with_default.pairs], warnings=[])

        def _refuse(self, *_: Any, **__: Any) -> Any:
            raise NothingRunsError("The offline session has no server.")

        to_table_as_iterator = explain_string = _refuse

    return OfflineClient


_DAY = date(2026, 1, 1)


_DAYS = ("date", "night", "_as_of", "_start", "_end")
_WORDS = ("program", "variable", "_version", "kind", "verdict", "_id")


def _value(name: str) -> int | date | str:
    """What stands in a column of the one row: a day or a word where its name says so, else 1."""
    return _DAY if name.endswith(_DAYS) else "any" if name.endswith(_WORDS) else 1


def _type_of(name: str) -> Any:
    from pyspark.sql.types import DateType, LongType, StringType

    return {date: DateType(), str: StringType(), int: LongType()}[type(_value(name))]


def _columns(kinds: Mapping[str, Any]) -> Any:
    from pyspark.sql.types import StructField, StructType

    return StructType([StructField(name, kind) for name, kind in kinds.items()])


class _Parsed:
    """A schema such as `member_id string, cate double`."""

    def __init__(self, ddl: str) -> None:
        from pyspark.sql.types import StructField, StructType

        fields = (part.strip().split(maxsplit=1) for part in ddl.split(", "))
        self.parsed = StructType([StructField(name.strip("`"), _type(kind)) for name, kind in fields])


def _type(name: str) -> Any:
    from pyspark.sql import types as t

    known: dict[str, Any] = {
        "string": t.StringType(), "int": t.IntegerType(), "bigint": t.LongType(), "double": t.DoubleType(),
        "boolean": t.BooleanType(), "date": t.DateType(), "timestamp": t.TimestampType(),
        "array<string>": t.ArrayType(t.StringType()), "decimal(12,2)": t.DecimalType(12, 2),
    }  # fmt: skip
    return known[name.lower()]
