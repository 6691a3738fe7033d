"""`causal`: cohorts, out-of-fold predictions, evaluations, gates and models, as training left them."""

from __future__ import annotations

from contracts.model import Contract, Phi, Rule, column, table
from contracts.tables.outreach import INTERVAL_KINDS, VERDICTS
from contracts.tables.shapes import PROGRAMS_MATCH, SOURCES
from contracts.types import Bool, Date, Double, Int, Str, Strings, Timestamp


class Trained(Contract):
    """What every row of a training says of where it comes from."""

    data_source: Str = column("Ingestion source trained on.", isin=SOURCES)
    program: Str = column("Program key.", str_matches=PROGRAMS_MATCH)
    trained_as_of: Date = column("Date as of which the training saw the world.")
    run_id: Str = column("Run that trained.")


@table(
    "causal.cohort",
    key=("data_source", "program", "trained_as_of", "member_id", "index_date"),
    partition_by=("data_source", "program", "trained_as_of"),
)
class Cohort(Trained):
    """One row per person-trial of the sequence of target trials."""

    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    index_date: Date = column("Time zero.", phi=Phi.DATE)
    is_offered: Bool = column("Offered within the grace window (intention to treat).")
    is_randomized: Bool = column("The assignment was randomised and its probability logged.")
    assignment_probability: Double = column(
        "Logged probability of the offer where randomised.", nullable=True, unit="probability"
    )
    outcome: Double = column("Outcome over the horizon, in the program's unit.")
    followup_days: Int = column("Days observed: to the horizon, death or disenrolment.", unit="days", ge=1)
    is_trained_on: Bool = column("In the sample that the model was trained on.")


@table("causal.cohort_flow", key=("data_source", "program", "trained_as_of", "step_number"))
class CohortFlow(Trained):
    """How many person-trials each step of the cohort left, in order (CONSORT style)."""

    step_number: Int = column("Order of the step, from 1.", ge=1)
    step: Str = column("What the step asks, in plain words.")
    remaining_count: Int = column("Person-trials left after the step.", unit="count", ge=0)
    offered_count: Int = column("Of these, offered.", unit="count", ge=0)


@table(
    "causal.oof_prediction",
    key=("data_source", "program", "trained_as_of", "member_id", "index_date"),
    partition_by=("data_source", "program", "trained_as_of"),
)
class OofPrediction(Trained):
    """Out-of-fold predictions of the selected learner on the person-trials it was trained on."""

    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    index_date: Date = column("Time zero.", phi=Phi.DATE)
    propensity: Double = column("Probability of the offer, known or estimated out of fold.", unit="probability")
    in_support: Bool = column("Within the population in which both arms occur.")
    baseline: Double = column("Predicted outcome without outreach.")
    cate: Double = column("Out-of-fold effect.", nullable=True)


@table("causal.evaluation", key=("data_source", "program", "trained_as_of", "ranking", "metric"), version="1.0.1")
class Evaluation(Trained):
    """Held-out metrics of the model's ranking beside random, constant and baseline-risk rankings."""

    ranking: Str = column(
        "`model`, `random`, `constant`, `baseline_risk`, or `model_minus_<other>` for paired differences."
    )
    metric: Str = column(
        "`autoc`, `qini`, `top_fraction_effect`, `gain`, `blp_slope`, `gates_<k>` (fifths of predicted benefit), `curve_<q>`"
        " (benefit per person in support of calling the first q % of them), `decile_<k>` and `decile_<k>_predicted`."
    )
    value: Double = column("Estimate, positive is benefit.", nullable=True)
    se: Double = column("Standard error, clustered by person.", nullable=True)
    ci_lower: Double = column("Lower 95 % limit.", nullable=True)
    ci_upper: Double = column("Upper 95 % limit.", nullable=True)


@table("causal.gate_result", key=("data_source", "program", "trained_as_of", "gate"))
class GateResult(Trained):
    """One row per gate of a training: may this model be believed, and why."""

    gate: Str = column("Gate name.")
    gate_number: Int = column("Order of the gate.", ge=0)
    status: Str = column("`pass`, `fail` or `inconclusive`.", isin=("pass", "fail", "inconclusive"))
    is_hard: Bool = column("A failed hard gate blocks the program.")
    value: Double = column("What was measured.", nullable=True)
    threshold: Double = column("What it was held against.", nullable=True)
    sentence: Str = column("One plain sentence.")


@table("causal.equity", key=("data_source", "program", "trained_as_of", "dimension", "group_name", "ranking"), rules=(
    Rule("small_groups_have_no_numbers", "not is_too_small or (people_count is null and selected_count is null)",
         "A group of whom too few would be called is named without a number."),
))  # fmt: skip
class Equity(Trained):
    """Who would be called, by group, under the model's ranking and under risk ranking, on members kept aside.

    Outcome units; benefit is positive where good, need where bad.
    """

    dimension: Str = column("`sex`, `age_band`, `race`, `ethnicity`, `area_deprivation`.")
    group_name: Str = column(
        "Level of the dimension; `not recorded` where the source does not say, `other (small groups)` for levels of too few people together."
    )
    ranking: Str = column("`model` or `baseline_risk`.", isin=("model", "baseline_risk"))
    is_too_small: Bool = column("Fewer than 11 members would be called, or fewer than 50 were there to look at.")
    people_count: Int = column("Members kept aside.", unit="count", nullable=True, ge=50)
    selected_count: Int = column("Of these, within the capacity.", unit="count", nullable=True, ge=11)
    selection_rate: Double = column("Share within the capacity.", unit="share", nullable=True)
    selection_ratio: Double = column("That share over everyone's.", unit="ratio", nullable=True, ge=0.0)
    need: Double = column("Mean predicted outcome without outreach.", nullable=True)
    need_selected: Double = column("The same among those within the capacity.", nullable=True)
    need_at_cut: Double = column("The same among those just above and below the cut.", nullable=True)
    benefit_selected: Double = column("Measured benefit (AIPW) of those within the capacity.", nullable=True)
    benefit_selected_se: Double = column("Its standard error, clustered by person.", nullable=True, ge=0.0)
    calibration_gap: Double = column(
        "Measured less predicted benefit in the group, less the same in everyone; model only.", nullable=True
    )
    calibration_gap_se: Double = column("Its standard error, clustered by person.", nullable=True, ge=0.0)


@table("causal.balance", key=("data_source", "program", "trained_as_of", "covariate"))
class Balance(Trained):
    """How alike offered and not offered are in each covariate, before and after weighting by the chance of an offer."""

    covariate: Str = column("Encoded covariate: a feature, its flag for a missing value, or one of its levels.")
    smd_before: Double = column(
        "Absolute difference in means over the pooled standard deviation.", unit="ratio", ge=0.0
    )
    smd_after: Double = column("The same after weighting.", unit="ratio", ge=0.0)
    smd_after_se: Double = column("Its approximate standard error.", unit="ratio", ge=0.0)


@table("causal.model", key=("data_source", "program", "trained_as_of"))
class Model(Trained):
    """One row per trained model: what it is and what was decided about it."""

    model_version: Str = column("Registry name and version.")
    learner: Str = column("Learner chosen by out-of-fold doubly robust loss.")
    verdict: Str = column("Verdict of the gates.", isin=VERDICTS)
    verdict_sentence: Str = column("Why, in one sentence.")
    is_champion: Bool = column("Promoted at the end of this training.")
    trial_count: Int = column("Person-trials trained on.", unit="count", ge=0)
    offered_count: Int = column("Of these, offered.", unit="count", ge=0)
    ate: Double = column("Average effect in the outcome's natural sign.", nullable=True)
    ate_se: Double = column("Its standard error, clustered by person.", nullable=True)
    feature_version: Str = column("Version of the feature definitions.")
    feature_table_version: Int = column("Delta version of the feature table trained on.", ge=0)
    trained_at: Timestamp = column("Wall clock of the training (UTC).")
    seed: Int = column("Root of the random draws.")


@table(
    "causal.member_score",
    key=("data_source", "run_date", "program", "member_id"),
    version="1.2.0",
    partition_by=("data_source", "run_date"),
)
class MemberScore(Contract):
    """Scores of a night before allocation: the staging table of `outreach.priority`."""

    data_source: Str = column("Ingestion source.", isin=SOURCES)
    run_date: Date = column("The night.")
    program: Str = column("Program key.", str_matches=PROGRAMS_MATCH)
    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    is_eligible: Bool = column("The program is for this member tonight.")
    blocked_by: Str = column(
        "Why an eligible member must not be contacted: `consent`, `language`, `cooldown`; or why not eligible: `deceased`, `hospice`, `disenrolled`, `incomplete` (claims of the last year), `criteria`; NULL when free.",
        nullable=True,
    )
    allowed_channels: Strings = column("Channels open to the member: not refused, and in a language the member speaks.")
    is_in_support: Bool = column("Like those the model learnt from; NULL when no model scored.", nullable=True)
    cate: Double = column("Estimated effect.", nullable=True)
    cate_lower: Double = column("Lower 95 % limit.", nullable=True)
    cate_upper: Double = column("Upper 95 % limit.", nullable=True)
    interval_kind: Str = column("How the interval was made.", isin=INTERVAL_KINDS)
    baseline_risk: Double = column("Predicted outcome without outreach.", nullable=True)
    rank_value: Double = column(
        "What the program ranks by tonight: net value in dollars (expected, or at the effect's lower limit) through the best channel, or the fallback rule.",
        nullable=True,
    )
    expected_net_value_usd: Double = column(
        "Benefit in dollars less the cost of a contact, through the best channel.", unit="usd", nullable=True
    )
    reason_1: Str = column("First reason.", nullable=True)
    reason_2: Str = column("Second reason.", nullable=True)
    reason_3: Str = column("Third reason.", nullable=True)
    verdict: Str = column("How the program ranks tonight.", isin=VERDICTS)
    verdict_sentence: Str = column("Why, in one sentence.")
    model_version: Str = column("Registry name and version; `none` when no model scored.")
