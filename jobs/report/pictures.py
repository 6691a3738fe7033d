"""Which chart a part of the report gets and what its text summary says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from textwrap import wrap
from typing import Protocol

from markupsafe import Markup

from jobs.report.charts import AXIS_CHARACTERS, Bar, Pair, bars, dumbbells, intervals, paired_bars
from jobs.report.night import Breakdown, Curve, Evidence, GroupCalled, Interval, PastWindow, Plan, ProgramNight, Reason
from jobs.report.plots import Line, Moment, Texts, against_diagonal, curves, over_time, two_sided
from jobs.report.queries import CHANCE_BINS
from jobs.report.reason_words import group
from jobs.report.words import (
    HIDDEN,
    RANKING_WORDS,
    Followed,
    about,
    benefit,
    front,
    group_label,
    number,
    past_summary,
    short,
    signed,
)
from jobs.report.words import dimension as dimension_words


class Planned(Protocol):
    """Anything about one program."""

    @property
    def plan(self) -> Plan:
        """The program's settings."""
        ...


def group_chart(breakdown: Breakdown, program: ProgramNight) -> tuple[Markup, str]:
    """Bars of one breakdown and its summary; no bars where every count is hidden."""
    if breakdown.rows and all(row.count is None for row in breakdown.rows):
        labels = [row.label for row in breakdown.rows]
        listed = labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"
        return Markup(""), f"{listed}: how many of each is hidden, as a small group could be told from it."
    rows = [Bar(row.label, row.count, _with_share(row.count, breakdown.total)) for row in breakdown.rows]
    name = f"{program.plan.key}-{breakdown.title.lower().split()[0]}"
    summary = _largest(breakdown)
    title = f"{program.plan.title}: {breakdown.title}"
    return bars(rows, whole=breakdown.total, name=name, title=title, summary=summary), summary


def reason_chart(program: ProgramNight) -> tuple[Markup, str]:
    """Bars of the reasons that those called share."""
    top = program.called or 0
    rows = [Bar(r.words, float(top if r.is_nearly_all else r.count or 0), _reason_text(r)) for r in program.reasons]
    first = program.reasons[0]
    summary = f"The commonest is “{first.words}”: {_reason_text(first)} of those called."
    name = f"{program.plan.key}-reasons"
    return bars(rows, whole=program.called, name=name, title="Reasons", summary=summary), summary


def ranking_chart(program: Planned, evidence: Evidence) -> tuple[Markup, str]:
    """Benefit per person among the first of each ranking, on people kept aside."""
    rows = [(RANKING_WORDS[key], found) for key, found in evidence.rankings]
    values = ", ".join(
        f"{RANKING_WORDS[key][0].lower()}{RANKING_WORDS[key][1:]} {signed(i.value)}" for key, i in evidence.rankings
    )
    gains = " ".join(_gain(key, found) for key, found in evidence.gain_over)
    among = "" if evidence.reach is None else f" among {front(evidence.reach)} that each ranks highest"
    summary = f"{_measure(program)} per person{among}: {values}. {gains}".strip()
    title = "Benefit per person called, by way of choosing"
    name = f"{program.plan.key}-rankings"
    return intervals(rows, name=name, title=title, summary=summary, axis=_axis(program), strong=(0,)), summary


def fifths_chart(program: Planned, evidence: Evidence) -> tuple[Markup, str]:
    """Measured benefit by fifth of the predicted benefit, the highest first."""
    count = len(evidence.groups)
    places = ["lowest", *[""] * (count - 2), "highest"] if count > 1 else ["all"]
    rows = [
        (f"Group {k + 1} of {count}" + (f" ({places[k]} predicted)" if places[k] else ""), found)
        for k, found in enumerate(evidence.groups)
    ][::-1]
    top, bottom = evidence.groups[-1], evidence.groups[0]
    summary = (
        f"Those predicted to benefit most had {benefit(top.value, program.plan)} per person;"
        f" those predicted to benefit least had {benefit(bottom.value, program.plan)}."
    )
    title, name = "Measured benefit by predicted benefit", f"{program.plan.key}-fifths"
    chart = intervals(rows, name=name, title=title, summary=summary, axis=_axis(program), strong=range(count))
    return chart, summary


def curve_chart(program: Planned, evidence: Evidence) -> tuple[Markup, str]:
    """Benefit curve of the model's order with its band, beside risk and chance; per 1,000 members."""
    lines = [
        Line(RANKING_WORDS[c.ranking], _LINES[c.ranking], _straight(c), c.ranking == "model") for c in evidence.curves
    ]
    texts = Texts(
        f"{program.plan.key}-curve", "Benefit curve", _curve_words(program, evidence), "share of members offered", f"{_measure(program).lower()}, per 1,000 members"
    )  # fmt: skip
    return curves([_times(line, 1000) for line in lines], texts), texts.summary


_LINES = {"model": "mark", "baseline_risk": "risk", "random": "straight"}


def _curve_words(program: Planned, evidence: Evidence) -> str:
    points = {curve.ranking: dict(curve.points) for curve in evidence.curves}
    everyone = evidence.curves[0].points[-1][1].value
    told = [f"Offered to all of 1,000 members: {benefit(1000 * everyone, program.plan)}."]
    share = next((share for share, _ in evidence.curves[0].points if share >= _TOLD_SHARE), 1.0)
    parts = [
        f"{_as_object(key)} {benefit(1000 * found[share].value, program.plan).removesuffix(f' {program.plan.unit}')}"
        for key, found in points.items()
        if key != "random" and share in found
    ]
    parts.append(f"at random {benefit(1000 * share * everyone, program.plan).removesuffix(f' {program.plan.unit}')}")
    told.append(f"To the first {share:.0%}: {', '.join(parts)}.")
    return " ".join([*told, "The shaded band is the 95% interval of this model's order."])


_TOLD_SHARE = 0.3
_BIN = 1 / CHANCE_BINS


def _as_object(ranking: str) -> str:
    words = RANKING_WORDS[ranking]
    return words[:1].lower() + words[1:]


def _straight(curve: Curve) -> Sequence[tuple[float, Interval]]:
    """Chance finds its share of the whole benefit: a line, where one random order would wiggle around it."""
    return curve.points if curve.ranking != "random" else curve.points[-1:]


def _times(line: Line, factor: float) -> Line:
    return replace(line, points=[(share, found.scaled(factor)) for share, found in line.points])


def decile_chart(program: Planned, evidence: Evidence) -> tuple[Markup, str]:
    """Measured against predicted benefit by tenth of the prediction."""
    inside = sum(
        i.lower is not None and i.upper is not None and i.lower <= predicted <= i.upper
        for predicted, i in evidence.deciles
    )
    count = len(evidence.deciles)
    summary = (
        f"In {inside} of {count} groups the interval of what was measured holds what was predicted;"
        f" with well-sized predictions some 19 of 20 would. Benefit is {_measure(program).lower()}."
    )
    x, y = "predicted benefit per person", "measured benefit per person"
    texts = Texts(f"{program.plan.key}-deciles", "Calibration by tenth", summary, x, y)
    return against_diagonal(evidence.deciles, texts), summary


def balance_chart(program: Planned, evidence: Evidence) -> tuple[Markup, str]:
    """Love plot: how alike the offered and the others are, before and after weighting."""
    rows = [Pair(one.words, one.before, one.after) for one in evidence.balance]
    before, after = (max(values) for values in zip(*((b.before, b.after) for b in evidence.balance), strict=True))
    summary = (
        f"The largest difference is {before:.2f} standard deviations before weighting and {after:.2f} after it;"
        f" {'all are below 0.1, as they should be' if after < 0.1 else 'below 0.1 would be alike enough'}."
    )
    chart = dumbbells(
        rows, ("before weighting", "after"), 0.1, "difference in standard deviations",
        name=f"{program.plan.key}-balance", title="How alike the two groups are", summary=summary,
    )  # fmt: skip
    return chart, summary


def overlap_chart(program: Planned, evidence: Evidence) -> tuple[Markup, str]:
    """Chances of an offer among those offered and those not; no picture where all have nearly the same."""
    held = [one for one in evidence.overlap if one.offered != 0 or one.not_offered != 0]
    if len(held) == 1:
        one = held[0]
        return Markup(""), (
            f"Everybody's chance of an offer was between {one.lower:.2f} and {one.lower + _BIN:.2f}: in"
            f" {about(one.offered)} looks at a member it was offered, in {about(one.not_offered)} not."
        )
    bins = [(one.lower, one.offered, one.not_offered) for one in evidence.overlap]
    both = [one.lower for one in evidence.overlap if one.offered and one.not_offered]
    where = f"between {min(both):.2f} and {max(both) + _BIN:.2f}" if both else "nowhere"
    summary = f"Both groups hold people with the same chance of an offer {where}. Counts are rounded to 10, small ones left out."
    name = f"{program.plan.key}-overlap"
    texts = Texts(name, "Chance of an offer in both groups", summary, "chance of an offer", "person-trials")
    return two_sided(bins, texts, ("offered", "not offered")), summary


def risk_chart(program: ProgramNight, breakdown: Breakdown) -> tuple[Markup, str]:
    """Where those called by rank stand in the order of risk."""
    rows = [Bar(row.label, row.count, _with_share(row.count, breakdown.total)) for row in breakdown.rows]
    top = breakdown.rows[0]
    if top.count is None or not breakdown.total:
        summary = "How many of those called are among the riskiest fifth is hidden: the groups are small."
    else:
        summary = (
            f"{top.count / breakdown.total:.0%} of those called by rank are among the fifth of members at highest risk;"
            " a list by risk alone would begin with them."
        )
    name = f"{program.plan.key}-risk"
    return bars(rows, whole=breakdown.total, name=name, title="Called, by risk", summary=summary), summary


def past_chart(program: Followed) -> tuple[Markup, str]:
    """Realised benefit by month, and the limits within which the prediction said it would lie."""
    moments = [
        Moment(f"{w.start:%b %y}", None if w.realized is None else w.realized.value, _funnel(w), w.is_alarm)
        for w in program.past
    ]
    summary = past_summary(program)
    texts = Texts(
        f"{program.plan.key}-past",
        "Realised benefit by month",
        summary,
        "month of the nights",
        "benefit per person offered",
    )
    return over_time(moments, texts), summary


def _funnel(window: PastWindow) -> Interval | None:
    """Prediction, give or take what chance does to so many people: wide where few were compared."""
    found = window.realized
    if window.predicted is None or found is None or found.lower is None or found.upper is None:
        return None
    half = (found.upper - found.lower) / 2
    return Interval(window.predicted, window.predicted - half, window.predicted + half)


def fairness_chart(program: Planned, dimension: str, groups: Sequence[GroupCalled]) -> tuple[Markup, str]:
    """Share of each group that would be called, by the model and by risk."""
    rows = [Pair(group_label(dimension, one.name), one.by_model, one.by_risk) for one in groups]
    most = max((x for row in rows for x in (row.first, row.second) if x is not None), default=1.0) or 1.0
    known = sorted((g for g in groups if g.by_model is not None), key=lambda g: g.by_model or 0.0)
    summary = "Only one group is large enough to tell." if known else "The groups are too small to tell."
    if len(known) > 1:
        low, high = known[0], known[-1]
        told = [f"{group.by_model:.0%}" for group in (high, low)]
        names = [group(dimension, one.name) for one in (high, low)]
        summary = f"By this model most often {names[0]} ({told[0]}), least often {names[1]} ({told[1]})."
        if told[0] == told[1]:
            summary = f"By this model all groups equally often ({told[0]})."
    name = f"{program.plan.key}-fair-{dimension}"
    chart = paired_bars(
        rows,
        ("by this model", "by risk"),
        whole=most,
        name=name,
        title=f"Called, by {dimension_words(dimension).lower()}",
        summary=summary,
    )
    return chart, summary


def flow_chart(program: Planned, evidence: Evidence) -> tuple[Markup, str]:
    """How many person-trials each step of the cohort left."""
    rows = [Bar(step.words, step.remaining, _about(step.remaining)) for step in evidence.flow]
    first, last = evidence.flow[0], evidence.flow[-1]
    summary = (
        f"Of {_about(first.remaining)} looks at a member on a date, {_about(last.remaining)} could teach the model;"
        f" in {_about(last.offered)} of these outreach was offered. Rounded to 10."
    )
    return bars(rows, name=f"{program.plan.key}-flow", title="Who the model learnt from", summary=summary), summary


def _measure(program: Planned) -> str:
    return f"{'Fewer' if program.plan.better == 'lower' else 'More'} {program.plan.unit}"


def _axis(program: Planned) -> list[str]:
    return [*wrap(_measure(program), AXIS_CHARACTERS), "per person; further right is better"]


def _with_share(count: int | None, total: int | None) -> str:
    if count is None:
        return HIDDEN
    return f"{count:,} ({count / total:.0%})" if total else number(count)


def _about(count: int | None) -> str:
    return "fewer than 11" if count is None else f"{count:,}"


def _reason_text(reason: Reason) -> str:
    return "nearly all" if reason.is_nearly_all else number(reason.count)


def _largest(breakdown: Breakdown) -> str:
    known = [row for row in breakdown.rows if row.count]
    if not known:
        return "Hidden groups are small, or would tell how large a small one is."
    top = max(known, key=lambda row: row.count or 0)
    hidden = " Hidden groups are small, or would tell how large a small one is." if breakdown.has_hidden else ""
    return f"Most: {top.label}, {_with_share(top.count, breakdown.total)}.{hidden}"


def _gain(key: str, found: Interval) -> str:
    other = {"baseline_risk": "by risk", "random": "at random"}[key]
    if found.lower is not None and found.lower > 0:
        return f"The model's choice does better than choosing {other}, by {short(found.value)}."
    if found.upper is not None and found.upper < 0:
        return f"The model's choice does worse than choosing {other}, by {short(-found.value)}."
    return f"For the top of the list alone, it is not certain that this does better than choosing {other}."
