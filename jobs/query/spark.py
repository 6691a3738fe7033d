"""Answers from Spark: for tables that are not Delta files of this machine, and where Spark's SQL is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp, parse_one

from contracts.errors import EngineError, UserError
from jobs.query.access import columns_hint, not_there

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.errors import AnalysisException, PySparkException
    from pyspark.sql.connect.session import SparkSession

    from jobs.query.access import Readable
    from jobs.query.statement import Query

# Of pyspark/errors/exceptions/base.py.
_TELLING_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")


def run(query: Query, names: Readable) -> pa.Table:
    """The rows that a statement gives, collected.

    De-identified tables are temporary views of this session, and the statement names them instead of the tables.

    Raises:
        UserError: Spark refuses the statement, or could not stop it.
        EngineError: there is no engine, or it ended meanwhile.
    """
    if any(clause.args.get("recursive") for clause in query.tree.find_all(exp.With)):
        # Its rounds run in a thread of Spark's own, which neither an interrupt nor the statement's end stops.
        raise UserError(
            "Spark goes on with a recursive statement after it was cancelled, so it is given none.",
            todo="write it without recursion, or ask DuckDB: `outreach sql --engine duckdb`.",
        )
    from pyspark.errors import AnalysisException, PySparkException

    from jobs.session import spark_session

    _hush()
    spark = spark_session("sql")
    try:
        return spark.sql(_without_variables(renamed(query.tree, _shown(spark, names)))).toArrow()
    except AnalysisException as error:
        raise _refusal(error, query.tables) from None
    except PySparkException as error:
        if _is_lost(error):
            raise EngineError(
                "The engine ended, or was started anew, while it answered the statement.",
                todo="run it again; if it ends again, `outreach engine logs` says why the embedded engine did.",
            ) from None
        raise UserError(
            f"Spark cannot answer the statement ({type(error).__name__}).",
            todo="look at casts and functions that fail on some rows.",
        ) from None


def _is_lost(error: PySparkException) -> bool:
    """Whether nobody works on the statement any more: the server is away, or is another one that does not know it.

    What the server itself says of a statement has the same class in the client, but the status INTERNAL.
    """
    import grpc
    from pyspark.errors.exceptions.connect import SparkConnectGrpcException

    if isinstance(error, SparkConnectGrpcException) and error.getGrpcStatusCode() is grpc.StatusCode.UNAVAILABLE:
        return True
    return (error.getCondition() or "").startswith(("INVALID_HANDLE.", "RESPONSE_ALREADY_RECEIVED"))


def _without_variables(sql: str) -> str:
    """The statement, unless it has a `${…}`, even in a text: Spark may put settings and the environment there.

    Our sessions turn that off (`SESSION_CONF`); how the statement was typed does not say what stands in the one that is sent.
    """
    if "${" in sql:
        raise UserError(
            "`${` is refused: Spark puts settings and the environment in its place.", todo="write `concat('$', '{')`."
        )
    return sql


def _hush() -> None:
    """Keep the text of statements out of standard error and logs.

    Spark's client logs each error with the whole plan, where the key of the pseudonyms stands, beside raising it; and
    every request, where `SPARK_CONNECT_LOG_LEVEL` asks for that.
    """
    from pyspark.logger import PySparkLogger
    from pyspark.sql.connect.logging import logger

    logger.disabled = True
    for name in _TELLING_LOGGERS:
        PySparkLogger.getLogger(name).disabled = True


def _refusal(error: AnalysisException, tables: Sequence[str]) -> UserError:
    """Why Spark refuses, without the text of its error, which holds the plan."""
    condition = error.getCondition() or "analysis"
    named = error.getMessageParameters() or {}
    if condition == "TABLE_OR_VIEW_NOT_FOUND":
        missing = named.get("relationName", "a table").replace("`", "")
        return not_there([missing], has_night=not missing.startswith("outreach."))
    if condition.startswith("UNRESOLVED_COLUMN"):
        what = f"Spark refuses the statement: there is no column {named.get('objectName', 'of that name')}."
        return UserError(what, todo=columns_hint(tables))
    return UserError(f"Spark refuses the statement ({condition}).")


def _shown(spark: SparkSession, names: Readable) -> dict[str, str]:
    """Make the de-identified views of this session; the view of each table or view that has one."""
    swapped: dict[str, str] = {}
    for entry in names.entries:
        columns = names.select_list(entry, "spark") if entry.sql is None else None
        sql = f"select {columns} from {entry.name}" if columns else None
        if entry.sql is not None and any(name in swapped for name in entry.reads):
            sql = renamed(parse_one(entry.sql, dialect="spark"), swapped)
        if sql is not None:
            # Named by role: a session may serve several.
            swapped[entry.name] = f"shown_{names.role.value}_{entry.name.replace('.', '_')}"
            spark.sql(f"create or replace temporary view {swapped[entry.name]} as {sql}")
    return swapped


def renamed(tree: exp.Expr, names: dict[str, str]) -> str:
    """Spark SQL of a statement with tables replaced by name; a table keeps its own name as alias."""

    def swap(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Table) and (to := names.get(f"{node.db}.{node.name}".lower())):
            found = exp.table_(to)
            for key, value in node.args.items():
                if key not in ("this", "db", "catalog") and value:
                    found.set(key, value)
            return found if node.alias else exp.alias_(found, node.name, table=True, copy=False)
        if (
            isinstance(node, exp.Column)
            and f"{node.args.get('db') or ''}"
            and f"{node.db}.{node.table}".lower() in names
        ):
            return exp.column(node.this, table=node.table)
        # The generator puts approximations and casts in the place of these, which Spark has by the same name; log(10, 1000) is 2.999….
        if isinstance(node, (exp.PercentileCont, exp.PercentileDisc)):
            return exp.Anonymous(this=node.sql_name(), expressions=[node.this])
        if isinstance(node, exp.Log) and node.expression and node.name in ("2", "10"):
            return exp.Anonymous(this=f"log{node.name}", expressions=[node.expression])
        if isinstance(node, exp.ToChar):
            return exp.Anonymous(this="to_char", expressions=[e for e in (node.this, node.args.get("format")) if e])
        return node

    return tree.transform(swap).sql(dialect="spark")
