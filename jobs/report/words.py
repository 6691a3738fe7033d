"""The report's sentences: plain words for a program manager. Pure."""

from __future__ import annotations

from datetime import date
from math import floor, log10
from typing import Protocol

from contracts.programs import LEAST_REACH, MOST_REACH
from jobs.report.night import Changes, Interval, NightReport, PastWindow, Plan, ProgramNight, Scarce
from jobs.report.reason_words import DIMENSION_WORDS, group, in_words


class Followed(Protocol):
    """A program whose past lists were followed up."""

    @property
    def plan(self) -> Plan:
        """Its settings."""
        ...

    @property
    def past(self) -> tuple[PastWindow, ...]:
        """Months that have run out, oldest first."""
        ...


HIDDEN = "hidden"
_NOTHING = 1e-6  # of any outcome and anybody: what rounding leaves of zero
VERDICT_WORDS = {
    "publish": "Ranked by expected benefit",
    "fallback": "Ranked by a simple rule",
    "blocked": "Stopped: no calls",
}
STATUS_WORDS = {"pass": "Passed", "fail": "Failed", "inconclusive": "Not clear"}
RANKING_WORDS = {
    "model": "This model",
    "baseline_risk": "Calling those at highest risk",
    "random": "Calling at random",
}


def plain(sentence: str) -> str:
    """A gate's or model's sentence without column names and small counts."""
    return in_words(sentence)


def day(value: date) -> str:
    """`Monday 23 November 2026`."""
    return f"{value:%A} {value.day} {value:%B %Y}"


def brief_day(value: date) -> str:
    """`23 November 2026`."""
    return f"{value.day} {value:%B %Y}"


def short(value: float) -> str:
    """Two significant digits below 100, whole numbers above: more would claim a precision that is not there."""
    if abs(value) < _NOTHING:
        return "0"
    size = floor(log10(abs(value)))
    digits = max(0, 1 - size)
    return f"{round(value, digits):,.{digits}f}" if size < 2 else f"{round(value, -(size - 2)):,.0f}"


def dollars(value: float) -> str:
    """Whole dollars, three digits of large sums; the minus stands before the sign."""
    size = abs(value)
    rounded = size if size < 1000 else round(size, 2 - floor(log10(size)))
    return f"{'−' if value < -0.5 else ''}${rounded:,.0f}"


def people(count: int | None) -> str:
    """`57 people`; `1 person` never occurs, it is hidden."""
    return "a small group of people" if count is None else "nobody" if count == 0 else f"{count:,} people"


def called(count: int | None) -> str:
    """The big figure of a program. Not `< 11`: a larger count can be hidden to protect a smaller one."""
    return "few" if count is None else f"{count:,}"


def number(count: int | None) -> str:
    """A count of a table."""
    return HIDDEN if count is None else f"{count:,}"


def about(count: int | None) -> str:
    """A count that was rounded, in a sentence."""
    return "fewer than 11" if count is None else f"about {count:,}"


def benefit(value: float, plan: Plan) -> str:
    """`2.4 fewer emergency visits in 90 days`; harm reads as `more`."""
    good, bad = ("fewer", "more") if plan.better == "lower" else ("more", "fewer")
    return f"{short(abs(value))} {good if value >= 0 else bad} {plan.unit}"


def signed(value: float) -> str:
    """A number with a typographic minus."""
    return short(value).replace("-", "−")


def limits(found: Interval, plan: Plan) -> str:
    """`between 1.2 and 3.4` when both ends are benefit, with their directions when they are not."""
    if found.lower is None or found.upper is None:
        return ""
    if found.lower >= 0:
        return f"between {short(found.lower)} and {short(found.upper)}"
    low, high = (benefit(x, plan).removesuffix(f" {plan.unit}") for x in (found.lower, found.upper))
    return f"between {low} and {high}"


def headline(program: ProgramNight) -> str:
    """How many are called tonight."""
    if program.verdict == "blocked" or program.called == 0:
        return "Nobody will be called tonight."
    return f"{people(program.called)[0].upper()}{people(program.called)[1:]} will be called tonight."


def expectation(program: ProgramNight) -> str:
    """What the calls are expected to bring, or plainly that nothing is claimed and why."""
    plan = program.plan
    if program.verdict == "blocked":
        return "No benefit is claimed: the estimates cannot be trusted tonight, so nothing new goes out."
    if program.verdict == "fallback":
        return f"The list follows a simple rule, and no benefit is claimed. {plan.fallback_reason}."
    if program.called == 0:
        return "Nobody can be called tonight who is expected, surely enough, to benefit by more than the call costs."
    if program.called is None:
        return "The group is too small to print what is expected of it."
    if program.benefit_each is not None and program.benefit is None:
        return "All of tonight's calls are drawn at random to keep testing the model; no benefit is claimed for them."
    if program.benefit is None:
        return "No benefit is printed: the test of the model that made this list on people kept aside is not on record."
    words = f"Expected together: {benefit(program.benefit.value, plan)}"
    return f"{words} (95% interval: {limits(program.benefit, plan)})."


def expected_briefly(program: ProgramNight) -> str:
    """`19 fewer emergency visits in 90 days (15 to 23)` for a table; empty where no benefit is claimed."""
    found = program.benefit
    if found is None or program.called is None or found.lower is None or found.upper is None:
        return ""
    return f"{benefit(found.value, program.plan)} ({limits(found, program.plan)})"


def worth(program: ProgramNight) -> str:
    """The expectation in planning dollars, less the cost of calling; empty when none is claimed."""
    value = program.value_usd
    if value is None or value.lower is None or value.upper is None:
        return ""
    plan = program.plan
    low, high = (dollars(x) for x in (value.lower, value.upper))
    return (
        f"Valued at {dollars(plan.usd_per_unit)} each, a planning value, less the cost of the contacts:"
        f" about {dollars(value.value)} (95% interval: {low} to {high})."
    )


def how_sure(program: ProgramNight) -> str:
    """Where the interval comes from; empty when none is printed."""
    each = program.benefit_each
    if each is None or program.benefit is None or program.evidence is None:
        return ""
    told = (
        f"How we know: among people kept aside when the model was trained ({brief_day(program.evidence.trained_as_of)}),"
        f" {front(program.evidence.reach)} whom it ranked highest ({why_front(program.evidence.reach)}) had"
        f" {benefit(each.value, program.plan)} each because of the offer (95% interval: {limits(each, program.plan)})."
        " Tonight's figure is that average times the people called by rank, each counted as the share of the effect that"
        " their channel is assumed to keep."
    )
    if program.estimated is None:
        return told
    return (
        f"{told} The model's own estimates of those called add up to {benefit(program.estimated, program.plan)};"
        " that sum is in the tables for analysts, but no test has measured it."
    )


def front(reach: float | None) -> str:
    """How many of a ranking a training judged: `the half`, `the 23%`."""
    if reach is None:
        return "those"
    if reach >= MOST_REACH - 0.005:
        return "the half"
    return "the tenth" if reach <= LEAST_REACH + 0.005 else f"the {reach:.0%}"


def why_front(reach: float | None) -> str:
    """Why so many of them were judged, without a full stop."""
    if reach is None:
        return "as many as the team can reach within one rest period, but no less than a tenth and no more than half"
    if reach >= MOST_REACH - 0.005:
        return "the team can reach half of them or more within one rest period"
    if reach <= LEAST_REACH + 0.005:
        return "the team can reach a tenth of them or fewer within one rest period"
    return "as many as the team can reach within one rest period"


def changed(changes: Changes | None, program: ProgramNight) -> str:
    """What is different from the last night's list."""
    if changes is None:
        return "This is the first night on record, so there is nothing to compare with."
    since = f"Since the last night ({day(changes.previous_night)})"
    if changes.entered is None or changes.left is None or changes.stayed is None:
        return f"{since} the list changed by too few people, or is too short, to print how."
    if changes.entered == 0 and changes.left == 0:
        return f"{since} the list is the same." if changes.stayed else "Nobody was called on the last night either."
    words = f"{since} {people(changes.entered)} came onto the list, {people(changes.left)} left it and {people(changes.stayed)} stayed."
    if changes.stayed == 0 and changes.left and program.called != 0:
        words += f" Whoever was offered a program rests for {program.plan.cooldown_days} days, so lists do not repeat."
    return words


def past_summary(program: Followed) -> str:
    """Whether past outreach helped, month by month against the holdout."""
    told = [
        w
        for w in program.past
        if w.realized is not None and w.realized.lower is not None and w.realized.upper is not None
    ]
    if not told:
        return "Too few people were offered or held out in the months so far, or had what the program is to change, to print a result."
    last = told[-1]
    assert last.realized is not None
    assert last.realized.lower is not None
    assert last.realized.upper is not None
    words = (
        f"Nights of {last.start:%B %Y}: those offered had {benefit(last.realized.value, program.plan)} per person than those held"
        f" out at random (95% interval: {limits(last.realized, program.plan)})."
    )
    if last.realized.lower > 0:
        words += " It helped."
    elif last.realized.upper < 0:
        words += " It did harm."
    else:
        words += " Whether it helped is not certain from this month alone."
    judged = [(w.realized, w.predicted) for w in told if w.realized is not None and w.predicted is not None]
    outside = sum(not _holds(realized, predicted) for realized, predicted in judged)
    if judged:
        words += f" In {outside} of {len(judged)} months the prediction lay outside the interval."
    if any(w.is_alarm for w in program.past[-1:]):
        words += " That is too often: the model is to be trained again."
    return words


def _holds(found: Interval, value: float) -> bool:
    return found.lower is not None and found.upper is not None and found.lower <= value <= found.upper


def one_more(program: ProgramNight) -> str:
    """The shadow price in words."""
    value = program.marginal_value_usd
    if program.verdict != "publish":
        return "Not known tonight, as it can be told only when the list is ranked by expected benefit."
    if value is None:
        return "Not on record for tonight."
    if value <= 0:
        return "Nothing: everyone whom it may be offered, and who is expected to benefit, can already be reached."
    return (
        f"About {_price(value)}, the model's own estimate of what the next person in line brings through the program's first"
        " channel, less its cost."
    )


def why_prices_differ(program: ProgramNight) -> str:
    """Why one more can be worth more than the average of tonight's list; empty where no price is printed."""
    has_price = bool(program.marginal_value_usd) or any(team.price and team.price >= 0.005 for team in program.teams)
    if program.value_usd is None or not has_price:
        return ""
    return (
        "One more can be worth more than the average of tonight's list: its price is the model's own estimate of somebody near"
        " the front of the line, while the benefit expected above was measured on people kept aside, over"
        f" {front(program.evidence.reach if program.evidence else None)} ranked highest, and counts cheaper channels as the"
        " share of the effect that they keep."
    )


def limit(scarce: Scarce) -> str:
    """`18 hours`, `$5,000`."""
    return f"{scarce.limit:g} hours" if scarce.unit == "hours" else dollars(scarce.limit)


def dimension(name: str) -> str:
    """A dimension of fairness as a heading."""
    return DIMENSION_WORDS.get(name, name.replace("_", " ").capitalize())


def group_label(dimension: str, name: str) -> str:
    """A group at the head of a line: `Asian`, `Fifth 2`."""
    said = group(dimension, name)
    return said[:1].upper() + said[1:]


def hour_price(team: Scarce) -> str:
    """`Nurse line, 18 hours tonight: one more would bring about $413, …`."""
    head = f"{team.name}, {limit(team)} tonight"
    if team.price is None:
        return f"{head}: what one more would bring is not known, as nothing that is ranked by expected benefit uses it."
    if team.price < 0.005:
        return f"{head}: one more would bring nothing, as time holds nobody back."
    return f"{head}: one more would bring about {_price(team.price)}, by the models' own estimates of those whom it would let in."


def _price(value: float) -> str:
    return f"${value:.2f}" if value < 10 else dollars(value)


def one_more_unit(scarce: Scarce) -> str:
    """What one more hour or dollar would bring."""
    unit = "hour" if scarce.unit == "hours" else "dollar"
    if scarce.price is None:
        return "Not known tonight: nothing that is ranked by expected benefit uses it"
    if scarce.price < 0.005:
        return "Nothing: it does not hold anybody back"
    return f"{_price(scarce.price)} for one more {unit}"


def lower_first(words: str) -> str:
    """A sentence as it goes on after a colon."""
    return words[:1].lower() + words[1:]


def ranked_by(program: ProgramNight) -> str:
    """What made tonight's list."""
    if program.verdict == "blocked":
        return "nothing: calls are stopped tonight"
    return program.model_version if program.verdict == "publish" else "the simple rule"


def training_role(program: ProgramNight) -> str:
    """What the training on record is to tonight's list; a heading."""
    if program.evidence is None or not program.evidence.is_served:
        return "Last training, not used tonight"
    return "Trained" if program.verdict == "publish" else "Estimates on record, which did not rank"


def served_words(version: str, verdict: str) -> str:
    """What served beside a challenger."""
    if verdict == "blocked":
        return "nothing: calls were stopped"
    return version if verdict == "publish" else "the simple rule"


def trust(program: ProgramNight) -> str:
    """The verdict and the tests in one or two sentences."""
    found = program.evidence
    if program.verdict == "blocked":
        return (
            "No. A test that must not fail has failed, or nothing may rank: nobody new is called until that is mended."
        )
    if program.verdict == "publish" and (found is None or not found.is_served):
        return "Not known: the tests of the model that made tonight's list are not on record."
    if found is None or not found.gates:
        return "The list can be worked as a rule-based list always could; whom it helps most is not known."
    counts = {status: sum(gate.status == status for gate in found.gates) for status in ("pass", "fail", "inconclusive")}
    told = f"Of {len(found.gates)} tests {counts['pass']} passed, {counts['inconclusive']} gave no clear answer and {counts['fail']} failed."
    if program.verdict == "publish":
        return f"Yes, as far as tests can tell. {told} A model that fails one marked “must not fail” calls nobody."
    return f"The list, yes, as a simple rule; a ranking by benefit, no. {told} A model serves only if the tests that count passed."


def in_total(report: NightReport) -> str:
    """The page's first sentence. The total is left out where it would give away a small program by subtraction."""
    counts = [program.called for program in report.programs]
    shown = [count for count in counts if count is not None]
    if len(shown) < len(counts):
        return "At least one of tonight's lists is too short to print its length."
    ranked = sum(program.verdict == "publish" for program in report.programs)
    how = f"{ranked} of {len(counts)} lists {'is' if ranked == 1 else 'are'} ranked by expected benefit"
    return f"{people(sum(shown))[0].upper()}{people(sum(shown))[1:]} will be called tonight; {how}."
