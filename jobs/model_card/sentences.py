"""The words of a card that follow from a program and its cohort: the question, its limits, its uses. Pure."""

from __future__ import annotations

from contracts.programs import Program
from jobs.model_card.facts import TrialAspect

_MEASURES = {"count": "number of events that begin", "days": "days of events"}


def estimand(program: Program) -> str:
    """What is estimated, in one sentence."""
    return (
        f"For each eligible member, the expected difference in {program.outcome.unit} between being offered"
        f" {_lower(program.title)} and not being offered it, given what was known of the member at time zero"
        " (conditional average effect of the offer, intention to treat)."
    )


def trial_table(
    program: Program, *, randomised_share: float, index_words: str, learner: str
) -> tuple[TrialAspect, ...]:
    """The target trial and its emulation (Hernán and Robins 2016), aspect by aspect.

    Args:
        program: as configured.
        randomised_share: of the person-trials trained on.
        index_words: the index dates in words.
        learner: name of the chosen learner; `none` where none could be fitted.
    """
    outcome = program.outcome
    horizon = f"{outcome.horizon_days} days"
    events = ", ".join(event.replace("_", " ") for event in outcome.event_types)
    return (
        TrialAspect(
            "Eligibility",
            f"Living members with at least {program.min_lookback_days} covered days in the last year, complete claims,"
            f" not in hospice, not offered the program within {program.washout_days} days, for whom: {program.eligibility}",
            "The same, from features that use only what was known before each index date",
        ),
        TrialAspect(
            "Time zero",
            "The day on which the offer is decided; eligibility, assignment and follow-up start together",
            f"Monthly index dates: {index_words}",
        ),
        TrialAspect(
            "Assignment",
            f"Offered or not at random. The offer: {program.offer}",
            _assignment(program, randomised_share),
        ),
        TrialAspect(
            "Follow-up",
            f"From time zero to {horizon}, death or disenrolment, in both arms",
            f"The same; an index date trains only {program.runout_days} days after its follow-up ended, when claims are in",
        ),
        TrialAspect(
            "Outcome",
            f"{outcome.unit[:1].upper()}{outcome.unit[1:]}; {outcome.better} is better",
            f"{_MEASURES[outcome.measure].capitalize()} within follow-up: {events}",
        ),
        TrialAspect(
            "Contrast", "Being offered against not being offered, reached or not", "The same (intention to treat)"
        ),
        TrialAspect(
            "Analysis",
            "Difference in means",
            "No model was fitted"
            if learner == "none"
            else f"Doubly robust scores, cross-fitted by member; effects by {learner.replace('_', ' ')}, chosen by"
            " out-of-fold loss and judged on half of the members, kept aside; standard errors clustered by member",
        ),
    )


def _assignment(program: Program, randomised_share: float) -> str:
    offered = f"Offered within {max(program.grace_days, 1)} days of the index date"
    if randomised_share >= 1:
        return f"{offered}, as drawn at random with a logged probability, which is used as given"
    others = (
        "by care managers' choice; compared with members alike in the features below, under the assumption that"
        " nothing else decided who was offered"
    )
    if randomised_share <= 0:
        return f"{offered}, {others}"
    share = "less than 1%" if randomised_share < 0.01 else f"{randomised_share:.0%}"
    return f"{offered}: {share} of person-trials at random with a logged probability; the others {others}"


def limits(
    program: Program, *, randomised_share: float, is_simulated: bool, interval_kind: str, verdict: str
) -> tuple[str, ...]:
    """What a reader must keep in mind; each line follows from a fact of this training."""
    found = []
    if is_simulated:
        found.append("The members are simulated: nothing here says what the program does to real people.")
    if randomised_share < 1:
        found.append(
            "Offers were not all random. The placebo and refutation tests look for hidden selection; they cannot prove"
            " that there is none."
        )
    if verdict == "fallback":
        found.append("Not every test was passed that would let this model rank, so it does not rank.")
    if verdict == "blocked":
        found.append("A test that must not fail has failed: nothing estimated here is to be believed.")
    found.append(
        f"Effects are of the offer, not of a conversation, and over {program.outcome.horizon_days} days, not longer."
    )
    found.append("Members unlike those the model learnt from get no estimate; it is not extended to them.")
    if interval_kind == "none":
        found.append("The learner has no valid interval for one member's effect, so none is printed.")
    else:
        found.append(
            "One member's interval is wide: the ranking is evidence about groups, not a forecast for a person."
        )
    found.append(
        "It learnt from one plan's claims as they were coded then; another plan, or another coding, needs its own."
    )
    found.append(
        f"Dollar values use the planning value of ${program.outcome.usd_per_unit:,.0f} per unit; they rank, they prove nothing."
    )
    return tuple(found)


def uses(program: Program, data_source: str) -> tuple[str, ...]:
    """What the model is made for."""
    return (
        f"To rank eligible members of source {data_source} each night for the program “{program.title}”,"
        f" within what the team can do, so that those whom the offer helps most are called first.",
        "To estimate for a group of members what offers would change on average.",
    )


def misuses() -> tuple[str, ...]:
    """What the model must not be used for."""
    return (
        "To deny, delay or ration care, coverage or benefits.",
        "To predict who will be ill, or as a measure of need: high risk is not high benefit.",
        "For members, programs, outcomes or times other than those above.",
        "To judge a care manager or a provider.",
    )


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]
