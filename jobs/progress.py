"""A line below the steps of a long run: what runs now, how far a night is, and about how long it still takes.

The estimate is the last run of the same job: nights differ little from one to the next. Where nobody watches (no
terminal, or a build server), there is no line; the lines of ended steps are there in any case.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from contracts.settings import Settings
from jobs.journal import entries
from jobs.ledger import console, journal_path
from jobs.query.duck import delta_folder


@contextmanager
def shown(expected: Mapping[str, float], *, quiet: bool) -> Iterator[None]:
    """Show the line while the block runs.

    Args:
        expected: seconds by step, from `expected_seconds`; empty: no estimate is shown.
        quiet: show nothing.
    """
    from rich.live import Live

    out = console()
    if quiet or not out.is_terminal:
        yield
        return
    with Live(console=out, refresh_per_second=1, transient=True, get_renderable=lambda: _now(expected)):
        yield


@contextmanager
def told(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show, while the block runs, what it last said of itself and the time since its start.

    Args:
        quiet: show nothing.
    """
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    out = console()
    if quiet or not out.is_terminal:
        yield lambda text: None
        return
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=out, transient=True) as shown_now:
        task = shown_now.add_task("", total=None)
        yield lambda text: shown_now.update(task, description=text)


def expected_seconds(data_source: str, job: str, config: Settings) -> dict[str, float]:
    """Seconds of each step of the last run of a job that went through; empty where none is on record here."""
    if config.spark_remote is not None or not (delta_folder("ops.run_ledger", config) / "_delta_log").is_dir():
        return {}
    from jobs.query import duck
    from jobs.query.access import readable

    connection = duck.connect(readable(["ops.run_ledger"], config.role), config)
    rows = connection.sql(
        """with runs as (
            select run_id, max(started_at) as last from ops.run_ledger where job = $job and data_source = $source
            group by run_id having bool_and(status in ('succeeded', 'skipped')))
        select step, max(duration_seconds) from ops.run_ledger
        where run_id = (select run_id from runs order by last desc limit 1) and duration_seconds is not null group by step""",
        params={"job": job, "source": data_source},
    )
    return dict(rows.fetchall())


def line(steps: list[dict[str, Any]], expected: Mapping[str, float], now: dt.datetime) -> str:
    """The text: running step, its seconds, its place and what remains.

    Args:
        steps: of the journal, in order of their start.
        expected: seconds by step.
        now: aware.
    """
    running = [step for step in steps if step["status"] == "started"]
    if not running:
        return ""
    step = running[-1]
    seconds = (now - dt.datetime.fromisoformat(step["started_at"])).total_seconds()
    parts = [step["step"], f"{seconds:.0f} s"]
    if expected:
        ended = {other["step"] for other in steps if other["status"] != "started"}
        ahead = sum(took for name, took in expected.items() if name not in ended and name != step["step"])
        left = ahead + max(expected.get(step["step"], 0.0) - seconds, 0.0)
        parts.append(f"step {len(ended) + 1} of about {max(len(expected), len(ended) + 1)}")
        parts.append("nearly done" if left < 5 else f"about {_time(left)} left")
    return " · ".join(parts)


def _now(expected: Mapping[str, float]) -> str:
    path = journal_path()
    steps = entries(path) if path.exists() else []
    return line(sorted(steps, key=lambda step: step["started_at"]), expected, dt.datetime.now(dt.UTC))


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
