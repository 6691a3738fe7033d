"""How the last night of a source went, from what it left behind; starts no engine.

Read from the Delta files and the journals of running processes; with `SPARK_REMOTE` set, through that endpoint.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any

from contracts.alert_kinds import section
from contracts.errors import ExitCode
from contracts.settings import Settings
from jobs.journal import entries, journals
from jobs.query.access import readable
from jobs.query.duck import delta_folder
from jobs.query.statement import Query, parse
from jobs.terminal import counted

NIGHTLY_JOBS = ("nightly", "trained_night")
_SLOWEST = 3


@dataclass(frozen=True)
class Status:
    """What is known of a source's nights.

    Attributes:
        data_source: whose.
        today: in the plan's time zone.
        published: the last published night; None: none.
        programs: rows of `outreach.program_summary` of that night.
        run: the last nightly run: `run_id, run_date, started_at, seconds, steps, quarantined`; None: none on record.
        failed: its step that failed: `step, message`; `run` where it was stopped between two; None: none did.
        slowest: its longest steps: `step, seconds`.
        running: steps that are running now: `step, job, seconds`.
        alerts: raised since that run began: `kind, severity, subject, message`.
        parked: files that it parked.
    """

    data_source: str
    today: dt.date
    published: dt.date | None = None
    programs: list[dict[str, Any]] = field(default_factory=list)
    run: dict[str, Any] | None = None
    failed: dict[str, Any] | None = None
    slowest: list[dict[str, Any]] = field(default_factory=list)
    running: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    parked: int = 0

    @property
    def is_late(self) -> bool:
        """No list for yesterday or later: the night that should have run did not."""
        return self.published is None or self.published < self.today - dt.timedelta(days=1)

    @property
    def exit_code(self) -> ExitCode:
        """1 when the last run failed or the list is late; else as the published night ended: 0, 10 or 11."""
        if self.failed is not None or self.is_late:
            return ExitCode.FAILED
        verdicts = {program["verdict"] for program in self.programs}
        if "blocked" in verdicts:
            return ExitCode.BLOCKED
        return ExitCode.PUBLISHED_WITH_FALLBACK if "fallback" in verdicts else ExitCode.OK


def status(data_source: str, config: Settings, now: dt.datetime) -> Status:
    """Look at what the nights of a source left behind.

    Args:
        data_source: one of SOURCES.
        config: settings.
        now: aware.
    """
    warehouse = _Warehouse(config)
    source = f"data_source = '{data_source}'"
    night = warehouse.one("outreach.program_summary", f"select max(run_date) as last from {{}} where {source}")
    published = night["last"] if night else None
    programs = warehouse.rows(
        "outreach.program_summary",
        f"select * from {{}} where {source} and run_date = date '{published}' order by program",
    ) if published else []  # fmt: skip
    run = _last_run(warehouse, source)
    found: dict[str, Any] = {}
    if run is not None:
        found = _of_run(warehouse, run, source)
    return Status(
        data_source, config.day_of(now), published, programs, run, running=_running(data_source, now), **found
    )


def is_published(data_source: str, night: dt.date, config: Settings) -> bool:
    """Whether the list of one night is published."""
    asked = f"select run_date from {{}} where data_source = '{data_source}' and run_date = date '{night}' limit 1"
    return _Warehouse(config).one("outreach.program_summary", asked) is not None


class _Warehouse:
    """Small queries of one table each; a table that is not there has no rows."""

    def __init__(self, config: Settings) -> None:
        self.config = config

    def rows(self, table: str, sql: str) -> list[dict[str, Any]]:
        is_remote = self.config.spark_remote is not None
        if not is_remote and not (delta_folder(table, self.config) / "_delta_log").is_dir():
            return []
        query = parse(sql.format(table), "duckdb")
        names = readable([table], self.config.role)
        if not isinstance(query, Query):
            raise TypeError("only queries are asked here")
        if is_remote:
            from jobs.query import spark

            return spark.run(query, names).to_pylist()
        from jobs.query import duck

        return duck.run(query, names, self.config).to_pylist()

    def one(self, table: str, sql: str) -> dict[str, Any] | None:
        found = self.rows(table, sql)
        return found[0] if found else None


def _last_run(warehouse: _Warehouse, source: str) -> dict[str, Any] | None:
    jobs = ", ".join(f"'{job}'" for job in NIGHTLY_JOBS)
    return warehouse.one(
        "ops.run_ledger",
        f"""select run_id, max(run_date) as run_date, min(started_at) as started_at, max(ended_at) as ended_at,
            count(*) as steps, sum(coalesce(rows_quarantined, 0)) as quarantined
        from {{}} where job in ({jobs}) and {source} group by run_id order by started_at desc limit 1""",
    )


def _of_run(warehouse: _Warehouse, run: dict[str, Any], source: str) -> dict[str, Any]:
    """What one run did: how its steps ended, what it parked, which alerts came since it began."""
    mine = f"run_id = '{run['run_id']}'"
    run["seconds"] = (run["ended_at"] - run["started_at"]).total_seconds() if run["ended_at"] else None
    steps = warehouse.rows(
        "ops.run_ledger",
        f"select step, status, message, duration_seconds as seconds, started_at from {{}} where {mine} order by started_at",
    )
    last = {step["step"]: step for step in steps}  # a step that was retried counts as it ended
    failed = [step for step in last.values() if step["status"] in ("failed", "started")]
    slowest = sorted(last.values(), key=lambda s: -(s["seconds"] or 0.0))[:_SLOWEST]
    since = run["started_at"].isoformat()
    alerts = warehouse.rows(
        "ops.alert",
        f"""select kind, severity, subject, message, raised_at from {{}}
        where raised_at >= timestamptz '{since}' and (data_source is null or {source}) order by severity, raised_at desc""",
    )
    parked = warehouse.one("ops.input_file", f"select count(*) as n from {{}} where {mine} and status = 'parked'")
    return {
        "failed": failed[-1] if failed else None, "slowest": slowest, "parked": parked["n"] if parked else 0,
        "alerts": [{**alert, "runbook": section(alert["kind"])} for alert in alerts],
    }  # fmt: skip


def _running(data_source: str, now: dt.datetime) -> list[dict[str, Any]]:
    """Steps whose process lives and that have not ended."""
    found = []
    for path in journals():
        for step in entries(path):
            if step["status"] == "started" and step.get("data_source") in (None, data_source):
                seconds = (now - dt.datetime.fromisoformat(step["started_at"])).total_seconds()
                found.append({"step": step["step"], "job": step["job"], "seconds": seconds})
    return found


def lines(found: Status) -> list[str]:
    """About ten lines for a terminal, the verdict first."""
    return [_verdict(found), *_run_lines(found), *_program_lines(found), *_left_out(found), *_alert_lines(found)]


def _verdict(found: Status) -> str:
    if found.published is None:
        return f"{found.data_source}: no night has been published yet. Run `outreach nightly --source {found.data_source}`."
    age = (found.today - found.published).days
    when = {-1: "tomorrow night", 0: "tonight", 1: "last night"}.get(
        age, f"{age} days ago" if age > 0 else f"in {-age} days"
    )
    late = f"; LATE, see {section('lateness')}" if found.is_late else ""
    return f"{found.data_source}: the list of {found.published} is published ({when}){late}."


def _run_lines(found: Status) -> list[str]:
    said = [f"  running   {step['step']} of {step['job']}, since {_time(step['seconds'])}" for step in found.running]
    if found.run is None:
        return said
    run = found.run
    if found.failed is not None:
        message = found.failed["message"] or "the process ended within it"
        said.append(f"  FAILED    run for {run['run_date']} in `{found.failed['step']}`: {message}")
        said.append(f"            what was published before stands; see {section('failure')}")
    slow = ", ".join(f"{step['step']} {_time(step['seconds'] or 0.0)}" for step in found.slowest)
    took = _time(run["seconds"]) if run["seconds"] is not None else "not ended"
    return [*said, f"  last run  for {run['run_date']}, {took}; longest: {slow}"]


def _program_lines(found: Status) -> list[str]:
    said = []
    for row in found.programs:
        value = "" if row["expected_net_value_usd"] is None else f", ${row['expected_net_value_usd']:,.0f} estimated"
        calls = row["outreach_count"] + row["explore_count"]
        said.append(f"  {row['verdict']:<9} {row['program']}: {calls} of {row['capacity']} calls{value}")
    return said


def _left_out(found: Status) -> list[str]:
    if found.run is None:
        return []
    return [
        f"  left out  {counted(found.run['quarantined'], 'row')} quarantined, {counted(found.parked, 'file')} parked"
    ]


def _alert_lines(found: Status) -> list[str]:
    if not found.alerts:
        return ["  alerts    none since that run began"] if found.run else []
    errors = sum(alert["severity"] == "error" for alert in found.alerts)
    first = found.alerts[0]
    how_many = f"{counted(errors, 'error')}, {counted(len(found.alerts) - errors, 'warning')}"
    return [
        f"  alerts    {how_many}; first: {first['kind']} of {first['subject']}",
        f"            {shorten(first['message'], 140, placeholder=' …')} See {first['runbook']}",
    ]


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
