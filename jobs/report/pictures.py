"""Which chart a part of the report gets and what its text summary says. Pure."""

from __future__ import annotations

from typing import Protocol

from markupsafe import Markup

from jobs.report.charts import Bar, bars, intervals
from jobs.report.night import Breakdown, Evidence, Interval, Plan, ProgramNight, Reason
from jobs.report.words import HIDDEN, RANKING_WORDS, benefit, number, short, signed


class Planned(Protocol):
    """Anything about one program."""

    @property
    def plan(self) -> Plan:
        """The program's settings."""
        ...


def group_chart(breakdown: Breakdown, program: ProgramNight) -> tuple[Markup, str]:
    """Bars of one breakdown and its summary."""
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
    summary = f"{_measure(program)} per person: {values}. {gains}".strip()
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


def _axis(program: Planned) -> tuple[str, str]:
    return _measure(program), "per person; further right is better"


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
    return f"Whether it does better than choosing {other} is not certain."
