"""The report of a night from the warehouse: grouped counts from Spark, small ones hidden before anything else sees them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from contracts.errors import UserError
from contracts.programs import programs
from jobs.delta import table_exists
from jobs.journal import entries
from jobs.ledger import journal_path
from jobs.report.assemble import assemble
from jobs.report.night import NightReport
from jobs.report.queries import read_night

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession


def collect_night(spark: SparkSession, data_source: str, run_date: date) -> NightReport:
    """Everything that the page of a published night shows; aggregates only.

    Raises:
        UserError: the night was not published.
    """
    is_there = table_exists(spark, "outreach.program_summary") and table_exists(spark, "outreach.priority")
    rows = read_night(spark, data_source, run_date) if is_there else None
    if rows is None or not rows.summary:
        raise UserError(
            f"No list of {data_source} was published for {run_date}.",
            expected="a source and night of `outreach.program_summary`",
            todo="run the night first, then make its report.",
        )
    rows = replace(rows, versions=with_own_code(rows.versions, data_source, run_date))
    return assemble(rows, programs().programs, data_source, run_date, datetime.now(UTC).replace(microsecond=0))


def with_own_code(versions: dict[str, Any], data_source: str, run_date: date) -> dict[str, Any]:
    """The versions with the code of this process, where it has just published the night itself.

    The run's steps are in its journal until it ends and writes `ops.run_ledger`; the report is one of them.
    """
    path = journal_path()
    mine = [
        step["code_version"]
        for step in (entries(path) if path.exists() else [])
        if (step["step"], step["data_source"], step["run_date"]) == ("publish", data_source, run_date.isoformat())
    ]
    return {**versions, "code_version": mine[-1]} if mine else versions
