"""`truth`: what the simulator knows and nobody else can; only tests and benchmarks read it."""

from __future__ import annotations

from contracts.model import Contract, Phi, Rule, column, table
from contracts.tables.shapes import PROGRAMS_MATCH, SOURCES
from contracts.types import Bool, Date, Double, Int, Str


@table("truth.potential_outcome", key=("data_source", "member_id", "program", "index_date"), partition_by=("data_source",), rules=(
    Rule("effect_is_difference", "abs(effect - (expected_y1 - expected_y0)) < 1e-9", "The effect is expected y1 minus expected y0."),
))  # fmt: skip
class PotentialOutcome(Contract):
    """One row per member, program and monthly index date: the outcome without and with an offer.

    Expected values are means given all that the simulator knows at the index date, over what is still random, including
    whether the offer reaches the member (intention to treat). Realised values use the same random draws in both arms.
    """

    data_source: Str = column("Source that the member belongs to.", isin=SOURCES)
    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    program: Str = column("Program key.", str_matches=PROGRAMS_MATCH)
    index_date: Date = column("Time zero: the first of a month.")
    horizon_days: Int = column("Follow-up from time zero.", unit="days", ge=1)
    expected_y0: Double = column("Mean outcome in the horizon without an offer, in the program's unit.", ge=0.0)
    expected_y1: Double = column("Mean outcome in the horizon with an offer, in the program's unit.", ge=0.0)
    effect: Double = column("`expected_y1` - `expected_y0`; negative is good where lower outcomes are better.")
    realized_y0: Double = column("Outcome drawn without an offer; NULL when the horizon is not over.", nullable=True)
    realized_y1: Double = column(
        "Outcome drawn with an offer, same draws; NULL when the horizon is not over.", nullable=True
    )
    reach_prob: Double = column("Probability that an offer reaches the member.", unit="probability", ge=0.0, le=1.0)
    is_eligible: Bool = column("Eligible by the simulator's own rule at the index date.")
    is_harmed_slice: Bool = column("The member is in the slice that the program harms.")


@table("truth.unmeasured", key=("data_source", "member_id"), partition_by=("data_source",))
class Unmeasured(Contract):
    """One row per member: what moves both the care managers' choice and the outcomes, and is in no data."""

    data_source: Str = column("Source that the member belongs to.", isin=SOURCES)
    member_id: Str = column("Member identifier.", phi=Phi.PLAN_ID)
    hidden: Double = column("Hidden confounder, standard normal.")
    frailty: Double = column("Latent frailty, standard normal; only its consequences are in the data.")
    primary_care: Double = column("Latent inclination to use primary care, standard normal.")
