"""`outreach demo`: a simulated health plan, trained, scored and published, from nothing to tonight's list."""

from __future__ import annotations

import json
import shutil
import sys
import time
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.errors import UserError
from contracts.settings import settings
from dagster_project.cli.night import Day, Json, make_night, parse_day, publish_night
from dagster_project.cli.options import PilotShare

# With the simulator's pilot 20,000 members are too few to tell who benefits: most nights every list would follow its simple
# rule. Half randomised is what a plan can do that has many more members to call than places.
PILOT_SHARE = 0.5


def _plan(members: int, months: int, seed: int, pilot_share: float, day: str | None) -> dict[str, Any]:
    """What is simulated; a plan that is there already is used again, unless asked for another.

    Raises:
        UserError: the state folder holds another plan.
    """
    path = settings().home / "demo.json"
    wanted = {"members": members, "months": months, "seed": seed, "pilot_share": pilot_share}
    if path.exists():
        kept = json.loads(path.read_text())
        if any(kept.get(name) != value for name, value in wanted.items()) or (
            day and kept["end_date"] != parse_day(day).isoformat()
        ):
            raise UserError(
                "This state folder holds another simulated plan.",
                expected=json.dumps(kept),
                actual=json.dumps({**wanted, "end_date": day}),
                todo="set OUTREACH_HOME to a new folder, or stop the engine and remove this one.",
            )
        return kept
    return {**wanted, "end_date": parse_day(day).isoformat()}


def _simulate(plan: dict[str, Any]) -> None:
    """Write the plan's deliveries into the inbox, whole or not at all."""
    from jobs.ledger import step
    from jobs.session import spark_session
    from jobs.simulate import SimulationConfig, simulate

    done = settings().home / "demo.json"
    if done.exists():
        typer.echo(f"Simulated plan of {plan['members']:,} members is there already.", err=True)
        return
    with step("simulate", data_source="tuva") as record:
        config = SimulationConfig(
            members=plan["members"],
            months=plan["months"],
            seed=plan["seed"],
            pilot_share=plan["pilot_share"],
            end_date=date.fromisoformat(plan["end_date"]),
        )
        simulate(spark_session(), config, settings().landing / "tuva")
        record.message = f"{plan['members']} members, {plan['months']} months"
    done.write_text(json.dumps(plan))


def _approve_by_default() -> None:
    """Let the demo's models serve without a person; said so in the state folder's settings."""
    file = settings().settings_file
    if not file.exists():
        file.write_text(
            "# Written by `outreach demo`: models whose gates passed serve without a person's approval.\nOUTREACH_AUTO_APPROVE=true\n"
        )
        settings.cache_clear()


def demo(
    members: Annotated[int, typer.Option(help="Members of the simulated plan.", min=100)] = 20_000,
    months: Annotated[int, typer.Option(help="Months of history.", min=18)] = 30,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 7,
    pilot_share: PilotShare = PILOT_SHARE,
    day: Day = None,
    as_json: Json = False,
) -> None:
    """Simulate a plan, ingest it, train three programs, publish tonight's list, and say where everything is."""
    from contracts.programs import programs
    from jobs.registry import latest
    from jobs.summary import first_rows, print_first_rows, print_summary

    started = time.monotonic()
    settings().made_home()
    plan = _plan(members, months, seed, pilot_share, day)
    _approve_by_default()
    _simulate(plan)
    night = make_night(str(plan["end_date"]), "tuva")
    # A program on its fallback rule, or blocked by its gates, is what the demo is there to show, not a failure of it.
    trained = any(latest("tuva", key) is None for key in programs().programs)
    published = publish_night(night, trained=trained, quiet=as_json)
    if as_json:
        places = {"warehouse": settings().warehouse_url, "report": str(_report(night.run_date)), "plan": plan}
        typer.echo(json.dumps({**published, **places, "seconds": round(time.monotonic() - started)}, default=str))
        return
    print_summary(published["programs"], night.data_source, night.run_date)
    print_first_rows(first_rows(night.data_source, night.run_date))
    _print_places(night.run_date, time.monotonic() - started)


def _report(run_date: date) -> Path:
    return settings().reports_dir / "tuva" / run_date.isoformat() / "index.html"


def _print_places(run_date: date, seconds: float) -> None:
    from jobs.engine.memory import engine_peak_mb
    from jobs.ledger import peak_memory_mb

    home = settings().home
    shown = home.relative_to(Path.cwd()) if home.is_relative_to(Path.cwd()) else home
    own, engine = peak_memory_mb(), engine_peak_mb()
    memory = f"peak memory {own / 1000:.1f} GB" + (f" and {engine / 1000:.1f} GB in the engine" if engine else "")
    outreach = _typed()
    typer.echo(f"""
Done in {seconds:.0f} s; {memory}. Where things are:
  tables    {shown}/warehouse (Delta): outreach.priority, outreach.action_list, outreach.program_summary, causal.gate_result, ops.run_ledger
  report    {shown}/reports/tuva/{run_date}/index.html
  models    {outreach} models list
  UI        make ui, then http://127.0.0.1:3000
  next      {outreach} nightly --date tomorrow    # publishes the next night""")


def _typed() -> str:
    """The command as it can be typed here: its name where the environment is active, else its path."""
    script = Path(sys.executable).with_name("outreach")
    found = shutil.which("outreach")
    if (found and Path(found).samefile(script)) or not script.exists():
        return "outreach"
    return str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script)
