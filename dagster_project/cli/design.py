"""`outreach design`: how large a holdout and an exploration must be, before the months are spent."""

from __future__ import annotations

import json
from math import inf
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.errors import UserError
from dagster_project.cli.night import Source

if TYPE_CHECKING:
    from contracts.programs import Program
    from jobs.design import Question

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Size the experiments that measure what outreach does."""


@app.command("power")
def power(
    program: Annotated[
        str | None,
        typer.Option("--program", help="Take offers, shares and, where trained, the outcome from this program."),
    ] = None,
    source: Source = "tuva",
    mean: Annotated[float | None, typer.Option("--mean", help="Outcome per person without outreach.")] = None,
    sd: Annotated[float | None, typer.Option("--sd", help="Its standard deviation; not for a proportion.")] = None,
    better: Annotated[
        str | None, typer.Option("--better", help="lower or higher; default: the program's, or lower.")
    ] = None,
    effect: Annotated[
        float | None, typer.Option("--effect", help="Benefit to be shown, in the outcome's unit.")
    ] = None,
    nights: Annotated[int, typer.Option("--nights", min=1, help="How long one is willing to wait.")] = 365,
    offers: Annotated[float | None, typer.Option("--offers", help="Offers a night by rank.")] = None,
    explored: Annotated[
        float | None, typer.Option("--explored", min=0, help="Offers a night drawn below the cut.")
    ] = None,
    holdout_share: Annotated[float | None, typer.Option("--holdout-share", help="Share never offered.")] = None,
    eligible: Annotated[float | None, typer.Option("--eligible", help="People who can ever come up.")] = None,
    power_wanted: Annotated[float, typer.Option("--power", help="Probability to show an effect that is there.")] = 0.8,
    alpha: Annotated[float, typer.Option("--alpha", help="Of the two-sided test.")] = 0.05,
    cluster_size: Annotated[float, typer.Option("--cluster-size", help="Mean people (or trials) per cluster.")] = 1.0,
    icc: Annotated[float, typer.Option("--icc", help="Correlation within a cluster.")] = 0.0,
    cluster_cv: Annotated[float, typer.Option("--cluster-cv", help="Coefficient of variation of its size.")] = 0.0,
    r2: Annotated[float, typer.Option("--r2", help="Share of the variance that known covariates explain.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """What effect the holdout and the exploration can show, and what showing an effect takes.

    Either --program, or --mean (with --sd for a count or an amount), --offers and --holdout-share; what is given
    explicitly stands before what the program says. The formula and its references: causal/power.py.
    """
    from causal.power import Clusters
    from contracts.programs import program as program_of
    from jobs.design import Question, answer

    if better not in (None, "lower", "higher"):
        raise UserError(f"--better is {better}.", expected="lower or higher")
    known = program_of(program) if program is not None else None
    baseline = _baseline(known, source, mean, sd, eligible)
    question = Question(
        baseline,
        better=better or (known.outcome.better if known else "lower"),
        unit=known.outcome.unit if known else "units of the outcome",
        offers_per_night=_first("--offers", offers, known.ranked_per_night if known else None),
        slots_per_night=_first("--explored", explored, known.explored_per_night if known else 0.0),
        holdout_share=_first("--holdout-share", holdout_share, known.holdout_share if known else None),
        effect=effect, nights=nights, clusters=Clusters(cluster_size, icc, cluster_cv), r2=r2, alpha=alpha,
        power=power_wanted,
    )  # fmt: skip
    found = answer(question)
    if as_json:
        typer.echo(json.dumps({"program": program, **found}, indent=1))
    else:
        _print(program or "the design", question, found)


def _baseline(
    program: Program | None, source: str, mean: float | None, sd: float | None, eligible: float | None
) -> Any:
    from jobs.design import Baseline, baseline_of, need_cohort

    if mean is not None:
        return Baseline(mean, sd, inf if eligible is None else eligible)
    if program is None:
        raise UserError("Nothing says what happens without outreach.", expected="--program, or --mean (and --sd)")
    from contracts.settings import settings
    from jobs.session import spark_session

    need_cohort(program, source, settings())
    measured = baseline_of(spark_session("design"), program, source)
    return Baseline(
        measured.mean,
        measured.sd if sd is None else sd,
        measured.eligible if eligible is None else eligible,
    )


def _first(option: str, given: float | None, configured: float | None) -> float:
    if given is not None:
        return given
    if configured is None:
        raise UserError(f"{option} is missing.", expected=f"--program, or {option}")
    return configured


def _print(title: str, question: Question, found: dict[str, Any]) -> None:
    from rich.table import Table

    from jobs.terminal import table_console

    console = table_console(highlight=False)
    inputs = found["inputs"]
    spread = "a proportion" if inputs["outcome_sd"] is None else f"sd {inputs['outcome_sd']:.3g}"
    console.print(
        f"{title}: {inputs['outcome_mean']:.3g} {question.unit} without outreach ({spread});"
        f" {inputs['offers_per_night']:g} offers a night by rank, {inputs['explored_per_night']:g} at random;"
        f" power {inputs['power']:.0%}, two-sided alpha {inputs['alpha']:g}, design effect {inputs['design_effect']:.3g}."
    )
    for name, heading in (
        ("holdout", f"Holdout of {inputs['holdout_share']:.0%}, against those offered by rank"),
        ("exploration", "Exploration, against those below the cut who were not drawn"),
    ):
        if not found[name]:
            continue
        table = Table(title=heading, title_justify="left")
        for column in (
            "nights",
            "offered",
            "not offered",
            "smallest effect shown",
            "of the mean",
            "smallest spread shown",
        ):
            table.add_column(column, justify="right", no_wrap=True)
        for row in found[name]:
            shown = (row["detectable_effect"], row["detectable_share_of_mean"], row["detectable_spread"])
            words = ("none" if v is None else f"{v:.1%}" if n == 1 else f"{v:.3g}" for n, v in enumerate(shown))
            table.add_row(f"{row['nights']:,}", f"{row['offered']:,}", f"{row['not_offered']:,}", *words)
        console.print(table)
    if found["effect"] is not None:
        console.print(_verdict(found["effect"], inputs["holdout_share"]))


def _verdict(effect: dict[str, Any], share: float) -> str:
    """What showing the effect takes, in a sentence or two."""
    nights, needed = effect["nights_needed"], effect["share_needed"]
    first = (
        f"A benefit of {effect['benefit']:g} is shown with probability {effect['power']:.0%} in {effect['nights']:,} nights"
        f" with the configured holdout of {share:.1%}"
    )
    wait = "no wait is long enough: too few people" if nights is None else f"{nights:,} nights are needed"
    size = "no holdout is large enough in that time" if needed is None else f"{needed:.1%} would do in that time"
    return f"{first}; with it {wait}, and {size}."
