"""`python -m jobs.simulate --members N --months N --end-date D --out DIR`: make a health plan with known truth."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

from contracts.settings import settings
from jobs.session import spark_session
from jobs.simulate import SimulationConfig, simulate


def main() -> None:
    """Parse the command line and simulate."""
    parser = argparse.ArgumentParser(prog="jobs.simulate", description=__doc__)
    parser.add_argument("--members", type=int, default=20_000)
    parser.add_argument("--months", type=int, default=30)
    parser.add_argument("--end-date", type=date.fromisoformat, required=True)
    parser.add_argument("--seed", type=int, default=settings().seed)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    config = SimulationConfig(members=asked.members, months=asked.months, end_date=asked.end_date, seed=asked.seed)
    simulate(spark_session("simulate"), config, asked.out)


if __name__ == "__main__":
    main()
