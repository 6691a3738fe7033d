"""`outreach`: what people read. Written by the publish step only, one atomic partition per source and night."""

from __future__ import annotations

from contracts.model import Contract, Phi, Rule, column, table
from contracts.tables.shapes import PROGRAMS_MATCH, SOURCES
from contracts.types import Date, Double, Int, Str

DECISIONS = ("outreach", "explore", "holdout", "below_capacity", "suppressed", "outside_support", "not_eligible")
VERDICTS = ("publish", "fallback", "blocked")
INTERVAL_KINDS = ("posterior", "forest_honest", "average_effect", "none")


@table(
    "outreach.priority",
    key=("data_source", "run_date", "program", "member_id"),
    owner="care-management",
    version="1.1.0",
    partition_by=("data_source", "run_date"),
    quarantine_limit=0.0,
    rules=(
        Rule(
            "interval_holds_estimate",
            "cate between cate_lower and cate_upper",
            "The estimate lies within its interval.",
        ),
        Rule(
            "interval_has_kind",
            "(cate_lower is null) = (interval_kind = 'none')",
            "An interval says how it was made; no interval is invented.",
        ),
        Rule(
            "outreach_has_value",
            "decision <> 'outreach' or verdict <> 'publish' or expected_net_value_usd > 0",
            "Nobody is called at a negative expected value.",
        ),
        Rule(
            "blocked_calls_nobody",
            "verdict <> 'blocked' or decision not in ('outreach', 'explore')",
            "A blocked program sends nothing new out.",
        ),
        Rule(
            "listed_has_rank",
            "decision not in ('outreach', 'below_capacity', 'holdout') or priority_rank is not null or verdict = 'blocked'",
            "Whoever could be called has a rank.",
        ),
        Rule("listed_has_reason", "decision <> 'outreach' or reason_1 is not null", "Whoever is called has a reason."),
        Rule(
            "outside_support_not_extrapolated",
            "decision <> 'outside_support' or cate is null",
            "Nobody unlike the trained population gets an effect.",
        ),
    ),
)
class Priority(Contract):
    """Tonight's answer: one row per member, program and night, with the estimated effect, value, rank and decision."""

    data_source: Str = column("Ingestion source of the member.", isin=SOURCES)
    run_date: Date = column("The night: the day on which the list is worked.")
    program: Str = column("Program key.", str_matches=PROGRAMS_MATCH)
    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    cate: Double = column(
        "Estimated effect of being offered outreach on the outcome, in its unit and natural sign (for outcomes where lower is better, negative is good); NULL when no model may estimate it.",
        nullable=True,
    )
    cate_lower: Double = column(
        "Lower 95 % limit of `cate`; NULL when the learner has no valid interval.", nullable=True
    )
    cate_upper: Double = column("Upper 95 % limit of `cate`.", nullable=True)
    interval_kind: Str = column("How the interval was made.", isin=INTERVAL_KINDS)
    baseline_risk: Double = column(
        "Predicted outcome without outreach, in its unit. High risk is not high benefit.", nullable=True
    )
    expected_net_value_usd: Double = column(
        "Benefit times the program's dollar value less the cost of a contact.", unit="usd", nullable=True
    )
    priority_rank: Int = column(
        "1 is first, within source, night and program, among members who could be offered.", nullable=True, ge=1
    )
    decision: Str = column("What to do tonight.", isin=DECISIONS)
    assignment_probability: Double = column(
        "Probability with which tonight's policy would offer this member; logged for later evaluation.",
        unit="probability",
        in_range={"min_value": 0.0, "max_value": 1.0},
    )
    reason_1: Str = column("First reason, in words for a care manager.", nullable=True)
    reason_2: Str = column("Second reason.", nullable=True)
    reason_3: Str = column("Third reason.", nullable=True)
    verdict: Str = column(
        "`publish`: ranked by effect; `fallback`: by the program's simple rule; `blocked`: nothing new goes out.",
        isin=VERDICTS,
    )
    verdict_sentence: Str = column("Why the program is ranked so tonight, in one sentence.")
    model_version: Str = column("Registry name and version of the model; `none` when no model served.")
    contract_version: Str = column("Version of this contract.")
    feature_version: Str = column("Version of the feature definitions.")
    run_id: Str = column("Run that published the row; see `ops.run_ledger`.")


@table(
    "outreach.program_summary",
    key=("data_source", "run_date", "program"),
    owner="care-management",
    partition_by=("data_source", "run_date"),
)
class ProgramSummary(Contract):
    """One row per source, night and program: the counts and sums that the report prints."""

    data_source: Str = column("Ingestion source.", isin=SOURCES)
    run_date: Date = column("The night.")
    program: Str = column("Program key.", str_matches=PROGRAMS_MATCH)
    verdict: Str = column("Verdict tonight.", isin=VERDICTS)
    verdict_sentence: Str = column("Why, in one sentence.")
    model_version: Str = column("Model that served.")
    member_count: Int = column("Members looked at.", unit="count", ge=0)
    eligible_count: Int = column("Members the program is for.", unit="count", ge=0)
    suppressed_count: Int = column(
        "Eligible members not to be contacted (consent, cool-down, other program).", unit="count", ge=0
    )
    outside_support_count: Int = column("Eligible members unlike those the model learnt from.", unit="count", ge=0)
    holdout_count: Int = column("Members held out.", unit="count", ge=0)
    outreach_count: Int = column("Members to be called.", unit="count", ge=0)
    explore_count: Int = column("Members offered at random below the cut.", unit="count", ge=0)
    capacity: Int = column("Offers the team can make.", unit="count", ge=0)
    expected_benefit: Double = column(
        "Sum of estimated benefit over those called, in the outcome's unit.", nullable=True
    )
    expected_net_value_usd: Double = column("Sum of expected net value over those called.", unit="usd", nullable=True)
    marginal_value_usd: Double = column(
        "Shadow price: what one more offer of this team would be worth.", unit="usd", nullable=True
    )
    run_id: Str = column("Run that published the row.")
