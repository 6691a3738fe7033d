"""`python -m jobs.ingest --source NAME PATH...`: land files and say what became of each."""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from pathlib import Path

from contracts.errors import ExitCode, OutreachError
from contracts.sources import SOURCES
from jobs.ingest.show import show, watched
from jobs.session import spark_session


def run(source: str, paths: list[Path], *, as_json: bool) -> ExitCode:
    """Land `paths`, print the report; FAILED when nothing was landed and something was parked or left.

    Raises:
        OutreachError: unknown source, missing path, no engine.
    """
    from jobs.ingest.land import land

    with watched(quiet=as_json) as progress:
        progress("connecting to the engine")
        spark = spark_session("ingest")
        report = land(spark, source, paths, uuid.uuid4().hex, progress=progress)
    if as_json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        show(report)
    return ExitCode.FAILED if report.is_failure else ExitCode.OK


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m jobs.ingest", description=__doc__)
    parser.add_argument("--source", required=True, help=" or ".join(SOURCES))
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
    given = parser.parse_args(arguments)
    try:
        return run(given.source, given.paths, as_json=given.json)
    except OutreachError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
