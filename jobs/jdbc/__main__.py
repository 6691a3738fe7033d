"""`python -m jobs.jdbc --port N`: the door in the foreground, until it is told to end."""

from __future__ import annotations

import argparse
import logging
import signal
import sys

from contracts.settings import settings
from jobs.jdbc.process import announce
from jobs.jdbc.server import Door


def main(argv: list[str] | None = None) -> int:
    """Listen; returns only by a signal."""
    parser = argparse.ArgumentParser(prog="python -m jobs.jdbc", description=__doc__)
    parser.add_argument("--port", type=int, default=settings().jdbc_port, help="on loopback")
    port = parser.parse_args(argv).port
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    # Thrift logs whatever a handler raises with its text; ours raise nothing.
    logging.getLogger("thrift").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        door = Door(port, settings())
    except OSError as error:
        print(f"Port {port} cannot be listened at: {error.strerror}.", file=sys.stderr)
        return 1
    with door:
        announce(settings(), door.server_address[1])
        door.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
