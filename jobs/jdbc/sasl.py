"""Log-in by SASL PLAIN (RFC 4616) as Thrift carries it: messages of a status byte, four bytes of length, and a payload.

After it, messages are framed as Thrift's own framed transport does, so nothing else of SASL is needed.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from thrift.transport.TSocket import TSocket

_HEADER = struct.Struct(">BI")
_LONGEST = 4096


class Status(IntEnum):
    """Of a negotiation message."""

    START = 1
    OK = 2
    BAD = 3
    ERROR = 4
    COMPLETE = 5


class RefusedError(Exception):
    """The peer does not log in as this door asks it to."""


def read_credentials(socket: TSocket) -> tuple[str, str]:
    """Name and password that a client sends.

    Raises:
        RefusedError: it asks for another mechanism, or does not keep to the protocol.
    """
    status, mechanism = _read(socket)
    if status != Status.START or mechanism != b"PLAIN":
        raise RefusedError("log in with name and password (SASL PLAIN)")
    status, response = _read(socket)
    parts = response.split(b"\0")
    if status not in (Status.OK, Status.COMPLETE) or len(parts) != 3:
        raise RefusedError("log in with name and password (SASL PLAIN)")
    try:
        return parts[1].decode(), parts[2].decode()
    except UnicodeDecodeError:
        raise RefusedError("name and password are to be UTF-8") from None


def admit(socket: TSocket) -> None:
    """Tell the client that it is logged in."""
    _write(socket, Status.COMPLETE, b"")


def refuse(socket: TSocket, reason: str) -> None:
    """Tell the client why it is not."""
    _write(socket, Status.BAD, reason.encode())


def _read(socket: TSocket) -> tuple[int, bytes]:
    status, length = _HEADER.unpack(socket.readAll(_HEADER.size))
    if length > _LONGEST:
        raise RefusedError("this is not SASL")
    return status, socket.readAll(length) if length else b""


def _write(socket: TSocket, status: Status, payload: bytes) -> None:
    socket.write(_HEADER.pack(status, len(payload)) + payload)
    socket.flush()
