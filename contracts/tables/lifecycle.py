"""What happens to a model after training: who approved and promoted it, and how its challenger would have scored."""

from __future__ import annotations

from contracts.model import Contract, Phi, Rule, column, table
from contracts.tables.outreach import VERDICTS
from contracts.tables.shapes import PROGRAMS_MATCH, SOURCES
from contracts.types import Bool, Date, Double, Int, Str, Timestamp

ACTIONS = ("approve", "promote", "rollback")
SHADOW_STATUSES = ("scored", "failed", "unfit")


@table("ops.model_decision", key=("decision_id",), rules=(
    Rule("person_has_login", "actor_kind <> 'person' or login is not null", "A person's decision names the login used."),
    Rule(
        "rollback_has_reason", "action <> 'rollback' or length(trim(note)) > 0", "Whoever rolls back says why."
    ),
    Rule(
        "approval_has_note",
        "action <> 'approve' or length(trim(note)) > 0",
        "An approval says what it rests on.",
    ),
))  # fmt: skip
class ModelDecision(Contract):
    """One row per decision on a model: approved, promoted, rolled back; by whom, when and why. Append-only.

    The registry holds the same decisions as tags of the registered model; a decision is appended here right after it
    was taken, or by the next night when the warehouse could not be reached.
    """

    decision_id: Str = column("One decision.")
    data_source: Str = column("Ingestion source that the model is for.", isin=SOURCES)
    program: Str = column("Program key.", str_matches=PROGRAMS_MATCH)
    action: Str = column("What was decided.", isin=ACTIONS)
    model_version: Str = column("Registry name and version decided on; `none`: the fallback rule is to rank.")
    previous_version: Str = column("What served before; `none` when nothing did.")
    verdict: Str = column("Verdict of the model's gates when it was decided.", isin=(*VERDICTS, "none"))
    actor: Str = column("Who decided: the name given, or `auto-approval`.")
    actor_kind: Str = column(
        "`person`, or `auto` where the settings let models serve unasked.", isin=("person", "auto")
    )
    login: Str = column("Account on the machine at which it was decided; NULL for `auto`.", nullable=True)
    note: Str = column("What the decision rests on, in the words of who decided.")
    outcome: Str = column(
        "`done`; `interrupted`: the command was ended before anything was changed.", isin=("done", "interrupted")
    )
    decided_at: Timestamp = column("When (UTC).")


class Shadowed(Contract):
    """Which night, program and challenger a row is about."""

    data_source: Str = column("Ingestion source.", isin=SOURCES)
    run_date: Date = column("The night.")
    program: Str = column("Program key.", str_matches=PROGRAMS_MATCH)
    challenger_version: Str = column("Registry name and version of the model that scored in the shadow.")


@table(
    "causal.shadow_score",
    version="1.1.0",
    key=("data_source", "run_date", "program", "member_id"),
    partition_by=("data_source", "run_date"),
)
class ShadowScore(Shadowed):
    """What the challenger estimated for each eligible member on a night; nobody is called by these scores."""

    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    is_in_support: Bool = column("Like those the challenger learnt from.")
    cate: Double = column("Estimated effect; NULL outside support.", nullable=True)
    cate_lower: Double = column("Lower 95 % limit; NULL without an interval.", nullable=True)
    cate_upper: Double = column("Upper 95 % limit.", nullable=True)
    baseline_risk: Double = column("Predicted outcome without outreach.", nullable=True)
    net_value_usd: Double = column(
        "Benefit in dollars less the cost of a contact, had this model served.", unit="usd", nullable=True
    )
    rank_value: Double = column(
        "What the member would be ranked by, had this model served; NULL outside support and where the chance of harm is above the program's limit.",
        nullable=True,
    )


@table(
    "causal.shadow_comparison",
    key=("data_source", "run_date", "program"),
    partition_by=("data_source", "run_date"),
    rules=(
        Rule("scored_is_counted", "status <> 'scored' or member_count is not null", "A scored night has counts."),
        Rule("unscored_says_why", "status = 'scored' or message is not null", "Where nothing was scored, why."),
    ),
)
class ShadowComparison(Shadowed):
    """What served tonight beside its challenger, per program: would the list be another, and what would it be worth.

    Lists are the first `place_count` members who are free to be called, before the holdout is taken out and before
    programs share members; the challenger ranks as the program would have it, its limit on the chance of harm included.
    """

    served_version: Str = column("Model that served, `none` where the fallback rule ranked without one.")
    served_verdict: Str = column("How tonight's list was ranked.", isin=VERDICTS)
    status: Str = column(
        "`scored`; `failed`: the challenger raised an error; `unfit`: it may not score here.", isin=SHADOW_STATUSES
    )
    message: Str = column("Why it was not scored.", nullable=True)
    member_count: Int = column("Eligible members scored by the challenger.", unit="count", nullable=True, ge=0)
    place_count: Int = column("Calls that the program can make in a night.", unit="count", nullable=True, ge=0)
    list_agreement: Double = column(
        "Members on both lists over the length of the longer; NULL when both are empty.",
        nullable=True,
        in_range={"min_value": 0.0, "max_value": 1.0},
    )
    rank_correlation: Double = column(
        "Spearman's rho of the two estimated effects over members with both; NULL where one is constant.",
        nullable=True,
        in_range={"min_value": -1.0, "max_value": 1.0},
    )
    score_psi: Double = column(
        "Population stability index of the challenger's effects on tenths of those of the model that served.",
        nullable=True,
        ge=0,
    )
    served_value_usd: Double = column(
        "Net value of what served's list by its own estimates; NULL unless it ranks by effect.",
        unit="usd",
        nullable=True,
    )
    challenger_value_usd: Double = column(
        "Net value of the challenger's list by its own estimates.", unit="usd", nullable=True
    )
    served_list_by_challenger_usd: Double = column(
        "Net value of what served's list by the challenger's estimates.", unit="usd", nullable=True
    )
    challenger_list_by_served_usd: Double = column(
        "Net value of the challenger's list by the estimates of what served.", unit="usd", nullable=True
    )
