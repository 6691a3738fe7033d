"""An explanation for a terminal: the decision first, then why, then what came of people like this."""

from __future__ import annotations

from typing import Any

from contracts.programs import program as program_of
from jobs.explain.gather import Explanation
from jobs.explain.similar import Arm, Similar
from jobs.terminal import counted, table_console

_DECISIONS = {
    "outreach": "call",
    "explore": "call, drawn at random below the cut",
    "holdout": "do not call: held out at random, to measure what calls do",
    "below_capacity": "do not call tonight",
    "suppressed": "do not call: must not be contacted tonight",
    "outside_support": "do not call: unlike the people that the model learnt from",
    "not_eligible": "do not call: the program is not for this member",
}


def show(found: Explanation) -> None:
    """Print it."""
    console = table_console(highlight=False)
    for line in lines(found):
        console.print(line, markup=False)


def lines(found: Explanation) -> list[str]:
    """The text, line by line."""
    row = found.row
    program = program_of(row["program"])
    rank = "no rank" if row["priority_rank"] is None else f"rank {row['priority_rank']}"
    said = [f"{program.title}, {row['run_date']}: {_DECISIONS[row['decision']]} ({rank})"]
    said += [f"  reason    {row[name]}" for name in ("reason_1", "reason_2", "reason_3") if row[name]]
    said += [f"  program   {row['verdict']}: {row['verdict_sentence']}", f"  effect    {_effect(row, program.outcome.unit, program.outcome.better)}"]  # fmt: skip
    if row["baseline_risk"] is not None:
        said.append(f"  without   {row['baseline_risk']:.3g} {program.outcome.unit} expected without an offer")
    if row["expected_net_value_usd"] is not None:
        said.append(f"  value     ${row['expected_net_value_usd']:,.0f} after the cost of the contact")
    said.append(f"  chance    {row['assignment_probability']:.2f} of being offered under that night's policy")
    return [*said, "", *_contributions(found), "", *_similar(found.similar, program.outcome.unit), "", *_fresh(found)]


def _effect(row: dict[str, Any], unit: str, better: str) -> str:
    if row["cate"] is None:
        return "not estimated"
    interval = (
        f", 95 % interval {row['cate_lower']:+.3g} to {row['cate_upper']:+.3g} ({row['interval_kind'].replace('_', ' ')})"
        if row["cate_lower"] is not None
        else ", without an interval: the learner has no valid one"
    )
    return f"{row['cate']:+.3g} {unit}{interval}; {better} is better"


def _contributions(found: Explanation) -> list[str]:
    if found.contributions is None:
        return [f"What moved the score: not told, because {found.unexplained}."]
    parts = found.contributions
    head = f"What moved the predicted {parts.of} (surrogate of the model, R2 {parts.r2:.2f}); + speaks for a call:"
    told = [f"  {p.contribution:+9.3g}  {p.feature} = {_value(p.value)}: {p.meaning}" for p in parts.parts]
    return [head, *told, f"  {parts.others:+9.3g}  all other features together"]


def _value(value: Any) -> str:
    if value is None:
        return "never"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _similar(found: Similar | None, unit: str) -> list[str]:
    if found is None:
        return ["People like this before: no training is on record that scored them."]
    how = (
        "drawn by lot: the difference is what an offer did, give or take chance"
        if found.is_randomized
        else "chosen by care managers: the difference is not only what an offer did"
    )
    head = f"People whom the model saw alike (training of {found.trained_as_of}; {how}):"
    return [head, f"  offered      {_arm(found.offered, unit)}", f"  not offered  {_arm(found.not_offered, unit)}"]


def _arm(arm: Arm, unit: str) -> str:
    if arm.people is None:
        return "fewer than 11 people, not shown"
    return f"{arm.people} people, {arm.mean_outcome:.3g} {unit} on average; {arm.mean_baseline:.3g} expected without an offer"


def _fresh(found: Explanation) -> list[str]:
    if not found.fresh:
        return ["Data: no delivery is on record up to that night."]
    return [
        "Data known to that night:",
        *(
            f"  {f['entity']:<18} last delivered {f['last_delivery']}, {counted(f['age_days'], 'day')} before"
            for f in found.fresh
        ),
    ]
