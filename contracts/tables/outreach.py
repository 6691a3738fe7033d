"""`outreach`: what people read. Written by the publish step only, one atomic partition per source and night."""

from __future__ import annotations

from contracts.model import Contract, Phi, Rule, column, table
from contracts.tables.shapes import CHANNELS, PROGRAMS_MATCH, SOURCES
from contracts.types import Date, Double, Int, Str

DECISIONS = ("outreach", "explore", "holdout", "below_capacity", "suppressed", "outside_support", "not_eligible")
VERDICTS = ("publish", "fallback", "blocked")
INTERVAL_KINDS = ("posterior", "forest_honest", "average_effect", "none")


@table(
    "outreach.priority",
    key=("data_source", "run_date", "program", "member_id"),
    owner="care-management",
    version="1.2.0",
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
            "decision not in ('outreach', 'explore') or verdict <> 'publish' or expected_net_value_usd > 0",
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
        Rule(
            "called_has_channel",
            "(decision in ('outreach', 'explore')) = (channel is not null)",
            "Whoever is called is called through a channel, and nobody else is.",
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
        "Benefit times the program's dollar value, times the share of the effect that the channel is assumed to keep, less the cost of a contact: through `channel`, or through the best one open to the member.",
        unit="usd",
        nullable=True,
    )
    priority_rank: Int = column(
        "1 is first, within source, night and program, among members who could be offered.", nullable=True, ge=1
    )
    decision: Str = column("What to do tonight.", isin=DECISIONS)
    channel: Str = column("How to make the offer; NULL where none is made.", nullable=True, isin=CHANNELS)
    assignment_probability: Double = column(
        "Probability of an offer under tonight's policy, over the member's own holdout draw and the exploration, given everything else; the same for those held out.",
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
    version="1.1.1",
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
        "Eligible members not to be contacted (consent, language, cool-down).", unit="count", ge=0
    )
    outside_support_count: Int = column("Eligible members unlike those the model learnt from.", unit="count", ge=0)
    holdout_count: Int = column("Members held out.", unit="count", ge=0)
    outreach_count: Int = column("Members to be called.", unit="count", ge=0)
    explore_count: Int = column("Members offered at random below the cut.", unit="count", ge=0)
    capacity: Int = column("Offers of the program that a night allows.", unit="count", ge=0)
    expected_benefit: Double = column(
        "Sum of estimated benefit over those called, each times the share that the channel is assumed to keep, in the outcome's unit.",
        nullable=True,
    )
    expected_net_value_usd: Double = column("Sum of expected net value over those called.", unit="usd", nullable=True)
    full_effect_count: Double = column(
        "Offers by rank, each counted as the share of the effect that its channel is assumed to keep.",
        unit="count",
        ge=0.0,
    )
    outreach_cost_usd: Double = column("Cost of the contacts by rank.", unit="usd", ge=0.0)
    planned_cost_usd: Double = column("The same with the exploration.", unit="usd", ge=0.0)
    marginal_value_usd: Double = column(
        "What one more offer through the program's first channel would add to the expected net value of all programs, by the models' own estimates, if it came with its place, its minutes and its dollars. `outreach.capacity_price` prices the place alone, whose minutes and dollars have to come from other offers, and so is never larger for the same program and night. NULL where nothing is ranked by effect.",
        unit="usd",
        nullable=True,
    )
    run_id: Str = column("Run that published the row.")


@table(
    "outreach.capacity_price",
    key=("data_source", "run_date", "resource_kind", "resource"),
    version="1.0.1",
    owner="care-management",
    partition_by=("data_source", "run_date"),
    rules=(Rule("within_limit", "used_quantity <= limit_quantity + 0.000001", "No limit is exceeded."),),
)
class CapacityPrice(Contract):
    """What was scarce tonight: one row per limit (a program's places, a team's hours, the budget), its use and its price."""

    data_source: Str = column("Ingestion source.", isin=SOURCES)
    run_date: Date = column("The night.")
    resource_kind: Str = column("What is limited.", isin=("program", "team", "budget"))
    resource: Str = column("Program or team; `all` for the budget.", str_matches=r"^[a-z][a-z0-9_]*$")
    unit: Str = column("Of limit and use.", isin=("offers", "hours", "usd"))
    limit_quantity: Double = column("What there is tonight.", ge=0.0)
    used_quantity: Double = column("Used by those called, exploration included.", ge=0.0)
    marginal_value_usd: Double = column(
        "Shadow price: what one more of this limit alone (a place, an hour, a dollar), all other limits as they are, would add to the expected net value of all programs, by the models' own estimates, members divisible. `outreach.program_summary` values an offer that comes with place, minutes and dollars together. NULL where nothing that is ranked by effect uses it.",
        unit="usd",
        nullable=True,
        ge=0.0,
    )
    run_id: Str = column("Run that published the row.")
