"""What came of the lists: realised effects after run-out, and how far tonight's members have drifted from training."""

from __future__ import annotations

from contracts.model import Contract, Rule, column, table
from contracts.tables.shapes import PROGRAMS_MATCH, SOURCES
from contracts.types import Bool, Date, Double, Int, Str

BANDS = ("listed", "listed_upper_half", "listed_lower_half", "explored")
DRIFT_KINDS = ("feature", "score")


@table(
    "outreach.realized_uplift",
    version="1.0.1",
    key=("data_source", "program", "window_start", "score_band"),
    owner="care-management",
    rules=(
        Rule("window_has_days", "window_end > window_start", "A window holds at least one night."),
        Rule(
            "interval_holds_estimate",
            "realized_effect between ci_lower and ci_upper",
            "The realised effect lies within its interval.",
        ),
        Rule(
            "judged_needs_both",
            "excludes_prediction is null or (ci_lower is not null and predicted_effect is not null)",
            "A prediction is judged only where there is one, and an interval to hold it against.",
        ),
        Rule(
            "known_after_runout", "known_as_of > window_end", "Outcomes are read only after horizon and claims run-out."
        ),
    ),
)
class RealizedUplift(Contract):
    """Realised against predicted effect of being offered, per program, month of nights and part of the list.

    Intention to treat: members offered on a night against members of the persistent holdout whom the same list would
    have named (or, below the cut, against holdouts of the nights on which others were drawn to explore), weighted by the
    logged probabilities. A holdout counts on the first such night, then rests for the program's cool-down as the offered
    do. Each row is computed once, with what was known on the day on which run-out was complete.
    """

    data_source: Str = column("Ingestion source of the members.", isin=SOURCES)
    program: Str = column("Program key.", str_matches=PROGRAMS_MATCH)
    window_start: Date = column("First day of the month whose nights are looked at.")
    window_end: Date = column("First day after it.")
    score_band: Str = column(
        "`listed`: all up to the cut; its halves by rank within the night; `explored`: drawn at random below the cut.",
        isin=BANDS,
    )
    known_as_of: Date = column("Outcomes and enrolment as known before this day.")
    night_count: Int = column("Nights published in the window.", unit="count", ge=1)
    model_versions: Str = column("Models that served in the window, in order of name.")
    offered_count: Int = column("Members offered.", unit="count", ge=0)
    holdout_count: Int = column("Members held out whom the list would have named.", unit="count", ge=0)
    offered_mean: Double = column("Mean outcome of the offered, in the program's unit.", nullable=True)
    holdout_mean: Double = column("Mean outcome of the held out.", nullable=True)
    realized_effect: Double = column("Offered less held out, in the outcome's natural sign.", nullable=True)
    se: Double = column(
        "Standard error, clustered by member; NULL where an arm has too few members, or the smaller one too few with the outcome.",
        nullable=True,
        ge=0.0,
    )
    ci_lower: Double = column("Lower 95 % limit.", nullable=True)
    ci_upper: Double = column("Upper 95 % limit.", nullable=True)
    predicted_effect: Double = column(
        "Mean `cate` of the same offered members as published, each times the share of the effect that the channel is assumed to keep, weighted alike; NULL where no model estimated it.",
        nullable=True,
    )
    predicted_baseline: Double = column(
        "Mean `baseline_risk` of the held out as published, to set beside `holdout_mean`.", nullable=True
    )
    excludes_prediction: Bool = column(
        "The interval lies wholly to one side of the prediction; NULL where that cannot be judged.", nullable=True
    )
    is_alarm: Bool = column("Enough of the last windows exclude their prediction.")
    run_id: Str = column("Run that computed the row.")


@table(
    "ops.drift",
    key=("data_source", "run_date", "kind", "program", "variable"),
    partition_by=("data_source", "run_date"),
    rules=(
        Rule("alarm_is_moved", "is_moved or not is_alarm", "An alarm is raised by a variable that has moved."),
        Rule("reference_before_night", "reference_last < run_date", "What is compared with lies before the night."),
    ),
)
class Drift(Contract):
    """How far a feature or score of a night lies from its reference, per variable.

    Features are compared with those of the training's index dates in the same months of the year, scores with the first
    night that the same model version scored. Quantile bins of the reference, missing values a bin of their own.
    """

    data_source: Str = column("Ingestion source of the members.", isin=SOURCES)
    run_date: Date = column("The night.")
    kind: Str = column("What the variable is.", isin=DRIFT_KINDS)
    program: Str = column("Program of a score; `all` for a feature.", str_matches=PROGRAMS_MATCH)
    variable: Str = column("Feature, or `cate` or `baseline_risk`.")
    reference_first: Date = column("First date of the reference.")
    reference_last: Date = column("Last date of the reference.")
    reference_count: Int = column("Member-dates in the reference.", unit="count", ge=1)
    night_count: Int = column("Members tonight.", unit="count", ge=1)
    psi: Double = column("Population stability index; below 0.1 stable, from 0.25 on moved.", ge=0.0)
    reference_mean: Double = column("Mean of the values present in the reference.", nullable=True)
    night_mean: Double = column("Mean of the values present tonight.", nullable=True)
    mean_z: Double = column("Change of the mean in standard errors; NULL where it has none.", nullable=True)
    is_moved: Bool = column("Beyond the limits of the programs file.")
    is_alarm: Bool = column("Moved on enough of the last nights.")
    run_id: Str = column("Run that computed the row.")
