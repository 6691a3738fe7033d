"""HiveServer2's calls for one connection: sessions, statements in the background, results by and by.

The protocol is TCLIService of Apache Hive, version 6 (columnar results). Every handler gets a Thrift request and returns
its response; whatever goes wrong is told in the response's status and ends no connection.
"""

from __future__ import annotations

import concurrent.futures as cf
import functools
import logging
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from impala._thrift_gen.TCLIService import ttypes as t

from contracts.errors import OutreachError, UserError
from contracts.settings import Settings
from jobs.access_audit import Reader
from jobs.jdbc import catalogue
from jobs.jdbc.logins import Login, logins
from jobs.jdbc.rows import row_set, table_schema
from jobs.query import duck
from jobs.query.access import described, readable, shown_schemas, shown_tables
from jobs.query.answer import answer
from jobs.query.statement import Describe, ShowSchemas, ShowTables, parse

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

log = logging.getLogger(__name__)

PROTOCOL = t.TProtocolVersion.HIVE_CLI_SERVICE_PROTOCOL_V6
DEFAULT_SCHEMA = "outreach"
# A driver asks again at once; waiting here instead keeps it from asking thousands of times.
_POLL_SECONDS = 1.0
_MOST_ROWS = 10_000
_STATEMENTS_AT_ONCE = 4
_USE = re.compile(r"\s*use\s+(?:database\s+|schema\s+)?`?(\w+)`?\s*;?\s*", re.IGNORECASE)
_SUCCESS = t.TStatusCode.SUCCESS_STATUS


@dataclass
class Operation:
    """A statement or a question about the catalogue. `start` is the first row that was not fetched yet, `spark` the
    session in which it runs, while it does."""

    id: bytes
    kind: int
    result: cf.Future[pa.Table | None]
    start: int = 0
    is_cancelled: bool = False
    spark: SparkSession | None = None

    @property
    def tag(self) -> str:
        """Its name in Spark, by which it can be interrupted."""
        return f"jdbc-{self.id.hex()}"

    @property
    def rows(self) -> pa.Table:
        """Its result; waits.

        Raises:
            UserError: it was cancelled or has none.
        """
        if self.is_cancelled:
            raise UserError("The statement was cancelled.")
        if (rows := self.result.result()) is None:
            raise UserError("The statement has no rows.")
        return rows


@dataclass
class Session:
    """What a client opened; `schema` is that of tables that are named without one."""

    schema: str = DEFAULT_SCHEMA
    operations: set[bytes] = field(default_factory=set)


def told(response: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a handler raise: the error becomes the status of its response."""

    def wrap(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        def handled(self: Service, request: Any) -> Any:
            try:
                return handler(self, request)
            except Exception as error:
                return response(status=_failure(error))

        return handled

    return wrap


class Service:
    """The handlers of one connection; nothing of it outlives the connection or is seen by another."""

    def __init__(self, login: Login, config: Settings) -> None:
        self._login, self._config = login, config
        self._sessions: dict[bytes, Session] = {}
        self._operations: dict[bytes, Operation] = {}
        self._workers = cf.ThreadPoolExecutor(_STATEMENTS_AT_ONCE, thread_name_prefix="statement")

    def close(self) -> None:
        """Begin nothing more and interrupt what runs; the connection has ended."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        for operation in list(self._operations.values()):
            self._end(operation)

    # --- sessions

    @told(t.TOpenSessionResp)
    def OpenSession(self, request: t.TOpenSessionReq) -> t.TOpenSessionResp:
        if request.client_protocol < PROTOCOL:
            raise UserError("This driver is too old.", expected="one that knows protocol 6 of HiveServer2 (2014)")
        session = Session()
        if schema := (request.configuration or {}).get("use:database"):
            session.schema = self._schema(schema)
        handle = _new_handle()
        self._sessions[handle.guid] = session
        return t.TOpenSessionResp(t.TStatus(_SUCCESS), PROTOCOL, t.TSessionHandle(handle), {})

    @told(t.TCloseSessionResp)
    def CloseSession(self, request: t.TCloseSessionReq) -> t.TCloseSessionResp:
        session = self._sessions.pop(request.sessionHandle.sessionId.guid, None)
        for identifier in session.operations if session else ():
            if operation := self._operations.pop(identifier, None):
                self._end(operation)
        return t.TCloseSessionResp(t.TStatus(_SUCCESS))

    @told(t.TGetInfoResp)
    def GetInfo(self, request: t.TGetInfoReq) -> t.TGetInfoResp:
        kind = t.TGetInfoType
        known = {
            kind.CLI_SERVER_NAME: "outreach",
            kind.CLI_DBMS_NAME: "Spark SQL",
            kind.CLI_DBMS_VER: version("pyspark"),
            kind.CLI_DATA_SOURCE_READ_ONLY: "Y",
            kind.CLI_IDENTIFIER_QUOTE_CHAR: "`",
            kind.CLI_USER_NAME: self._login.name,
        }
        if request.infoType not in known:
            raise UserError("This door does not tell this.")
        return t.TGetInfoResp(t.TStatus(_SUCCESS), t.TGetInfoValue(stringValue=known[request.infoType]))

    # --- statements

    @told(t.TExecuteStatementResp)
    def ExecuteStatement(self, request: t.TExecuteStatementReq) -> t.TExecuteStatementResp:
        session = self._session(request)
        operation = self._begin(request, t.TOperationType.EXECUTE_STATEMENT)
        self._workers.submit(self._execute, operation, request.statement, session)
        if not request.runAsync:
            operation.result.result()
        return t.TExecuteStatementResp(t.TStatus(_SUCCESS), _handle(operation))

    @told(t.TGetOperationStatusResp)
    def GetOperationStatus(self, request: t.TGetOperationStatusReq) -> t.TGetOperationStatusResp:
        operation, state = self._operation(request), t.TOperationState
        if operation.is_cancelled:
            return _state(state.CANCELED_STATE)
        try:
            rows = operation.result.result(_POLL_SECONDS)
        except cf.TimeoutError:
            return _state(state.RUNNING_STATE)
        except Exception as error:
            found, failure = _state(state.ERROR_STATE), _failure(error)
            found.sqlState, found.errorCode, found.errorMessage = (
                failure.sqlState,
                failure.errorCode,
                failure.errorMessage,
            )
            return found
        found = _state(state.FINISHED_STATE)
        found.hasResultSet = rows is not None
        return found

    @told(t.TCancelOperationResp)
    def CancelOperation(self, request: t.TCancelOperationReq) -> t.TCancelOperationResp:
        self._end(self._operation(request))
        return t.TCancelOperationResp(t.TStatus(_SUCCESS))

    @told(t.TCloseOperationResp)
    def CloseOperation(self, request: t.TCloseOperationReq) -> t.TCloseOperationResp:
        if operation := self._operations.pop(request.operationHandle.operationId.guid, None):
            self._end(operation)
        return t.TCloseOperationResp(t.TStatus(_SUCCESS))

    @told(t.TGetResultSetMetadataResp)
    def GetResultSetMetadata(self, request: t.TGetResultSetMetadataReq) -> t.TGetResultSetMetadataResp:
        return t.TGetResultSetMetadataResp(t.TStatus(_SUCCESS), table_schema(self._operation(request).rows.schema))

    @told(t.TFetchResultsResp)
    def FetchResults(self, request: t.TFetchResultsReq) -> t.TFetchResultsResp:
        operation = self._operation(request)
        if request.fetchType == 1:  # the log of a statement, of which there is none
            return t.TFetchResultsResp(
                t.TStatus(_SUCCESS), False, row_set(pa.table({"log": pa.array([], "string")}), 0)
            )
        if request.orientation == t.TFetchOrientation.FETCH_FIRST:
            operation.start = 0
        count = min(request.maxRows if request.maxRows > 0 else _MOST_ROWS, _MOST_ROWS)
        part = operation.rows.slice(operation.start, count)
        sent = row_set(part, operation.start)
        operation.start += part.num_rows
        # Drivers fetch until they get no row; some take this flag at its word and would stop early.
        return t.TFetchResultsResp(t.TStatus(_SUCCESS), operation.start < operation.rows.num_rows, sent)

    @told(t.TGetLogResp)
    def GetLog(self, request: t.TGetLogReq) -> t.TGetLogResp:
        return t.TGetLogResp(t.TStatus(_SUCCESS), "")

    # --- the catalogue

    @told(t.TGetCatalogsResp)
    def GetCatalogs(self, request: t.TGetCatalogsReq) -> t.TGetCatalogsResp:
        kind = t.TOperationType.GET_CATALOGS
        return self._at_once(request, kind, t.TGetCatalogsResp, catalogue.rows(catalogue.CATALOGS))

    @told(t.TGetSchemasResp)
    def GetSchemas(self, request: t.TGetSchemasReq) -> t.TGetSchemasResp:
        found = catalogue.schemas(self._login.role, request.schemaName)
        return self._at_once(request, t.TOperationType.GET_SCHEMAS, t.TGetSchemasResp, found)

    @told(t.TGetTablesResp)
    def GetTables(self, request: t.TGetTablesReq) -> t.TGetTablesResp:
        found = catalogue.tables(self._login.role, request.schemaName, request.tableName, request.tableTypes)
        return self._at_once(request, t.TOperationType.GET_TABLES, t.TGetTablesResp, found)

    @told(t.TGetTableTypesResp)
    def GetTableTypes(self, request: t.TGetTableTypesReq) -> t.TGetTableTypesResp:
        kind = t.TOperationType.GET_TABLE_TYPES
        return self._at_once(request, kind, t.TGetTableTypesResp, catalogue.table_types())

    @told(t.TGetColumnsResp)
    def GetColumns(self, request: t.TGetColumnsReq) -> t.TGetColumnsResp:
        found = catalogue.columns(self._login.role, request.schemaName, request.tableName, request.columnName)
        return self._at_once(request, t.TOperationType.GET_COLUMNS, t.TGetColumnsResp, found)

    @told(t.TGetTypeInfoResp)
    def GetTypeInfo(self, request: t.TGetTypeInfoReq) -> t.TGetTypeInfoResp:
        return self._at_once(request, t.TOperationType.GET_TYPE_INFO, t.TGetTypeInfoResp, catalogue.type_info())

    @told(t.TGetFunctionsResp)
    def GetFunctions(self, request: t.TGetFunctionsReq) -> t.TGetFunctionsResp:
        kind = t.TOperationType.GET_FUNCTIONS
        return self._at_once(request, kind, t.TGetFunctionsResp, catalogue.rows(catalogue.FUNCTIONS))

    # --- tokens of Kerberos, which this door does not know

    @told(t.TGetDelegationTokenResp)
    def GetDelegationToken(self, request: Any) -> t.TGetDelegationTokenResp:
        raise UserError("This door knows log-ins by name and password only.")

    @told(t.TCancelDelegationTokenResp)
    def CancelDelegationToken(self, request: Any) -> t.TCancelDelegationTokenResp:
        raise UserError("This door knows log-ins by name and password only.")

    @told(t.TRenewDelegationTokenResp)
    def RenewDelegationToken(self, request: Any) -> t.TRenewDelegationTokenResp:
        raise UserError("This door knows log-ins by name and password only.")

    # --- within

    def _session(self, request: Any) -> Session:
        found = self._sessions.get(request.sessionHandle.sessionId.guid)
        if found is None:
            raise UserError("This session is closed.", todo="connect again.")
        if logins(self._config).get(self._login.name) != self._login:
            raise UserError("This login was changed or revoked since.", todo="connect again.")
        return found

    def _schema(self, name: str) -> str:
        if name == "default":  # what drivers send when nobody chose
            return DEFAULT_SCHEMA
        if name not in self._login.role.layers:
            raise UserError(f"There is no schema {name}.", expected=", ".join(self._login.role.layers))
        return name

    def _begin(self, request: Any, kind: int) -> Operation:
        operation = Operation(_new_handle().guid, kind, cf.Future())
        self._operations[operation.id] = operation
        self._sessions[request.sessionHandle.sessionId.guid].operations.add(operation.id)
        return operation

    def _at_once(self, request: Any, kind: int, response: Callable[..., Any], rows: pa.Table) -> Any:
        self._session(request)
        operation = self._begin(request, kind)
        operation.result.set_result(rows)
        return response(t.TStatus(_SUCCESS), _handle(operation))

    def _operation(self, request: Any) -> Operation:
        found = self._operations.get(request.operationHandle.operationId.guid)
        if found is None:
            raise UserError("This statement is closed.", todo="run it again.")
        return found

    def _end(self, operation: Operation) -> None:
        if operation.result.done():
            return
        operation.is_cancelled = True
        threading.Thread(target=interrupt, args=(operation,), name="interrupt", daemon=True).start()

    def _execute(self, operation: Operation, text: str, session: Session) -> None:
        try:
            operation.result.set_result(None if operation.is_cancelled else self._answer(operation, text, session))
        except BaseException as error:
            operation.result.set_exception(error)

    def _answer(self, operation: Operation, text: str, session: Session) -> pa.Table | None:
        if use := _USE.fullmatch(text):
            session.schema = self._schema(use[1].lower())
            return None
        asked, role = parse(text, "spark", session.schema), self._login.role
        # These three in the shape of Spark, which drivers read by position.
        if isinstance(asked, ShowSchemas):
            return pa.table({"namespace": pa.array(shown_schemas(role, asked.like), "string")})
        if isinstance(asked, ShowTables):
            found = shown_tables(asked.schema or session.schema, role, asked.like)
            names = [e.name.split(".") for e in found]
            return pa.table({
                "namespace": pa.array([n[0] for n in names], "string"), "tableName": pa.array([n[1] for n in names], "string"),
                "isTemporary": pa.array([False] * len(names), "bool"),
            })  # fmt: skip
        if isinstance(asked, Describe):
            columns = described(asked.table, role)[1]
            return pa.table({
                "col_name": [c.name for c in columns], "data_type": [c.type for c in columns],
                "comment": [c.description for c in columns],
            })  # fmt: skip
        wanted = readable(asked.tables, role)  # what is refused needs no engine
        if duck.elsewhere(self._config) is None:
            duck.require(wanted, self._config)
        from jobs.session import spark_session

        operation.spark = spark = spark_session("jdbc")
        spark.addTag(operation.tag)
        try:
            if operation.is_cancelled:  # before it could be interrupted
                return None
            reader = Reader(self._login.name, role, "jdbc")
            return answer(text, "spark", self._config, reader, session.schema).rows
        finally:
            operation.spark = None
            spark.removeTag(operation.tag)


def interrupt(operation: Operation) -> None:
    """Stop it in Spark; again until it has ended: a statement is several requests, and an interrupt stops what runs then."""
    while (spark := operation.spark) is not None:
        spark.interruptTag(operation.tag)
        cf.wait([operation.result], timeout=_POLL_SECONDS)


def _new_handle() -> t.THandleIdentifier:
    return t.THandleIdentifier(uuid.uuid4().bytes, uuid.uuid4().bytes)


def _handle(operation: Operation) -> t.TOperationHandle:
    return t.TOperationHandle(t.THandleIdentifier(operation.id, operation.id), operation.kind, True)


def _state(state: int) -> t.TGetOperationStatusResp:
    return t.TGetOperationStatusResp(t.TStatus(_SUCCESS), state)


def _failure(error: Exception) -> t.TStatus:
    """What the client is told; an unforeseen error by its kind only, since its text may hold rows."""
    if isinstance(error, OutreachError):
        return t.TStatus(t.TStatusCode.ERROR_STATUS, sqlState="42000", errorCode=1, errorMessage=str(error))
    log.error("a call failed: %s", type(error).__name__)
    text = f"The door failed ({type(error).__name__}); `outreach engine status` says whether the engine runs."
    return t.TStatus(t.TStatusCode.ERROR_STATUS, sqlState="HY000", errorCode=2, errorMessage=text)
