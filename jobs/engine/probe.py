"""Ask a Spark Connect endpoint whether it is there; no session is kept."""

from __future__ import annotations

import uuid

import grpc
from pyspark.sql.connect import proto
from pyspark.sql.connect.client import DefaultChannelBuilder


def spark_version(url: str, timeout_seconds: float = 5.0) -> str | None:
    """The server's Spark version; None when nothing answers, or what answers is not ours (wrong token)."""
    request = proto.AnalyzePlanRequest(
        session_id=str(uuid.uuid4()),
        user_context=proto.UserContext(user_id="probe"),
        spark_version=proto.AnalyzePlanRequest.SparkVersion(),
    )
    with DefaultChannelBuilder(url).toChannel() as channel:
        try:
            stub = proto.SparkConnectServiceStub(channel)  # type: ignore[no-untyped-call]
            return str(stub.AnalyzePlan(request, timeout=timeout_seconds).spark_version.version)
        except grpc.RpcError:
            return None


def is_reachable(url: str, timeout_seconds: float) -> bool:
    """Whether a gRPC server takes a connection within this time. Says nothing of the token, nor of Spark behind it.

    That is for a managed Spark, whose gateway takes the connection at once and lets the first call wait for the cluster.
    """
    with DefaultChannelBuilder(url).toChannel() as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout_seconds)
        except grpc.FutureTimeoutError:
            return False
        return True
