"""A small simulated plan in a state folder of its own, driven through the command line as a user or a scheduler would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import deltalake
import duckdb
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
MEMBERS, PILOT_SHARE, NIGHT, NEXT = 1500, 0.13, "2026-07-01", "2026-07-02"


class Plan:
    """A state folder of its own with a simulated plan in it."""

    def __init__(self, home: Path) -> None:
        self.home, self.output = home, ""
        self.env = {**os.environ, "OUTREACH_HOME": str(home), "OUTREACH_ENGINE_MEMORY": "2g", "COLUMNS": "200"}
        self.env.pop("SPARK_REMOTE", None)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "dagster_project.cli", *arguments]

    def run(self, *arguments: str, expect: set[int] = frozenset({0, 10, 11})) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments), env=self.env, cwd=ROOT, capture_output=True, text=True, timeout=1800
        )
        assert done.returncode in expect, (
            f"outreach {' '.join(arguments)}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
        return done

    def kill(self, *arguments: str, after: str) -> None:
        """Start a command and end it with SIGKILL as soon as it has said `after`."""
        log = self.home / "killed.log"
        with log.open("w") as sink:
            child = subprocess.Popen(self.command(*arguments), env=self.env, cwd=ROOT, stderr=sink, stdout=sink)
            deadline = time.monotonic() + 1200
            while after not in log.read_text() and child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.2)
            assert child.poll() is None, f"it ended before it could be killed:\n{log.read_text()[-2000:]}"
            child.send_signal(signal.SIGKILL)
            child.wait(timeout=30)

    def delta(self, name: str) -> deltalake.DeltaTable:
        schema, table = name.split(".")
        return deltalake.DeltaTable(self.home / "warehouse" / f"{schema}.db" / table)

    def sql(self, query: str, **tables: str) -> pd.DataFrame:
        views = {alias: self.delta(name).to_pyarrow_dataset() for alias, name in tables.items()}
        connection = duckdb.connect()
        for alias, view in views.items():
            connection.register(alias, view)
        return connection.sql(query).df()

    def night(self, day: str) -> pd.DataFrame:
        return self.sql(
            f"select * from p where run_date = date '{day}' order by program, member_id", p="outreach.priority"
        )

    def demo(self) -> None:
        """From nothing to the list of NIGHT."""
        plan = ("--members", str(MEMBERS), "--months", "24", "--pilot-share", str(PILOT_SHARE), "--date", NIGHT)
        self.output = self.run("demo", *plan).stdout
