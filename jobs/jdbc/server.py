"""The listening process: a thread per connection, on loopback only."""

from __future__ import annotations

import logging
import socket
import socketserver
import sys
import threading
import time
from typing import Any

from impala._thrift_gen.TCLIService import TCLIService
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TFramedTransport, TTransportException

from contracts.settings import Settings
from jobs.jdbc.logins import Login, admitted
from jobs.jdbc.sasl import RefusedError, admit, read_credentials, refuse
from jobs.jdbc.service import Service

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
LOG_IN_SECONDS = 20
CONNECTIONS = 64
# Guessing is to be slow.
_REFUSED_SECONDS = 1.0


class Door(socketserver.ThreadingTCPServer):
    """Serves HiveServer2's protocol to those who log in.

    Args:
        port: on loopback; 0: any that is free (`server_address` tells which).
        config: settings, with the folder of the logins.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, config: Settings) -> None:
        self.config = config
        self.places = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__((HOST, port), _Connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Without the text of the error, which may hold rows."""
        log.error("a connection failed: %s", type(sys.exception()).__name__)


class _Protocol(TBinaryProtocolAccelerated):
    """A call that this door does not know is skipped field by field, binary ones as if they were text."""

    def readString(self) -> str:
        return self.readBinary().decode(errors="replace")


class _Connection(socketserver.BaseRequestHandler):
    """One connection from log-in to its end."""

    server: Door
    request: socket.socket

    def handle(self) -> None:
        client = TSocket()
        client.setHandle(self.request)
        try:
            login = self._logged_in(client)
            if login is None:
                return
            if not self.server.places.acquire(blocking=False):
                refuse(client, f"{CONNECTIONS} connections are open, which is the most; close one.")
                return
            try:
                admit(client)
                self._serve(client, login)
            finally:
                self.server.places.release()
        except (TTransportException, EOFError, OSError):
            log.debug("a connection ended")

    def _logged_in(self, client: TSocket) -> Login | None:
        self.request.settimeout(LOG_IN_SECONDS)
        try:
            login = admitted(*read_credentials(client), self.server.config)
        except RefusedError as error:
            refuse(client, str(error))
            return None
        if login is None:
            log.warning("a log-in was refused")
            time.sleep(_REFUSED_SECONDS)
            refuse(client, "Name or password is wrong.")
        self.request.settimeout(None)
        return login

    def _serve(self, client: TSocket, login: Login) -> None:
        service = Service(login, self.server.config)
        processor: Any = TCLIService.Processor(service)
        protocol = _Protocol(TFramedTransport(client))
        try:
            while True:
                processor.process(protocol, protocol)
        finally:
            service.close()
