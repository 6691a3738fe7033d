"""`python -m jobs.report --source tuva --date 2026-11-23`: write the report of a published night."""

from __future__ import annotations

import argparse
import sys
from datetime import date

from contracts.errors import OutreachError
from contracts.tables.shapes import SOURCES


def main() -> int:
    """Write the report and print where it is; returns the exit code."""
    from jobs.report.write import write_report

    parser = argparse.ArgumentParser(prog="python -m jobs.report", description=__doc__)
    parser.add_argument("--source", required=True, choices=SOURCES, help="ingestion source")
    parser.add_argument("--date", required=True, type=date.fromisoformat, help="the night, YYYY-MM-DD")
    chosen = parser.parse_args()
    try:
        print(write_report(chosen.source, chosen.date))
    except OutreachError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
