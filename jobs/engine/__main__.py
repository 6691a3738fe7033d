"""`python -m jobs.engine start|stop|status|fetch`: the engine without the `outreach` command line."""

from __future__ import annotations

import argparse
import logging
import sys

from contracts.errors import ExitCode, OutreachError
from jobs.engine.lifecycle import engine_status, ensure_engine, fetch_jars, stop_engine
from jobs.engine.report import status_text

_ACTIONS = {"start": ensure_engine, "stop": stop_engine, "fetch": fetch_jars}


def main(argv: list[str] | None = None) -> int:
    """Carry out one verb; the exit code to end with."""
    parser = argparse.ArgumentParser(prog="python -m jobs.engine", description=__doc__)
    parser.add_argument("verb", choices=("start", "stop", "status", "fetch"))
    verb = parser.parse_args(argv).verb
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        if verb in _ACTIONS:
            _ACTIONS[verb]()
    except OutreachError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if verb in ("start", "status"):
        print(status_text(engine_status()))
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
