"""A card as Markdown and as one HTML page that needs nothing else. Pure."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from jobs.decisions import Decision
from jobs.model_card.facts import CardFacts, FeatureFact
from jobs.model_card.standing import Standing
from jobs.report import words
from jobs.report.evidence import RANKINGS
from jobs.report.night import Interval
from jobs.report.render import environment
from jobs.report.words import front, limits, signed, why_front

_TEMPLATES = Path(__file__).with_name("templates")
MOST_FEATURES, SMALLEST_SHARE = 12, 0.01
METRIC_WORDS = {
    "top_fraction_effect": "Benefit per person among {front} ranked highest: {why}",
    "autoc": "Benefit of those ranked first above the average, over all cut-offs (AUTOC)",
    "qini": "Gain over a random order, over all budgets (Qini)",
    "blp_slope": "Calibration slope: 1 means that predicted differences are of the right size",
}
_ACTIONS = {"approve": "Approved", "promote": "Promoted", "rollback": "Rolled back"}


def render_html(facts: CardFacts, standing: Standing) -> str:
    """The card as a page: no script, no network, light and dark, for screen, phone and paper."""
    return environment(_TEMPLATES).get_template("card.html.j2").render(**_context(facts, standing))


def render_markdown(facts: CardFacts, standing: Standing) -> str:
    """The card as Markdown, with every feature."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    return made.get_template("card.md.j2").render(**_context(facts, standing))


def _context(facts: CardFacts, standing: Standing) -> dict[str, object]:
    return {
        "facts": facts,
        "standing": standing,
        "evidence": facts.evidence,
        "metric_table": metric_table(facts),
        "top_features": [f for f in facts.features if (f.share or 0) >= SMALLEST_SHARE][:MOST_FEATURES],
        "interval": interval,
        "benefit_limits": limits,
        "words": words,
        "share": share,
        "percent": percent,
        "did": did,
        "who": who,
        "approved": approved(standing.approval),
    }


def metric_table(facts: CardFacts) -> list[tuple[str, list[str], str]]:
    """Per measure: its words, the value of each ranking of RANKINGS, and the paired difference to ranking by risk."""
    if facts.evidence.is_refuted:
        return []
    found = {(m.metric, m.ranking): m.found for m in facts.metrics}
    rows = []
    reach = facts.evidence.reach
    for metric, said in METRIC_WORDS.items():
        values = [interval(found.get((metric, ranking))) for ranking in RANKINGS]
        if any(values):
            rows.append(
                (
                    said.format(front=front(reach), why=why_front(reach)),
                    values,
                    interval(found.get((metric, "model_minus_baseline_risk"))),
                )
            )
    return rows


def interval(found: Interval | None) -> str:
    """`0.42 (0.33 to 0.51)`; empty where nothing was estimated."""
    if found is None:
        return ""
    if found.lower is None or found.upper is None:
        return signed(found.value)
    return f"{signed(found.value)} ({signed(found.lower)} to {signed(found.upper)})"


def share(feature: FeatureFact) -> str:
    """A feature's share, as printed."""
    if not feature.share:
        return "none"
    return "under 1%" if feature.share < 0.01 else f"{feature.share:.0%}"


def percent(value: float | None) -> str:
    """A share of a group, as printed."""
    return "–" if value is None else f"{value:.1%}" if value < 0.1 else f"{value:.0%}"


def did(decision: Decision, version: int) -> str:
    """What a decision did to a version."""
    if decision.action == "rollback":
        return "Put back" if decision.version == version else "Taken off"
    return _ACTIONS[decision.action]


def who(decision: Decision) -> str:
    """Who decided, and under which login."""
    if decision.actor_kind == "auto":
        return "nobody was asked (automatic)"
    return decision.actor if decision.actor == decision.login else f"{decision.actor} (login {decision.login})"


def approved(decision: Decision | None) -> str:
    """The approval that holds, in a sentence without a full stop."""
    if decision is None:
        return "No approval holds"
    day = f"{decision.decided_at:%Y-%m-%d}"
    return (
        f"Approved automatically on {day}, nobody was asked"
        if decision.actor_kind == "auto"
        else f"Approved on {day} by {who(decision)}"
    )
