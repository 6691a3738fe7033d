"""What training found out about a model, as the report shows it, and what benefit may be claimed from it. Pure."""

from __future__ import annotations

from typing import Any

from causal.evaluation.rules import CURVE_SHARES, DECILES, curve_metric
from contracts.programs import Program
from jobs.report.night import Balance, ChanceBin, Curve, Evidence, FlowStep, Gate, GroupCalled, Interval
from jobs.report.queries import CHANCE_BINS, Rows
from jobs.report.reason_words import in_words
from jobs.report.suppression import rounded

RANKINGS = ("model", "baseline_risk", "random")
_AT_CAPACITY = "top_fraction_effect"
_GATE_TITLES = {
    "design": "Enough people to learn from",
    "overlap": "Comparable people in both groups",
    "balance": "The groups are alike",
    "placebo_outcome": "No effect where there can be none",
    "negative_controls": "Many outcomes that outreach cannot change",
    "refutation": "The estimate survives attacks",
    "sensitivity": "How strong a hidden reason would have to be",
    "heterogeneity": "Some benefit more, and the model finds them",
    "beats_simple_rules": "Better than simple rules",
    "calibration": "Predicted differences show in what happened",
    "value_at_capacity": "Calling those on top helps",
    "equity": "Groups of people are treated alike",
    "stability": "Another seed calls the same people",
}
Z95 = 1.959963984540054
_MOST_COVARIATES = 12
Metrics = dict[tuple[str, str], dict[str, Any]]


def evidence_of(
    program: Program,
    model_version: str,
    models: Rows,
    evaluation: Rows,
    gates: Rows,
    flow: Rows,
    *,
    balance: Rows = (),
    overlap: Rows = (),
    equity: Rows = (),
) -> Evidence | None:
    """The training of the model that served; without one the latest training, marked as not served; None without any."""
    mine = [row for row in models if row["program"] == program.key]
    if not mine:
        return None
    served = [row for row in mine if row["model_version"] == model_version]
    model = max(served or mine, key=lambda row: row["trained_as_of"])

    def of(rows: Rows) -> Rows:
        return [r for r in rows if r["program"] == program.key and r["trained_as_of"] == model["trained_as_of"]]

    metrics = {(row["ranking"], row["metric"]): row for row in of(evaluation)}
    chances, groups = of(overlap), of(equity)
    return Evidence(
        trained_as_of=model["trained_as_of"],
        model_version=model["model_version"],
        learner=model["learner"],
        verdict_sentence=in_words(model["verdict_sentence"]),
        is_served=bool(served),
        trial_count=rounded(model["trial_count"]),
        offered_count=rounded(model["offered_count"]),
        ate=_ate(model, program),
        rankings=_found(metrics, ((r, r, _AT_CAPACITY) for r in RANKINGS)),
        gain_over=_found(metrics, ((r, f"model_minus_{r}", _AT_CAPACITY) for r in RANKINGS[1:])),
        groups=tuple(i for _, i in _found(metrics, ((str(k), "model", f"gates_{k}") for k in range(1, 11)))),
        gates=tuple(
            Gate(_title(row["gate"]), row["status"], row["is_hard"], in_words(row["sentence"]))
            for row in sorted(of(gates), key=lambda row: row["gate_number"])
        ),
        flow=_flow(of(flow), model, chances),
        curves=_curves(metrics),
        deciles=_deciles(metrics),
        balance=_balance(of(balance)),
        overlap=_overlap(chances),
        called_by_group=_called_by_group(groups),
        reach=_reach(groups),
    )


def benefit_called(verdict: str, evidence: Evidence | None) -> Interval | None:
    """Benefit per person called by rank: what the top of the model's ranking had on people kept aside.

    It is the interval of a mean. Per-person intervals are not summed: their errors are shared, and a sum of them
    would be neither a valid nor a useful interval. None unless the model that was tested made tonight's list.
    """
    if verdict != "publish" or evidence is None or not evidence.is_served:
        return None
    found = dict(evidence.rankings).get("model")
    return found if found is not None and found.lower is not None else None


def _found(metrics: Metrics, wanted: Any) -> tuple[tuple[Any, Interval], ...]:
    """(label, interval) of every wanted (label, ranking, metric) that was estimated."""
    rows = ((label, metrics.get((ranking, metric))) for label, ranking, metric in wanted)
    return tuple(
        (label, Interval(row["value"], row["ci_lower"], row["ci_upper"]))
        for label, row in rows
        if row is not None and row["value"] is not None
    )


def _ate(model: dict[str, Any], program: Program) -> Interval | None:
    if model["ate"] is None or model["ate_se"] is None:
        return None
    value, half = program.outcome.sign * model["ate"], Z95 * model["ate_se"]
    return Interval(value, value - half, value + half)


def _curves(metrics: Metrics) -> tuple[Curve, ...]:
    found = (
        Curve(ranking, _found(metrics, ((share, ranking, curve_metric(share)) for share in CURVE_SHARES)))
        for ranking in RANKINGS
    )
    return tuple(curve for curve in found if curve.points)


def _deciles(metrics: Metrics) -> tuple[tuple[float, Interval], ...]:
    """(predicted, measured) of each tenth for which both are known."""
    predicted = {
        k: row["value"] for k in range(1, DECILES + 1) if (row := metrics.get(("model", f"decile_{k}_predicted")))
    }
    return _found(metrics, ((value, "model", f"decile_{k}") for k, value in predicted.items()))


def _balance(rows: Rows) -> tuple[Balance, ...]:
    """The most unlike, and among them the most unlike after weighting, which is what counts."""
    ordered = sorted(rows, key=lambda row: (-max(row["smd_before"], row["smd_after"]), row["covariate"]))
    kept = ordered[:_MOST_COVARIATES]
    if ordered and (worst := max(ordered, key=lambda row: row["smd_after"])) not in kept:
        kept[-1] = worst
    return tuple(Balance(_covariate(row["covariate"]), row["smd_before"], row["smd_after"]) for row in kept)


def _covariate(name: str) -> str:
    words = in_words(f"`{name}`")
    return words.replace("“", "").replace("” being unknown", ": unknown").replace("”", "")


def _flow(rows: Rows, model: dict[str, Any], chances: Rows) -> tuple[FlowStep, ...]:
    """The steps on record, and last what the model was trained on of all that qualified."""
    if not rows:
        return ()
    is_random = bool(chances) and all(row["n_random"] == row["n"] for row in chances)
    words = "Their offer was drawn at random, and in the sample" if is_random else "In the sample trained on"
    return (
        *(
            FlowStep(row["step"], rounded(row["remaining_count"]), rounded(row["offered_count"]))
            for row in sorted(rows, key=lambda row: row["step_number"])
        ),
        FlowStep(words, rounded(model["trial_count"]), rounded(model["offered_count"])),
    )


def _reach(rows: Rows) -> float | None:
    """Everybody's share called in the test: a group's over how it compares with everybody's."""
    shares = (
        row["selection_rate"] / row["selection_ratio"]
        for row in rows
        if row["ranking"] == "model" and not row["is_too_small"] and row["selection_ratio"]
    )
    return next(shares, None)


def _overlap(rows: Rows) -> tuple[ChanceBin, ...]:
    counts = {(row["bin"], row["is_offered"]): row["n"] for row in rows}
    return tuple(
        ChanceBin(n / CHANCE_BINS, rounded(counts.get((n, True), 0)), rounded(counts.get((n, False), 0)))
        for n in (range(CHANCE_BINS) if counts else ())
    )


def _called_by_group(rows: Rows) -> tuple[GroupCalled, ...]:
    rates = {(row["dimension"], row["group_name"], row["ranking"]): row for row in rows}
    groups = sorted({key[:2] for key in rates})

    def rate(group: tuple[str, str], ranking: str) -> float | None:
        row = rates.get((*group, ranking))
        return None if row is None or row["is_too_small"] else row["selection_rate"]

    return tuple(GroupCalled(*group, rate(group, "model"), rate(group, "baseline_risk")) for group in groups)


def _title(gate: str) -> str:
    return _GATE_TITLES.get(gate, gate.replace("_", " ").capitalize())
