"""From grouped rows to a report: here small counts are hidden, once and for all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from contracts.programs import Program
from jobs.report.evidence import benefit_called, evidence_of
from jobs.report.night import (
    Breakdown,
    Changes,
    Count,
    Interval,
    NightReport,
    PastWindow,
    Plan,
    ProgramNight,
    Quality,
    Reason,
    Scarce,
    SetAside,
)
from jobs.report.queries import NightRows, Rows
from jobs.report.reason_words import in_words
from jobs.report.suppression import is_small, list_changes, rounded, share_of, shown, suppress, suppress_linked

CALLED = "Called tonight"
DECISION_WORDS = {
    "outreach": CALLED,
    "explore": CALLED,
    "holdout": "Held out at random, to measure whether outreach helps",
    "outside_support": "Unlike the members the model learnt from: no effect is estimated",
}
# Of `below_capacity`, by verdict.
NOT_CALLED = {
    "publish": "Could be called, but no place tonight, no net benefit expected, or a chance of harm too large",
    "fallback": "Could be called, but no place tonight, or not ranked by the rule",
    "blocked": "Could be called, but calls are stopped tonight",
}
_ORDER = (CALLED, DECISION_WORDS["holdout"], *NOT_CALLED.values(), DECISION_WORDS["outside_support"])
_AGES = ("Under 18", "18 to 34", "35 to 49", "50 to 64", "65 to 74", "75 to 84", "85 and over", "Not recorded")
_MOST_REASONS = 8
_RISK_WORDS = {5: "Highest risk fifth", 4: "Fourth fifth", 3: "Middle fifth", 2: "Second fifth", 1: "Lowest risk fifth"}


def assemble(
    rows: NightRows, programs: Mapping[str, Program], data_source: str, run_date: date, made_at: datetime
) -> NightReport:
    """The report of a published night.

    Args:
        rows: from `jobs.report.queries.read_night`.
        programs: by key, in the order of the report.
        data_source, run_date: the night.
        made_at: when the report was made (UTC).
    """
    published = {row["program"]: row for row in rows.summary}
    decisions = _decisions(rows.decisions, {key: row["verdict"] for key, row in published.items()})
    return NightReport(
        data_source=data_source,
        run_date=run_date,
        made_at=made_at,
        run_id=rows.versions["run_id"] or "",
        feature_version=rows.versions["feature_version"] or "",
        contract_version=rows.versions["contract_version"] or "",
        code_version=rows.versions["code_version"] or "",
        programs=tuple(
            _program(program, published[key], decisions[key], rows)
            for key, program in programs.items()
            if key in published and key in decisions
        ),
        scarce=_scarce(rows.limits),
        quality=Quality(rows.audited, _set_aside(rows.rules), tuple((r["entity"], r["n"]) for r in rows.parked)),
    )


def _program(program: Program, summary: Mapping[str, Any], decisions: Breakdown, rows: NightRows) -> ProgramNight:
    called = next((row.count for row in decisions.rows if row.label == CALLED), 0)
    mine = [row for row in rows.who if row["program"] == program.key]
    evidence = evidence_of(
        program, summary["model_version"], rows.models, rows.evaluation, rows.gates, rows.flow,
        balance=rows.balance, overlap=rows.overlap, equity=rows.equity,
    )  # fmt: skip
    plan = plan_of(program)
    each = None if called is None else benefit_called(summary["verdict"], evidence)
    ranked, in_full = summary["outreach_count"], summary["full_effect_count"]
    usd = program.outcome.usd_per_unit
    marginal = summary["marginal_value_usd"] if summary["verdict"] == "publish" else None
    return ProgramNight(
        plan=plan,
        verdict=summary["verdict"],
        verdict_sentence=in_words(summary["verdict_sentence"]),
        model_version=summary["model_version"],
        called=called,
        benefit_each=each,
        benefit=each.scaled(in_full) if each and ranked else None,
        value_usd=each.scaled(in_full * usd, -summary["outreach_cost_usd"]) if each and ranked else None,
        estimated=summary["expected_benefit"] if each and ranked else None,
        marginal_value_usd=marginal,
        decisions=decisions,
        who=_who(mine) if called else (),
        reasons=_reasons(rows.reasons, program, summary["outreach_count"] + summary["explore_count"]) if called else (),
        changes=_changes(rows, program.key),
        evidence=evidence,
        by_risk=_by_risk(rows.by_risk, program.key) if called else None,
        past=past_windows(rows.realized, program),
        teams=tuple(one for one in _scarce(rows.limits) if one.name in plan.teams),
    )


def plan_of(program: Program) -> Plan:
    """What reports print of a program's configuration."""
    return Plan(
        key=program.key,
        title=program.title,
        offer=program.offer,
        unit=program.outcome.unit,
        better=program.outcome.better,
        usd_per_unit=program.outcome.usd_per_unit,
        cooldown_days=program.cooldown_days,
        capacity=program.capacity_per_night,
        holdout_share=program.holdout_share,
        explore_share=program.explore_share,
        largest_chance_of_harm=program.largest_chance_of_harm,
        fallback_reason=program.fallback_reason,
        teams=tuple(dict.fromkeys(_resource(how.team) for how in program.channels.values())),
    )


def _decisions(rows: Rows, verdicts: Mapping[str, str]) -> dict[str, Breakdown]:
    """Every member by decision, per program. Who is no member any more is the same in every program, hence linked."""
    counts: dict[str, dict[str, int]] = {}
    linked: set[str] = set()
    for row in rows:
        label = DECISION_WORDS.get(row["decision"]) or row["reason"] or "Not for them tonight"
        if row["decision"] == "below_capacity":
            label = NOT_CALLED[verdicts.get(row["program"], "publish")]
        if row["decision"] == "not_eligible":
            linked.add(label)
        parts = counts.setdefault(row["program"], {CALLED: 0})
        parts[label] = parts.get(label, 0) + row["n"]
    found = suppress_linked(counts, linked, keep=(CALLED,))
    return {
        key: Breakdown("What was decided", tuple(Count(label, parts[label]) for label in _ordered(counts[key])), total)
        for key, (parts, total) in found.items()
    }


def _ordered(counts: Mapping[str, int]) -> list[str]:
    """The decisions in their order, then the reasons for leaving members out by name (sizes would tell of hidden ones)."""
    return [label for label in _ORDER if label in counts] + sorted(set(counts) - set(_ORDER))


def _who(rows: Rows) -> tuple[Breakdown, ...]:
    found = []
    for title in ("Age", "Sex", "Payer", "How"):
        counts = {row["value"]: row["n"] for row in rows if row["dimension"] == title}
        parts, total = suppress(counts)
        order = [a for a in _AGES if a in parts] if title == "Age" else sorted(parts)
        found.append(Breakdown(title, tuple(Count(label, parts[label]) for label in order), total))
    return tuple(breakdown for breakdown in found if breakdown.rows)


def _reasons(rows: Rows, program: Program, called: int) -> tuple[Reason, ...]:
    """The commonest reasons that enough people share; how the list was ranked is no reason of one person."""
    mine = [row for row in rows if row["program"] == program.key and row["words"] != program.fallback_reason]
    found = []
    for row in sorted(mine, key=lambda row: (-row["n"], row["words"])):
        count, nearly_all = share_of(row["n"], called)
        if (count is not None or nearly_all) and row["words"] != "Other":
            found.append(Reason(row["words"], count, nearly_all))
    return tuple(found[:_MOST_REASONS])


def _changes(rows: NightRows, program: str) -> Changes | None:
    if rows.previous_night is None:
        return None
    row = next((row for row in rows.changes if row["program"] == program), {"tonight": 0, "last": 0, "stayed": 0})
    return Changes(rows.previous_night, *list_changes(row["tonight"], row["last"], row["stayed"]))


def _scarce(rows: Rows) -> tuple[Scarce, ...]:
    """Teams by name, the budget last."""
    ordered = sorted(rows, key=lambda row: (row["resource_kind"] == "budget", row["resource"]))
    return tuple(
        Scarce(
            "Budget" if row["resource_kind"] == "budget" else _resource(row["resource"]),
            row["unit"],
            row["limit_quantity"],
            row["marginal_value_usd"],
        )
        for row in ordered
    )


def _resource(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _by_risk(rows: Rows, program: str) -> Breakdown | None:
    """By fifth; where too many of these are small, the riskiest fifth against all others; else None."""
    mine = {row["fifth"]: row["n"] for row in rows if row["program"] == program}
    fifths = {_RISK_WORDS[fifth]: mine.get(fifth, 0) for fifth in range(5, 0, -1)}
    halves = {_RISK_WORDS[5]: mine.get(5, 0), "All others": sum(n for fifth, n in mine.items() if fifth != 5)}
    for counts in (fifths, halves):
        parts, total = suppress(counts)
        if any(parts.values()):
            return Breakdown("Risk", tuple(Count(label, n) for label, n in parts.items()), total)
    return None


def past_windows(rows: Rows, program: Program) -> tuple[PastWindow, ...]:
    """Benefits, positive is good, of the months whose outcomes are complete."""
    sign = program.outcome.sign
    mine = sorted((r for r in rows if r["program"] == program.key), key=lambda r: r["window_start"])
    return tuple(
        PastWindow(
            start=row["window_start"],
            offered=rounded(row["offered_count"]),
            held_out=rounded(row["holdout_count"]),
            realized=_realized(row, sign),
            predicted=None if row["predicted_effect"] is None else sign * row["predicted_effect"],
            is_alarm=row["is_alarm"],
        )
        for row in mine
    )


def _realized(row: Mapping[str, Any], sign: float) -> Interval | None:
    """None where an interval could not be had, or an arm holds fewer people than may be told of."""
    small = is_small(row["offered_count"]) or is_small(row["holdout_count"])
    if small or any(row[name] is None for name in ("realized_effect", "ci_lower", "ci_upper")):
        return None
    ends = sorted(sign * row[name] for name in ("ci_lower", "ci_upper"))
    return Interval(sign * row["realized_effect"], *ends)


def _set_aside(rows: Rows) -> tuple[SetAside, ...]:
    kept = sorted(rows, key=lambda row: (row["table_name"], row["rule"]))
    return tuple(SetAside(row["table_name"], row["rule"], shown(int(row["rows_broken"]))) for row in kept)
