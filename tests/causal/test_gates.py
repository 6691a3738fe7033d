"""The thirteen gates together: order, timing, what each status does to the verdict, and that each finds its own defect.

How often sound trials fail a gate is measured at length by `tests/bench/bench_gates.py`; the short form is here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from gate_worlds import Defect, gate_world

from causal.aipw import estimate
from causal.encoding import fit_encoder
from causal.evaluation.rules import evaluate_rules
from causal.folds import cluster_folds
from causal.gates.context import GateContext
from causal.gates.design import design, overlap
from causal.gates.placebo import placebo_outcome
from causal.gates.ranking import calibration, value_at_capacity
from causal.gates.refutation import MAX_SHIFT, refutation, refutation_shifts
from causal.gates.registry import GATE_NAMES, run_gates
from causal.gates.result import GateResult, Status, verdict
from causal.gates.sensitivity import sensitivity
from causal.gates.stability import stability
from causal.nuisance import Nuisances, cross_fit
from causal.options import TrainOptions
from causal.placebo import PlaceboEstimate
from causal.sensitivity import Benchmark, EValue, Sensitivity
from causal.stability import top_overlap
from causal.stopwatch import Stopwatch
from causal.support import SupportBounds
from causal.train import TrainedStudy, train_study
from causal.trial import FollowUp, Trial, make_trial

QUICK = TrainOptions(learners=("linear_dr",), threads=1, refutation_rows=800, refutation_simulations=4)
NEW = ("negative_controls", "refutation", "sensitivity", "equity", "stability")


def status(study: TrainedStudy) -> dict[str, str]:
    return {g.name: g.status for g in study.gates}


def test_the_gates_are_those_of_the_standard_in_its_order() -> None:
    assert GATE_NAMES == (
        "design", "overlap", "balance", "placebo_outcome", "negative_controls", "refutation", "sensitivity",
        "heterogeneity", "beats_simple_rules", "calibration", "value_at_capacity", "equity", "stability",
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("kind", ["randomized", "observational"])
def test_sound_trials_fail_no_gate_that_looks_for_a_defect(kind: str, seed: int) -> None:
    study = train_study(gate_world(kind, 1500, seed), QUICK, seed)  # type: ignore[arg-type]
    found = status(study)
    assert study.verdict != "blocked"
    assert [name for name in NEW if found[name] == "fail"] == [], study.gate_frame.to_string()
    assert all(g.sentence.endswith(".") for g in study.gates)
    timed = {name for name in study.timings if name.startswith("gate_")}
    assert timed == {f"gate_{name}" for name in GATE_NAMES}, "the share of each gate is on record"


@pytest.mark.parametrize(
    ("defect", "gate", "ends"),
    [
        (Defect(hidden=0.7), "negative_controls", "blocked"),
        (Defect(group_effect=1.2), "equity", "fallback"),
    ],
)
def test_each_defect_is_found(defect: Defect, gate: str, ends: str) -> None:
    kind = "observational" if defect.hidden else "randomized"
    study = train_study(gate_world(kind, 3000, 11, defect=defect), QUICK, 1)  # type: ignore[arg-type]
    assert status(study)[gate] == "fail", study.gate_frame.to_string()
    assert study.verdict == ends


def test_a_list_that_the_seed_makes_is_found() -> None:
    """A forest of two trees on pure noise ranks by its seed."""
    options = replace(QUICK, learners=("causal_forest",), n_trees=4, skip_gates=frozenset({"refutation"}))
    study = train_study(gate_world("randomized", 1500, 5, effect=0.0), options, 1)
    assert status(study)["stability"] == "fail", study.gate_frame.to_string()
    assert study.verdict == "fallback"


def one(name: str, state: Status, hard: bool = False) -> GateResult:
    return GateResult(name, "arm", state, hard, None, None, ".")


def test_what_the_new_gates_do_to_the_verdict() -> None:
    sound = [one(name, "pass", name in ("placebo_outcome", "refutation", "calibration")) for name in GATE_NAMES]
    assert verdict(sound) == "publish"
    for at, gate in enumerate(sound):
        if gate.name not in NEW:
            continue
        unclear = [*sound[:at], replace(gate, status="inconclusive"), *sound[at + 1 :]]
        assert verdict(unclear) == "publish", f"{gate.name}: not being able to tell must not hinder"
        failed = [*sound[:at], replace(gate, status="fail"), *sound[at + 1 :]]
        assert verdict(failed) == ("blocked" if gate.name == "refutation" else "fallback")


# --- placebo outcomes -----------------------------------------------------------------------------------------------


def asked_of_placebos(**found: tuple[float, float]) -> GateResult:
    """The gate on placebo outcomes with these effects and errors, in standard deviations; the claimed effect is .4."""
    rng = np.random.default_rng(0)
    placebos = tuple(PlaceboEstimate(name, estimate(v, se, 1000), v, se) for name, (v, se) in found.items())
    y = rng.normal(size=4000)
    trial = SimpleNamespace(arm="call", design="observational", y=y)
    ate = estimate(0.4 * float(np.std(y)), 0.05, 4000)
    return placebo_outcome(SimpleNamespace(trial=trial, placebos=placebos, alpha=0.05, ate=ate))  # type: ignore[arg-type]


def test_a_small_difference_that_is_known_well_hides_no_large_one() -> None:
    """Only the one of the most errors was looked at: a second, harmless placebo outcome let a blocked study publish."""
    large, small, vague = (0.185, 0.027), (0.056, 0.006), (0.1, 0.3)
    for found in ({"large": large}, {"large": large, "small": small}, {"small": small, "vague": vague, "large": large}):
        result = asked_of_placebos(**found)
        assert (result.status, result.value) == ("fail", 0.185)
        assert "`large` already differed" in result.sentence
    clear = asked_of_placebos(small=small, vague=vague)
    assert (clear.status, clear.value) == ("pass", 0.056)
    assert "in `small` after adjustment. `vague` is too imprecise" in clear.sentence
    unknown = asked_of_placebos(vague=vague, other=(0.0, 0.5))
    assert (unknown.status, unknown.value) == ("inconclusive", 0.1)
    assert "`vague`, `other` are too imprecise" in unknown.sentence


def test_a_difference_larger_than_the_effect_is_not_passed_for_another_that_is_small() -> None:
    """A precise placebo outcome that has nothing to do with the choice had turned `inconclusive` into `pass`."""
    for found in ({"b": (0.5, 0.26)}, {"b": (0.5, 0.26), "a": (0.0, 0.01)}):
        result = asked_of_placebos(**found)
        assert (result.status, result.value) == ("inconclusive", 0.5)
        assert "differed by more than the effect in `b`; `b` is too imprecise" in result.sentence
    within = asked_of_placebos(c=(0.19, 0.1), a=(0.0, 0.01))
    assert (within.status, within.value) == ("pass", 0.19)
    assert "within chance and smaller than the effect" in within.sentence
    assert "materially" not in within.sentence


# --- refutation -----------------------------------------------------------------------------------------------------


def prepared(trial: Trial) -> GateContext:
    encoder = fit_encoder(trial.X)
    Z = encoder.transform(trial.X)
    fold = cluster_folds(trial.cluster, trial.t, 3, 0)
    u, _ = cross_fit(
        Z, trial.t, trial.y, trial.weight, trial.known_propensity, fold, trial.outcome_kind, seed=0, threads=1
    )
    inside = (u.propensity > 0.05) & (u.propensity < 0.95)
    return GateContext(trial, encoder, Z, fold, u, inside=inside, refutation_rows=3000, refutation_simulations=4)


def wavy_trial(n: int = 3000, seed: int = 1) -> Trial:
    """Selection and outcome follow one feature, the outcome in waves: only right propensities balance it."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    t = rng.binomial(1, 1 / (1 + np.exp(-1.2 * x[:, 0])))
    y = 2 * np.sin(1.5 * x[:, 0]) + 0.3 * rng.normal(size=n) - 0.3 * t
    return make_trial(pd.DataFrame(x, columns=list("abcd")), t, y, "lower")


def test_dummy_outcome_moves_nothing_when_the_adjustment_is_right() -> None:
    ctx = prepared(wavy_trial())
    before = np.random.get_state()[1].copy()
    shifts = refutation_shifts(ctx)
    assert set(shifts) == set(MAX_SHIFT)
    assert shifts["dummy_outcome"] < 1.5
    assert (np.random.get_state()[1] == before).all(), "the global random state is put back"
    assert refutation_shifts(ctx) == shifts, "the same seed gives the same shifts"


def test_dummy_outcome_finds_propensities_turned_round() -> None:
    """As from a column that codes the arms the other way."""
    ctx = prepared(wavy_trial())
    assert ctx.nuisances is not None
    u = ctx.nuisances
    result = refutation(replace(ctx, nuisances=Nuisances(u.mu0, u.mu1, np.clip(1 - u.propensity, 0.05, 0.95))))
    assert (result.status, result.hard, result.threshold) == ("fail", True, 2.5)
    assert "made up from the features alone" in result.sentence


# --- sensitivity ----------------------------------------------------------------------------------------------------


def judged(multiple: float, held: float, *, limit: float = 0.1, known: float | None = None) -> GateResult:
    n = 200
    trial = make_trial(
        pd.DataFrame({"a": np.arange(n)}), np.arange(n) % 2, np.arange(n) * 1.0, "lower", known_propensity=known
    )
    benchmark = Benchmark("age", (), 0.1, 0.2, 0.15, estimate(held, 0.1, n))
    found = Sensitivity(estimate(1.0, 0.1, n), 0.2, limit, benchmark, multiple, EValue("risk_ratio", 1.5, 2.4, 1.8))
    return sensitivity(GateContext(trial, sensitivity=found))


@pytest.mark.parametrize(
    ("result", "state", "words"),
    [
        (judged(1.4, 0.3), "pass", "1.4 times the strength of `age`"),
        (judged(0.7, -0.2), "inconclusive", "0.7 times"),
        (judged(0.05, -2.0), "fail", "only 0.1 times"),
        (judged(0.05, -2.0, limit=0.0), "inconclusive", "nothing to explain away"),
        (judged(0.05, -2.0, known=0.5), "pass", "Chance decided"),
    ],
)
def test_sensitivity_answers(result: GateResult, state: str, words: str) -> None:
    assert (result.status, result.hard, result.value, result.threshold) == (state, False, 0.2, 0.15)
    assert words in result.sentence
    assert "E-value 2.40" in result.sentence


# --- stability ------------------------------------------------------------------------------------------------------


def ranked_by(own: np.ndarray, other: np.ndarray, previous: np.ndarray | None = None) -> GateResult:
    n = len(own)
    trial = make_trial(pd.DataFrame({"a": np.arange(n)}), np.arange(n) % 2, np.arange(n) * 1.0, "lower")
    return stability(GateContext(trial, benefit=own, reseeded=lambda: other, previous=previous, reach=0.2))


def test_stability_answers() -> None:
    rng = np.random.default_rng(0)
    own = rng.normal(size=2000)
    near, far = own + 0.2 * rng.normal(size=2000), rng.normal(size=2000)
    assert ranked_by(own, own).value == 1.0
    assert ranked_by(own, near).status == "pass"
    assert ranked_by(own, far).status == "fail"
    assert ranked_by(own, far).value == pytest.approx(0.2, abs=0.06)
    assert "ranks nobody" in ranked_by(np.zeros(2000), far).sentence
    same = ranked_by(own, near, previous=near)
    assert same.status == "pass"
    assert "the model that serves now" in same.sentence
    assert ranked_by(own, near, previous=far).status == "inconclusive"
    assert ranked_by(own, near, previous=near + 5).status == "inconclusive", "same order, other promises"
    assert ranked_by(own, near, previous=np.full(2000, np.nan)).status == "pass"


def test_overlap_fails_where_features_all_but_decide_although_few_are_out_of_support() -> None:
    trial = gate_world("observational", 400, 1)
    chance = np.where(trial.t == 1, 0.975, 0.025)
    few = np.arange(trial.n) < 0.05 * trial.n
    chance[few] = np.where(trial.t[few] == 1, 0.9999, 0.0001)
    u = Nuisances(np.zeros(trial.n), np.zeros(trial.n), chance)
    found = overlap(GateContext(trial, nuisances=u, bounds=SupportBounds(0.02, 0.98), inside=~few))
    assert found.status == "fail"
    assert "few have comparable people" in found.sentence


def test_top_overlap() -> None:
    assert top_overlap(np.array([4.0, 3, 2, 1]), np.array([4.0, 1, 2, 3]), 0.5) == 0.5
    assert top_overlap(np.array([4.0, 3, 2, 1]), np.array([np.nan, 3, 2, 1]), 0.5) == 0.5
    assert top_overlap(np.arange(10.0), np.arange(10.0), 0.05) == 1.0
    tied, finer = np.array([0.0, 1, 1, 1, 1]), np.array([0.0, 1, 2, 3, 4])
    assert top_overlap(tied, finer, 0.4) == top_overlap(finer, tied, 0.4) == 1.0, "equal ranks contradict nobody"
    assert top_overlap(tied, -finer, 0.4) == 0.5
    assert top_overlap(np.zeros(5), finer, 0.4) == 0.4, "no order at all is no agreement"


def test_the_last_champion_is_compared(world) -> None:
    options = replace(QUICK, learners=("causal_forest",), n_trees=60, skip_gates=frozenset({"refutation"}))
    made = world("randomized", 1500, seed=1)
    first = train_study(made.trial, options, 1)
    again = train_study(made.trial, options, 2, previous=first.scorer)
    assert "the model that serves now" in {g.name: g.sentence for g in again.gates}["stability"]
    assert "serves now" not in {g.name: g.sentence for g in first.gates}["stability"]


# --- ranking --------------------------------------------------------------------------------------------------------


def measured(predicted: float, level: float, slope: float) -> GateContext:
    """Predictions around `predicted`; measured benefits around `level` that differ `slope` times as much."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=4000)
    found = evaluate_rules(
        predicted + 0.1 * x, x, level + 0.1 * slope * x + 0.1 * rng.normal(size=4000),
        np.arange(4000), np.ones(4000), fraction=0.2, seed=0,
    )  # fmt: skip
    return GateContext(SimpleNamespace(arm="call"), evaluation=found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("slope", "words"),
    [
        (0.87, "Differences in benefit are smaller than predicted: 0.87"),
        (1.0, "Differences in benefit can be of the size predicted: 1.00"),
        (1.3, "Differences in benefit are larger than predicted (the model is cautious): 1.3"),
    ],
)
def test_calibration_says_what_its_interval_says(slope: float, words: str) -> None:
    result = calibration(measured(1.0, 1.0, slope))
    assert result.status == "pass"
    assert result.sentence.startswith(words)


def test_outreach_that_the_model_expects_to_harm_is_not_said_to_help() -> None:
    right, wrong = (value_at_capacity(measured(level, 0.3, 1.0)) for level in (0.3, -1.0))
    assert (right.status, right.sentence) == (
        "pass",
        f"Outreach to the top 20% helps: {right.value:.3g} per person, 0% expected harmed.",
    )
    assert (wrong.status, wrong.value, wrong.hard) == ("inconclusive", right.value, False)
    assert "the model expects harm for 100% of them and would not have them called." in wrong.sentence


# --- design ---------------------------------------------------------------------------------------------------------


def test_outcomes_read_before_run_out_fail_the_design() -> None:
    trial = gate_world("randomized", 400, 1)
    seen = date(2026, 11, 1)
    early = replace(trial, follow_up=FollowUp(date(2026, 11, 20), seen))
    result = design(GateContext(early))
    assert (result.status, result.value) == ("fail", 19.0)
    assert "too early" in result.sentence
    assert verdict(run_gates(GateContext(early))) == "fallback"
    ready = replace(trial, follow_up=FollowUp(seen, seen))
    assert design(GateContext(ready)).status == "pass"
    assert "run-out are complete" in design(GateContext(ready)).sentence
    assert early.rows(np.arange(100)).follow_up == early.follow_up


def test_gates_not_asked_are_not_timed() -> None:
    watch = Stopwatch()
    few = gate_world("randomized", 400, 1).rows(np.arange(30))
    results = run_gates(GateContext(few), watch=watch)
    assert [r.name for r in results] == list(GATE_NAMES)
    assert set(watch.seconds) == {"gate_design"}
    assert all(r.status == "inconclusive" for r in results[1:])


def test_scores_used_by_the_gates_are_the_studys() -> None:
    """The effect behind the negative controls is the average effect that the study publishes."""
    trial = gate_world("observational", 1500, 4)
    study = train_study(trial, replace(QUICK, skip_gates=frozenset({"refutation"})), 2)
    assert study.negative_controls is not None
    assert study.ate is not None
    spread = float(np.std(trial.y))
    assert study.negative_controls.effect.value * spread == pytest.approx(study.ate.value)
    assert study.negative_controls.effect.se * spread == pytest.approx(study.ate.se, rel=1e-6)
    p = study.predictions
    assert p.loc[p["in_support"], "gamma"].mean() == pytest.approx(study.ate.value)


def test_weighting_by_the_chance_of_an_offer_balances_what_decided_it() -> None:
    from causal.gates.design import balance_frame

    rng = np.random.default_rng(2)
    Z = rng.normal(size=(4000, 2))
    e = 1 / (1 + np.exp(-Z[:, 0]))
    t = rng.binomial(1, e)
    found = balance_frame(["chosen by", "not"], Z, t, e, np.ones(4000)).set_index("covariate")
    assert found.loc["chosen by", "smd_before"] > 0.7
    assert (found["smd_after"] < 3 * found["smd_after_se"]).all()
