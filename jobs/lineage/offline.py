"""A Spark session without a server: plans are built in it, and whoever asks for rows gets one that says 1 everywhere.

Frames of Spark Connect are plans on the client. The lineage of a job can so be known from its code alone, for tests and
before the first night. The one row lets code go on that looks at a count or a date before it builds the next query.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

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


def offline_session() -> Any:
    """A session of Spark Connect whose client answers what building plans asks, and writes nothing.

    Its `client.statements` are the texts of every `sql` call, in order.
    """
    from pyspark.sql.connect.client.core import SparkConnectClient
    from pyspark.sql.connect.session import SparkSession

    session: Any = SparkSession.__new__(SparkSession)  # its own constructor would make a client that calls
    session._client = _offline(SparkConnectClient)("sc://localhost:1")
    session._session_id = session._client._session_id
    session.release_session_on_close = False
    return session


def _offline(base: type[Any]) -> type[Any]:
    """The real client without its calls; its channel is never used."""

    class OfflineClient(base):
        def __init__(self, connection: str) -> None:
            super().__init__(connection)
            self.statements: list[str] = []

        def execute_command(self, command: Any, *_: Any, **__: Any) -> tuple[None, dict[str, Any], None]:
            """`session.sql` sends its text at once; as no result comes back, the frame keeps the text as its plan."""
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

            from jobs.lineage.plan import lineage_of_plan

            return _columns(lineage_of_plan(plan.root).columns, StringType())

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
            from pyspark.sql.types import LongType

            if plan.root.WhichOneof("rel_type") == "catalog":  # every table is there
                return pa.table({"value": [True]}), None, None
            names = self.schema(plan).names
            return pa.table({name: pa.array([1]) for name in names}), _columns(names, LongType()), None

        def to_pandas(self, plan: Any, *_: Any, **__: Any) -> tuple[Any, None]:
            return self.to_table(plan)[0].to_pandas(), None

        def config(self, operation: Any) -> Any:
            """Settings asked for with a default have that default."""
            return SimpleNamespace(pairs=[(p.key, p.value) for p in operation.get_with_default.pairs], warnings=[])

        def _refuse(self, *_: Any, **__: Any) -> Any:
            raise NothingRunsError("The offline session has no server.")

        to_table_as_iterator = explain_string = _refuse

    return OfflineClient


def _columns(names: Iterable[str], kind: Any) -> Any:
    from pyspark.sql.types import StructField, StructType

    return StructType([StructField(name, kind) for name in names])


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
