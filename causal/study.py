"""`outreach study` on a frame in memory: each arm against control through `train_study`, results keyed as published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from causal.aipw import Estimate, unmodelled_effects
from causal.encoding import is_numeric
from causal.equity import equity_rows
from causal.evaluation.rules import RULES
from causal.gates.controls import MIN_CONTROLS, empirical_calibration
from causal.options import DEFAULT_LEARNERS, TrainOptions
from causal.placebo import PlaceboEstimate
from causal.study_columns import RARE
from causal.study_frame import StudyFrame, read_frame
from causal.train import TrainedStudy, train_study
from causal.trial import Trial
from contracts.study import LEARNERS, StudySpec

SCORE_COLUMNS = (
    "unit_id",
    "arm",
    "split",
    "propensity",
    "in_support",
    "baseline",
    "cate",
    "cate_lower",
    "cate_upper",
    "interval_kind",
    "rank",
)
# `auto` leaves out what has no interval: it can be named.
AUTO = DEFAULT_LEARNERS


_ROUNDING = 1e-12
_OTHER_ARM = "other_arm"


@dataclass(frozen=True)
class StudyResult:
    """`facts` is what `study.json` holds; `scores` what `scores.parquet` holds; `arms` the fitted objects."""

    facts: Mapping[str, Any]
    scores: pd.DataFrame
    arms: Mapping[str, TrainedStudy]


def run_study(
    frame: pd.DataFrame,
    spec: StudySpec,
    seed: int = 0,
    *,
    options: TrainOptions | None = None,
    on_step: Callable[[str, str], None] | None = None,
) -> StudyResult:
    """Run every arm of a study.

    Args:
        frame: one row per unit with the columns that the spec names.
        spec: the study.
        seed: root seed; the same seed gives the same result on any machine.
        options: overrides; learners, split and budget of the spec win.
        on_step: told the arm and the name of every step as it begins.

    Raises:
        ConfigError: a field of the spec does not fit the data; the message names it.
    """
    data = read_frame(frame, spec)
    chosen = _options(spec, options)
    arms = {
        arm: train_study(data.trial(arm), chosen, seed, on_step=None if on_step is None else partial(on_step, arm))
        for arm in data.arms
    }
    scores = pd.concat([_scores(data, arm, study) for arm, study in arms.items()], ignore_index=True)
    return StudyResult(_facts(data, spec, arms, seed), scores, arms)


def _options(spec: StudySpec, given: TrainOptions | None) -> TrainOptions:
    base = given or TrainOptions()
    names = AUTO if spec.learners == "auto" else tuple(name for name in LEARNERS if name in spec.learners)
    return TrainOptions(
        **{
            **{f: getattr(base, f) for f in base.__dataclass_fields__},
            "learners": names,
            "test_fraction": spec.split.test_fraction,
            "budget_fraction": spec.budget.fraction,
        }
    )


def _scores(data: StudyFrame, arm: str, study: TrainedStudy) -> pd.DataFrame:
    """One row per unit, in the order of the data: rows of the arm and of control by models that have not seen them, units
    of other arms by the served model (which has not seen them either; their split is `other_arm`). Rank 1 is to be called
    first; ties go by unit, and who has no estimate has no rank.
    """
    own = data.rows_of(arm)
    part = study.predictions.assign(at=np.flatnonzero(own))
    if (~own).any():
        served = study.scorer.score(data.features[~own].reset_index(drop=True))
        other = served.rename(columns={"baseline_risk": "baseline"}).assign(split=_OTHER_ARM, at=np.flatnonzero(~own))
        part = pd.concat([part, other], ignore_index=True)
    part = part.sort_values("at", ignore_index=True)
    part["unit_id"], part["arm"] = data.unit_id.array, arm
    sign = -1.0 if data.better == "lower" else 1.0
    part = _at_one_level(data, part, study)
    part["rank"] = (-sign * part["cate"]).rank(method="first").astype("Int64")
    part["in_support"] = part["in_support"].astype(bool) & part["cate"].notna()
    return part.iloc[np.argsort(data.position, kind="stable")][list(SCORE_COLUMNS)]


def _at_one_level(data: StudyFrame, part: pd.DataFrame, study: TrainedStudy) -> pd.DataFrame:
    """Estimates that can be ranked together: each split's have the mean that the served model gives the same people.

    They come from models that saw other rows, whose average effects differ by chance; where effects vary little that
    difference alone would rank, and the served model's average is that of all rows.
    """
    cate, own = part["cate"].to_numpy(dtype=float), (part["split"] != _OTHER_ARM).to_numpy()
    gap = np.zeros(len(part))  # the served model has scored the other arms' people itself
    gap[own] = study.scorer.effect(data.features[own].reset_index(drop=True)) - cate[own]
    gap = pd.Series(gap).groupby(part["split"].to_numpy()).transform("mean").fillna(0.0).to_numpy()
    made = part.assign(**{name: part[name].astype(float) + gap for name in ("cate", "cate_lower", "cate_upper")})
    # What only rounding tells apart is equal.
    largest = float(made["cate"].abs().max())
    if largest > 0:
        made["cate"] = (made["cate"] / (_ROUNDING * largest)).round() * (_ROUNDING * largest)
    return made


def _facts(data: StudyFrame, spec: StudySpec, arms: Mapping[str, TrainedStudy], seed: int) -> dict[str, Any]:
    learners = {arm: study.learner for arm, study in arms.items()}
    names = sorted(set(learners.values()))
    # An outcome that could not be estimated (missing, without variation, too few people) stands there without numbers.
    nothing = dict.fromkeys(spec.placebo_outcomes, dict.fromkeys(("estimate", "se", "ci_low", "ci_high")))
    placebos = {arm: nothing | {p.name: _placebo(p) for p in study.placebos} for arm, study in arms.items()}
    return {
        "name": spec.name,
        "n": data.n,
        "n_units": int(data.unit_id.nunique()),
        "n_treated": int(sum(study.n_treated for study in arms.values())),
        "n_by_arm": data.counts,
        "excluded": data.excluded,
        "outcome_missing": {arm: {"treated": a.offered, "control": a.control} for arm, a in data.attrition.items()},
        "covariates": [c for c in data.features.columns if c not in data.unused],
        "unused_columns": data.unused,
        "levels_merged": {arm: _merged(data, arm, study) for arm, study in arms.items()},
        "arms": list(arms),
        "design": {arm: data.trial(arm).design for arm in arms},
        "learner": names[0] if len(names) == 1 else ", ".join(f"{a}: {name}" for a, name in learners.items()),
        "learner_by_arm": learners,
        "estimand": "average treatment effect among people in support, treated minus control, outcome units",
        "outcome": {"column": spec.outcome.column, "better": spec.outcome.better, "unit": spec.outcome.unit},
        "seed": seed,
        "versions": dict(next(iter(arms.values())).versions),
        "estimates": {arm: _estimates(study, data.trial(arm)) for arm, study in arms.items()},
        "placebo": _strongest(placebos),
        "placebo_by_arm": placebos,
        "negative_controls": _strongest({a: {p.name: _placebo(p) for p in _controls(s)} for a, s in arms.items()}),
        "calibrated": {arm: _calibrated(study) for arm, study in arms.items()},
        "sensitivity": {arm: _sensitivity(study) for arm, study in arms.items()},
        "equity": {arm: _equity(study) for arm, study in arms.items()},
        "ranking": {arm: _ranking(study) for arm, study in arms.items()},
        "evaluation": {arm: _evaluation(study) for arm, study in arms.items()},
        "gates": [_plain(asdict(gate)) for study in arms.values() for gate in study.gates],
        "verdict": {arm: study.verdict for arm, study in arms.items()},
        "policy_value": _policy_value(spec, arms),
    }


def _merged(data: StudyFrame, arm: str, study: TrainedStudy) -> dict[str, float]:
    """Share of rows, by text column, whose value is told apart from the common ones only, not from the other rare ones."""
    features, weight = data.features[data.rows_of(arm)], data.weight[data.rows_of(arm)]
    merged = study.scorer.encoder.merged(features)
    texts = [str(c) for c in features.columns if not is_numeric(features[c])]
    rows = {c: (features[c] == RARE).to_numpy(dtype=bool) | (merged[c] != "" if c in merged else False) for c in texts}
    return {c: float(np.average(found, weights=weight)) for c, found in rows.items() if found.any()}


def _estimates(study: TrainedStudy, trial: Trial) -> dict[str, Any]:
    """Natural sign. Where nothing could be learnt, a randomised trial still has its difference in means, if nothing blocks."""
    ate, att = study.ate, study.att
    if ate is None and trial.design == "randomized" and study.verdict != "blocked":
        ate, att = unmodelled_effects(trial.t, trial.y, trial.known_propensity, trial.cluster, trial.weight)
    return _plain(
        {
            "ate": ate.value if ate else None,
            "se": ate.se if ate else None,
            "ci_low": ate.ci_low if ate else None,
            "ci_high": ate.ci_high if ate else None,
            "att": att.value if att else None,
            "att_se": att.se if att else None,
            "naive_difference": study.naive_difference,
        }
    )


def _controls(study: TrainedStudy) -> tuple[PlaceboEstimate, ...]:
    return () if study.negative_controls is None else study.negative_controls.estimates


def _calibrated(study: TrainedStudy) -> dict[str, Any]:
    """The average effect after the negative controls' systematic error is allowed for, in standard deviations of the
    outcome; empty with fewer than MIN_CONTROLS controls.
    """
    found = study.negative_controls
    if found is None or len(found.estimates) < MIN_CONTROLS:
        return {}
    null, calibrated = empirical_calibration(found, study.options.alpha)
    e = calibrated.estimate
    return _plain(
        {
            "n_controls": null.k,
            "systematic_mean": null.mean,
            "systematic_sd": null.sd,
            "systematic_p": null.p_value,
            "effect": found.effect.value,
            "effect_se": found.effect.se,
            "calibrated": e.value,
            "se": e.se,
            "ci_low": e.ci_low,
            "ci_high": e.ci_high,
            "p": calibrated.p_value,
        }
    )


def _sensitivity(study: TrainedStudy) -> dict[str, Any]:
    """Robustness value, the strongest measured confounder and the E-value; empty when the design gate failed."""
    found = study.sensitivity
    if found is None:
        return {}
    b, e = found.benchmark, found.e_value
    return _plain(
        {
            "effect": found.effect.value,
            "se": found.effect.se,
            "robustness_value": found.robustness,
            "robustness_value_ci": found.robustness_at_limit,
            "benchmark": b.name if b else None,
            "benchmark_alike": list(b.alike) if b else [],
            "benchmark_r2_treatment": b.r2_treatment if b else None,
            "benchmark_r2_outcome": b.r2_outcome if b else None,
            "benchmark_strength": b.strength if b else None,
            "benchmark_adjusted_effect": b.adjusted.value if b else None,
            "benchmark_adjusted_ci_low": b.adjusted.ci_low if b else None,
            "benchmark_adjusted_ci_high": b.adjusted.ci_high if b else None,
            "benchmark_multiple": found.multiple,
            "e_value_measure": e.measure if e else None,
            "e_value_ratio": e.ratio if e else None,
            "e_value": e.value if e else None,
            "e_value_ci": e.at_limit if e else None,
        }
    )


def _equity(study: TrainedStudy) -> list[dict[str, Any]]:
    """Who would be called by group and ranking (see `equity_report`); empty without `groups`."""
    return [] if study.equity is None else [_plain(row) for row in equity_rows(study.equity)]


def _ranking(study: TrainedStudy) -> dict[str, Any]:
    if study.evaluation_result is None:
        return {}
    found = study.evaluation_result.metrics
    return {
        rule: _plain(
            {
                key: value
                for name in ("autoc", "qini", "top_fraction_effect")
                for key, value in (
                    (name, found[rule][name].estimate.value),
                    (f"{name}_se", found[rule][name].estimate.se),
                )
            }
        )
        for rule in RULES
    }


def _evaluation(study: TrainedStudy) -> list[dict[str, Any]]:
    """Every metric on the people kept aside with its interval, benefits (see `evaluation_rows`)."""
    rows = study.evaluation.drop(columns="arm").to_dict("records")
    return [_plain({str(k): v for k, v in row.items()}) for row in rows]


def _policy_value(spec: StudySpec, arms: Mapping[str, TrainedStudy]) -> dict[str, Any]:
    """Benefit (positive is good) per person of the whole population when the top `budget` share is treated, by the best of
    the arms whose verdict is best (a blocked one's value is not to be believed); of a random share beside it; in dollars too where the outcome has a price.

    Nobody outside support is called, so `called`, the share treated, is smaller than `budget` where fewer are in support.
    """
    values = {arm: _arm_value(study, spec.outcome.usd_per_unit) for arm, study in arms.items()}
    known = {arm: v for arm, v in values.items() if v is not None}
    if not known:
        nothing = dict.fromkeys(("value", "se", "random_value", "called", "arm"))
        return {"budget": spec.budget.fraction, **nothing}
    trusted = ("blocked", "fallback", "publish")
    best = max(known, key=lambda arm: (trusted.index(arms[arm].verdict), known[arm]["value"]))
    return {"budget": spec.budget.fraction, **known[best], "arm": best, "by_arm": known}


def _arm_value(study: TrainedStudy, usd_per_unit: float | None) -> dict[str, float] | None:
    result = study.evaluation_result
    if result is None:
        return None
    top: Estimate = result.metrics["learner"]["top_fraction_effect"].estimate
    anyone: Estimate = result.metrics["constant"]["top_fraction_effect"].estimate
    b = result.called
    found = {"value": b * top.value, "se": b * top.se, "random_value": b * anyone.value}
    if usd_per_unit is not None:
        found |= {f"{k}_usd": v * usd_per_unit for k, v in found.items()}
    return {**found, "called": b}


def _placebo(found: PlaceboEstimate) -> dict[str, Any]:
    e = found.estimate
    return _plain({"estimate": e.value, "se": e.se, "ci_low": e.ci_low, "ci_high": e.ci_high})


def _strongest(by_arm: Mapping[str, Mapping[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Per outcome the arm that deviates most, so that one table shows the worst."""
    out: dict[str, dict[str, Any]] = {}
    for found in by_arm.values():
        for name, row in found.items():
            if name not in out or _deviation(row) > _deviation(out[name]):
                out[name] = row
    return out


def _deviation(row: Mapping[str, Any]) -> float:
    """Size in standard errors; what could not be estimated deviates least."""
    if row["estimate"] is None or row["se"] is None:
        return -1.0
    if row["se"] > 0:
        return abs(row["estimate"]) / row["se"]
    return float("inf") if row["estimate"] else 0.0


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: missing numbers become null."""
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}
