"""The monthly page on models: what was trained, who decided, how challengers compare with what serves, what came of it.

Read from tables that hold no row of a person; grouped in Spark, drawn here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.compile.literals import sql_string
from contracts.errors import UserError
from contracts.programs import Program, programs
from jobs.report.assemble import past_windows, plan_of
from jobs.report.evidence import evidence_of
from jobs.report.night import Evidence, PastWindow, Plan
from jobs.report.queries import Rows, optional_rows
from jobs.report.render import environment

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

_COMPARED = """select program, challenger_version, served_version, served_verdict, count(*) as nights, count_if(status = 'scored') as scored,
    avg(list_agreement) as list_agreement, avg(rank_correlation) as rank_correlation, max(score_psi) as score_psi,
    sum(served_value_usd) as served_value_usd, sum(challenger_list_by_served_usd) as challenger_list_by_served_usd,
    sum(challenger_value_usd) as challenger_value_usd, sum(served_list_by_challenger_usd) as served_list_by_challenger_usd,
    max(run_date) as last_night"""


@dataclass(frozen=True)
class MonthRows:
    """Rows of one source and month.

    Attributes:
        nights: program, verdict, model_version, n (nights published).
        models, gates, evaluation, flow: `causal.*` of trainings up to the month's end.
        decisions: `ops.model_decision` of the month, oldest first.
        compared: `causal.shadow_comparison` of the month, by pair of models.
        realized: `outreach.realized_uplift` of whole lists, known by the month's end.
    """

    nights: Rows
    models: Rows
    gates: Rows
    evaluation: Rows
    flow: Rows
    decisions: Rows
    compared: Rows
    realized: Rows


@dataclass(frozen=True)
class ProgramMonth:
    """One program.

    Attributes:
        nights: how many, by verdict.
        served: models that ranked.
        recorded: models whose estimates were kept while the simple rule ranked.
        trained: the month's trainings, latest first.
        evidence: of the last training on record.
    """

    plan: Plan
    nights: Mapping[str, int]
    served: tuple[str, ...]
    recorded: tuple[str, ...]
    trained: Rows
    evidence: Evidence | None
    decisions: Rows
    compared: Rows
    past: tuple[PastWindow, ...]


@dataclass(frozen=True)
class ModelMonth:
    """What the page of one source and month shows."""

    data_source: str
    month: date
    made_at: datetime
    programs: tuple[ProgramMonth, ...]


def month_end(month: date) -> date:
    """First day of the next month."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def read_month(spark: SparkSession, data_source: str, month: date) -> MonthRows:
    """Every query of the page; `nights` is empty where nothing was published in the month."""
    source = f"data_source = {sql_string(data_source)}"
    first, end = month.replace(day=1), month_end(month)
    nights = f"{source} and run_date >= date'{first}' and run_date < date'{end}'"
    known = f"{source} and trained_as_of < date'{end}'"
    return MonthRows(
        nights=optional_rows(
            spark, "outreach.program_summary", nights, "select program, verdict, model_version, count(*) as n", "group by all"
        ),
        models=optional_rows(spark, "causal.model", known),
        gates=optional_rows(spark, "causal.gate_result", known),
        evaluation=optional_rows(spark, "causal.evaluation", known),
        flow=optional_rows(spark, "causal.cohort_flow", known),
        decisions=optional_rows(
            spark, "ops.model_decision", f"{source} and decided_at >= date'{first}' and decided_at < date'{end}'"
        ),
        compared=optional_rows(
            spark, "causal.shadow_comparison", nights, _COMPARED, "group by program, challenger_version, served_version, served_verdict"
        ),
        realized=optional_rows(
            spark, "outreach.realized_uplift", f"{source} and score_band = 'listed' and known_as_of < date'{end}'"
        ),
    )  # fmt: skip


def assemble_month(
    rows: MonthRows, configured: Mapping[str, Program], data_source: str, month: date, made_at: datetime
) -> ModelMonth:
    """The page's content.

    Raises:
        UserError: no list was published and nothing was trained or decided in the month.
    """
    first = month.replace(day=1)
    found = tuple(_program(program, rows, first) for program in configured.values())
    if not any(one.nights or one.trained or one.decisions for one in found):
        raise UserError(
            f"Nothing happened to models of {data_source} in {first:%B %Y}.",
            expected="a month with published nights, trainings or decisions",
            todo="run a night first, or name another month.",
        )
    return ModelMonth(data_source, first, made_at, found)


def _program(program: Program, rows: MonthRows, first: date) -> ProgramMonth:
    def mine(some: Rows) -> list[dict[str, Any]]:
        return [row for row in some if row["program"] == program.key]

    nights = mine(rows.nights)
    verdicts: Counter[str] = Counter()
    for row in nights:
        verdicts[row["verdict"]] += row["n"]
    trained = sorted(mine(rows.models), key=lambda row: row["trained_as_of"], reverse=True)
    latest = trained[0]["model_version"] if trained else ""
    return ProgramMonth(
        plan=plan_of(program),
        nights=dict(verdicts),
        served=_models(nights, "publish"),
        recorded=_models(nights, "fallback"),
        trained=[row for row in trained if row["trained_as_of"] >= first],
        evidence=evidence_of(program, latest, rows.models, rows.evaluation, rows.gates, rows.flow),
        decisions=sorted(mine(rows.decisions), key=lambda row: row["decided_at"]),
        compared=sorted(mine(rows.compared), key=lambda row: (row["last_night"], row["challenger_version"])),
        past=past_windows(rows.realized, program),
    )


def _models(nights: Rows, verdict: str) -> tuple[str, ...]:
    return tuple(sorted({row["model_version"] for row in nights if row["verdict"] == verdict} - {"none"}))


def render_month(report: ModelMonth) -> str:
    """The page; its links to model cards are relative to `<reports>/<source>/models-<month>/`."""
    return environment().get_template("month.html.j2").render(report=report, card=card_address)


def card_address(model_version: str) -> str:
    """Of a model's card, from the month's page."""
    name, _, version = model_version.rpartition("/")
    return f"../../models/{name}/{version}/card.html"


def write_month(data_source: str, month: date) -> Path:
    """Write `<reports>/<source>/models-<YYYY-MM>/index.html` and refresh the index; returns the page's path.

    Raises:
        UserError: nothing happened in the month.
    """
    from contracts.settings import settings
    from jobs.lineage import record as lineage
    from jobs.lineage.naming import MODEL_REPORT
    from jobs.report.write import replace_file, write_index
    from jobs.session import spark_session

    rows = read_month(spark_session(), data_source, month)
    lineage.drawn(MODEL_REPORT, f"{month:%Y-%m}")
    made_at = datetime.now(UTC).replace(microsecond=0)
    page = render_month(assemble_month(rows, programs().programs, data_source, month, made_at))
    reports = settings().reports_dir
    folder = reports / data_source / f"models-{month:%Y-%m}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(folder / "index.html", page)
    write_index(reports)
    return folder / "index.html"
