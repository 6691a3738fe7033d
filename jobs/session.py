"""The one door to the lakehouse: a Spark Connect session, on the embedded engine or on any other endpoint."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from contracts.errors import EngineError
from contracts.settings import settings
from jobs.engine.config import SESSION_CONF
from jobs.engine.lifecycle import engine_url, ensure_engine
from jobs.engine.paths import engine_paths
from jobs.engine.probe import is_reachable
from jobs.engine.state import EngineState, engine_process

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession


# The client's default keeps trying an endpoint that went away for ten minutes. That is right for a cluster behind a
# network; a local engine that ended is not coming back by itself, and a night should hear of it within seconds.
_LOCAL_RETRIES = 5
_LOCAL_BACKOFF_MS = 2000
# Where not even a connection is taken, waiting those minutes tells nobody that the address is wrong or the server down.
_REMOTE_SECONDS = 10.0


@dataclass(frozen=True)
class _Cached:
    """The process's session. A forked child must not use its parent's channel, hence `pid`."""

    session: SparkSession
    engine: EngineState | None
    pid: int


_lock = threading.RLock()
_cached: _Cached | None = None


def remote_url() -> str:
    """What belongs in `SPARK_REMOTE`. Starts the embedded engine if no other endpoint is set.

    It may hold the engine's token: pass it in an environment, never on a command line or into a log.
    """
    config = settings()
    return config.spark_remote or engine_url(ensure_engine(config), engine_paths(config))


def remote_env() -> dict[str, str]:
    """Environment for a child process that shall use the same endpoint (dbt, a notebook, another `outreach`)."""
    return {"SPARK_REMOTE": remote_url(), "PYSPARK_PYTHON": sys.executable}


def spark_session(app: str = "outreach") -> SparkSession:
    """The process's session, connecting on first use and again when the engine was restarted meanwhile.

    Every session has ANSI mode off and the time zone UTC, whatever the endpoint's defaults are. `app` names it in
    the engine's status. Temporary views and settings are the session's own and are lost when it reconnects.

    Raises:
        EngineError: there is no endpoint to reach and none could be started.
    """
    global _cached
    with _lock:
        if _cached is None or not _is_usable(_cached):
            config = settings()
            engine = None if config.spark_remote else ensure_engine(config)
            url = config.spark_remote if engine is None else engine_url(engine, engine_paths(config))
            _cached = _Cached(_connect(str(url), app, is_local=engine is not None), engine, os.getpid())
        return _cached.session


def close_session() -> None:
    """Release the process's session on the server; the next `spark_session()` opens a new one."""
    global _cached
    with _lock:
        cached, _cached = _cached, None
        if cached is not None and _is_usable(cached):
            cached.session.stop()


def _is_usable(cached: _Cached) -> bool:
    """Whether the server still knows the session; a few milliseconds.

    The engine's process is looked at first: asking a server that ended would wait for its return.
    """
    from pyspark.errors import PySparkException

    if cached.pid != os.getpid() or cached.session.is_stopped:
        return False
    if cached.engine is not None and engine_process(cached.engine) is None:
        return False
    try:
        return cached.session.conf.get("spark.sql.ansi.enabled") is not None
    except (PySparkException, grpc.RpcError):
        return False


def _connect(url: str, app: str, *, is_local: bool) -> SparkSession:
    """A new session with this project's settings.

    Raises:
        EngineError: the endpoint does not answer or does not take the token.
    """
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession

    from jobs.lineage.observe import observe

    try:
        if not is_local and not is_reachable(url, _REMOTE_SECONDS):
            raise EngineError(
                "Nothing takes a connection where SPARK_REMOTE points to.",
                expected=f"a Spark Connect server that does within {_REMOTE_SECONDS:.0f} s",
                todo="start it or correct SPARK_REMOTE, or unset it to use the embedded engine.",
            )
        session = SparkSession.builder.remote(url).appName(app).create()
        if is_local:
            policy = DefaultPolicy(max_retries=_LOCAL_RETRIES, max_backoff=_LOCAL_BACKOFF_MS)
            session.client.set_retry_policies([policy])
        for key, value in SESSION_CONF.items():
            session.conf.set(key, value)
        observe(session)
    except (PySparkException, grpc.RpcError) as error:
        raise EngineError(
            "The Spark endpoint does not answer.",
            actual=type(error).__name__,
            todo="check SPARK_REMOTE, or unset it to use the embedded engine; see `outreach engine status`.",
        ) from error
    return session


atexit.register(close_session)
