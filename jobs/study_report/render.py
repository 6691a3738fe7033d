"""From the facts of a study (`study.json`) to one self-contained HTML page in the style of the nightly report. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from causal.gates.result import MUST_PASS
from causal.gates.words import figure as in_figures
from causal.gates.words import share
from jobs.report.charts import intervals
from jobs.report.night import Interval
from jobs.report.render import environment

# Rankings are compared in the outcome's unit; an error this small is what adding up leaves.
_ROUNDING = 1e-15
_TEMPLATES = Path(__file__).with_name("templates")
_RULES = {
    "learner": "By this model",
    "baseline_risk": "Highest risk first",
    "random": "One random order",
    "constant": "No ranking",
}
_VERDICTS = {
    "publish": "On people kept aside, calling by this ranking helped more than simple rules did.",
    "fallback": "Nothing shows that ranking by effect helps here. Use a simple rule; the scores are no reason to prefer anybody.",
    "blocked": "The estimates are not to be trusted. Use neither the effects nor the scores.",
}


def render_report(facts: Mapping[str, Any]) -> str:
    """The page: verdicts, effects, gates, rankings, groups, checks; no rows of people."""
    page = environment(_TEMPLATES).get_template("study.html.j2")
    return page.render(facts=facts, figure=figure, around=around, share=share, rules=_RULES, verdict=_verdict, effects=_effects, rankings=_rankings, groups=_groups)  # fmt: skip


def figure(value: float | None, digits: int = 3) -> str:
    """A number of so many significant digits, with a true minus; a dash where there is none."""
    return "–" if value is None else in_figures(value, digits).replace("-", "−")


def around(value: float | None, se: float | None) -> str:
    """An estimate and its standard error; one that is nothing by construction has none but rounding."""
    if value is not None and se is not None and abs(value) < _ROUNDING and se < _ROUNDING:
        return "0"
    return f"{figure(value)} ± {figure(se, 2)}"


def _verdict(facts: Mapping[str, Any], arm: str) -> str:
    """What an arm's verdict means, in words. A ranking that helped may fall for another reason, which is then named."""
    verdict = facts["verdict"][arm]
    status = {gate["name"]: gate["status"] for gate in facts["gates"] if gate["arm"] == arm}
    if verdict != "fallback" or any(status[name] != "pass" for name in MUST_PASS):
        return _VERDICTS[verdict]
    failed = " and ".join(name.replace("_", " ") for name, found in status.items() if found == "fail")
    return f"Ranking by effect helped people kept aside, but this was not passed: {failed}. Use a simple rule."


def _effects(facts: Mapping[str, Any]) -> Markup | None:
    """Every arm's average effect, and the difference in means that a report without adjustment would show."""
    rows: list[tuple[str, Interval]] = []
    strong: list[int] = []
    for arm, e in facts["estimates"].items():
        if e["ate"] is None:
            continue
        strong.append(len(rows))
        rows.append((f"{arm}: average effect", Interval(e["ate"], e["ci_low"], e["ci_high"])))
        rows.append((f"{arm}: difference in means, unadjusted", Interval(e["naive_difference"], None, None)))
    if not rows:
        return None
    said = ". ".join(f"{label} {figure(found.value)}" for label, found in rows)
    better = f"{facts['outcome']['better']} is better"
    axis = [f"{facts['outcome']['column']}, treated minus control ({better})"]
    return intervals(rows, name="effects", title="Average effects", summary=said, axis=axis, strong=strong)


def _rankings(facts: Mapping[str, Any], arm: str) -> Markup:
    """Benefit of those called by each rule, on people kept aside."""
    rows = [
        (_RULES[rule], _around(m["top_fraction_effect"], m["top_fraction_effect_se"]))
        for rule, m in facts["ranking"][arm].items()
    ]
    said = ". ".join(f"{label} {figure(found.value)}" for label, found in rows)
    axis = ["benefit per person called, more is better"]
    return intervals(rows, name=f"rank-{_place(facts, arm)}", title="Benefit by rule", summary=said, axis=axis)


def _groups(facts: Mapping[str, Any], arm: str) -> Markup | None:
    """Measured benefit by group of predicted benefit, the highest first."""
    found: Sequence[Mapping[str, Any]] = [r for r in facts["evaluation"][arm] if r["metric"].startswith("gates_")]
    if not found:
        return None
    rows = [
        (f"Group {k + 1} of {len(found)}", Interval(r["value"], r["ci_low"], r["ci_high"]))
        for k, r in enumerate(reversed(found))
    ]
    said = "From the highest predicted benefit to the lowest: " + ", ".join(figure(i.value) for _, i in rows)
    axis = ["measured benefit, highest predicted first"]
    strong = range(len(rows))
    return intervals(rows, name=f"groups-{_place(facts, arm)}", title="Benefit by group", summary=said, axis=axis, strong=strong)  # fmt: skip


def _around(value: float, se: float | None) -> Interval:
    return Interval(value, None if se is None else value - 1.96 * se, None if se is None else value + 1.96 * se)


def _place(facts: Mapping[str, Any], arm: str) -> int:
    """A number instead of the arm's name, which may hold blanks, for the ids of the page."""
    return list(facts["arms"]).index(arm)
