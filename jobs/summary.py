"""What a night came to, for the terminal: the summary per program and the first rows of the list."""

from __future__ import annotations

from datetime import date
from typing import Any

from contracts.catalog import contract
from contracts.programs import programs
from jobs.session import spark_session
from jobs.terminal import table_console


def night_summary(data_source: str, run_date: date) -> list[dict[str, Any]]:
    """Rows of `outreach.program_summary` of one night, in the programs' order."""
    names = ", ".join(contract("outreach.program_summary").column_names)
    rows = spark_session().sql(
        f"select {names} from outreach.program_summary where data_source = '{data_source}' and run_date = date'{run_date}'"
    )
    order = list(programs().programs)
    return sorted((row.asDict() for row in rows.collect()), key=lambda row: order.index(row["program"]))


def first_rows(data_source: str, run_date: date, count: int = 10) -> list[dict[str, Any]]:
    """The first rows of the list, the programs taking turns. Members appear by rank only."""
    rows = spark_session().sql(f"""
        select program, verdict, priority_rank, decision, channel, cate, cate_lower, cate_upper, expected_net_value_usd, reason_1
        from outreach.priority where data_source = '{data_source}' and run_date = date'{run_date}'
            and decision in ('outreach', 'explore')
        order by priority_rank, program limit {count}""")
    return [row.asDict() for row in rows.collect()]


def print_summary(rows: list[dict[str, Any]], data_source: str, run_date: date) -> None:
    """One line per program: verdict and why, who is called, what is expected."""
    from rich.table import Table

    from jobs.report.assemble import plan_of
    from jobs.report.words import benefit

    table = Table(title=f"Published: {data_source}, night of {run_date}", title_justify="left", show_lines=False)
    for name in ("program", "verdict", "called", "explore", "held out", "eligible", "estimated benefit", "net value"):
        table.add_column(
            name, justify="left" if name in ("program", "verdict") else "right", no_wrap=name in ("program", "verdict")
        )
    for row in rows:
        plan, found = plan_of(programs().programs[row["program"]]), row["expected_benefit"]
        gain = "–" if found is None else benefit(found, plan)
        value = "–" if row["expected_net_value_usd"] is None else f"${row['expected_net_value_usd']:,.0f}"
        counts = [f"{row[name]:,}" for name in ("outreach_count", "explore_count", "holdout_count", "eligible_count")]
        table.add_row(row["program"], row["verdict"], *counts, gain, value)
    console = table_console()
    console.print(table)
    if any(row["expected_benefit"] is not None for row in rows):
        told = "Benefit and value are the model's estimates, added up; what was measured on people kept aside is in the report."
        console.print(f"  {told}", highlight=False)
    for row in rows:
        console.print(f"  {row['program']}: {row['verdict_sentence']}", highlight=False)


def print_first_rows(rows: list[dict[str, Any]]) -> None:
    """The first rows of the list as a table, without any member's identity."""
    from rich.table import Table

    table = Table(title="First rows of tonight's list (outreach.action_list)", title_justify="left")
    for name in ("program", "rank", "decision", "channel", "effect [95 % interval]", "net value", "first reason"):
        table.add_column(
            name, justify="right" if name in ("rank", "net value") else "left", no_wrap=name != "first reason"
        )
    for row in rows:
        # Where a rule ranks, no estimate may be read as the reason.
        ranks = row["verdict"] == "publish" and row["cate"] is not None
        effect = f"{row['cate']:+.2f}" if ranks else "–"
        if ranks and row["cate_lower"] is not None:
            effect += f" [{row['cate_lower']:+.2f}, {row['cate_upper']:+.2f}]"
        value = "–" if row["expected_net_value_usd"] is None else f"${row['expected_net_value_usd']:,.0f}"
        table.add_row(
            row["program"],
            str(row["priority_rank"]),
            row["decision"],
            row["channel"],
            effect,
            value,
            row["reason_1"] or "",
        )
    console = table_console()
    console.print(table)
    console.print(
        "  Effects in the outcome's unit, offered less not offered. Missing ranks are held out or had no place.",
        highlight=False,
    )
