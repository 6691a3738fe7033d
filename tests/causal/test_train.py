"""`train_study` on worlds with known truth: what must publish publishes, what must not does not."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causal.gates.registry import GATE_NAMES
from causal.options import DEFAULT_LEARNERS, TrainOptions
from causal.scorer import SCORE_COLUMNS
from causal.train import TrainedStudy, train_study
from causal.trial import make_trial
from contracts.errors import ConfigError, DesignError
from contracts.programs import programs

ROOT = Path(__file__).resolve().parents[2]


def status(study: TrainedStudy) -> dict[str, str]:
    return {g.name: g.status for g in study.gates}


def test_a_randomised_trial_with_a_real_difference_publishes(randomized) -> None:
    world, study = randomized
    assert study.verdict == "publish", study.gate_frame.to_string()
    assert tuple(g.name for g in study.gates) == GATE_NAMES
    assert abs(study.ate.value - world.tau.mean()) < 3 * study.ate.se
    assert study.ate.se < 0.1


def test_the_forest_finds_those_who_benefit_better_than_risk_does(randomized) -> None:
    world, study = randomized
    cate = study.predictions["cate"].to_numpy()
    top = np.argsort(cate)[: len(cate) // 5]
    riskiest = np.argsort(-world.risk)[: len(cate) // 5]
    assert world.tau[top].mean() < -1.0
    assert world.tau[top].mean() < world.tau[riskiest].mean() - 0.3


def test_person_intervals_cover_the_truth_mostly(randomized) -> None:
    world, study = randomized
    p = study.predictions
    covered = (p["cate_lower"] <= world.tau) & (world.tau <= p["cate_upper"])
    # The effect jumps at f1 = 0, where any forest is wrong; away from the jump the interval has to hold.
    away = np.abs(world.trial.X["f1"].to_numpy()) > 0.3
    assert covered[away].mean() > 0.88, covered[away].mean()
    assert (p["cate_lower"] <= p["cate"]).all()
    assert (p["cate"] <= p["cate_upper"]).all()


def test_hidden_selection_is_caught_by_the_placebo_outcome(world: Callable, quick: TrainOptions) -> None:
    study = train_study(world("hidden", 2500, seed=2).trial, quick, seed=5)
    assert status(study)["placebo_outcome"] == "fail"
    assert study.verdict == "blocked"


def test_measured_selection_is_adjusted_and_passes_the_placebo(world: Callable, quick: TrainOptions) -> None:
    made = world("observational", 2500, seed=3)
    study = train_study(made.trial, quick, seed=5)
    assert abs(study.naive_difference - made.tau.mean()) > 0.25, "the naive difference should be confounded"
    assert abs(study.ate.value - made.tau.mean()) < 3 * study.ate.se
    assert status(study)["placebo_outcome"] != "fail"
    assert status(study)["refutation"] != "fail"


def test_no_effect_is_never_published(world: Callable, quick: TrainOptions) -> None:
    """Chance may show a ranking backwards by 2.6 standard errors, one split in a hundred: that one is blocked, not published."""
    options = TrainOptions(
        learners=quick.learners, n_trees=60, threads=1, skip_gates=frozenset({"refutation", "placebo_outcome"})
    )
    found = [train_study(world("null", 1500, seed=seed).trial, options, seed=seed).verdict for seed in (1, 2, 3, 4)]
    assert set(found) <= {"fallback", "blocked"}, found
    assert found.count("blocked") <= 1, found


def test_the_same_seed_gives_the_same_numbers_in_another_process_with_other_threads(world: Callable) -> None:
    script = (
        "import sys; sys.path.insert(0, 'tests/causal')\n"
        "from conftest import make_world\n"
        "from causal.options import TrainOptions\n"
        "from causal.train import train_study\n"
        "o = TrainOptions(learners=('constant', 'causal_forest'), n_trees=20, threads={threads},"
        " refutation_simulations=1, refutation_rows=400)\n"
        "s = train_study(make_world('observational', 700, seed=4).trial, o, seed=9)\n"
        "print(s.predictions.to_json(double_precision=15), s.evaluation.to_json(double_precision=15),"
        " s.gate_frame.to_json(double_precision=15))\n"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", script.format(threads=n)], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for n in (1, 3)
    ]
    assert len(answers[0]) > 10_000
    assert answers[0] == answers[1]


@pytest.mark.parametrize("case", ["few", "no_events", "empty_arm", "no_rows", "no_features"])
def test_poor_data_fall_back_and_say_why(case: str) -> None:
    rng = np.random.default_rng(0)
    n = {"few": 60, "no_rows": 0}.get(case, 600)
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.choice(["x", "y"], n)})
    if case == "no_features":
        X = X.assign(a=1.0, b="x")
    t = np.zeros(n) if case == "empty_arm" else rng.binomial(1, 0.3, n)
    y = np.zeros(n) if case == "no_events" else rng.binomial(1, 0.3, n)
    study = train_study(make_trial(X, t, y, "lower"), TrainOptions(threads=1), seed=1)
    assert study.verdict == "fallback"
    assert study.gates[0].status == "fail"
    assert study.gates[0].sentence.endswith(".")
    assert study.predictions[["propensity", "baseline", "in_support"]].notna().all(axis=None)
    scored = study.scorer.score(pd.DataFrame({"a": [0.1, np.nan], "b": ["x", "new"]}))
    assert scored["cate"].isna().all()
    assert list(scored.columns) == list(SCORE_COLUMNS)


def test_the_scorer_takes_any_batch(randomized) -> None:
    world, study = randomized
    scorer = pickle.loads(pickle.dumps(study.scorer))
    X = world.trial.X
    scored = scorer.score(X.head(50))
    pd.testing.assert_frame_equal(scored, study.scorer.score(X.head(50)))
    halves = pd.concat([scorer.score(X.iloc[:20]), scorer.score(X.iloc[20:50])])
    pd.testing.assert_frame_equal(scored, halves)
    assert len(scorer.score(X.head(0))) == 0
    assert list(scorer.score(X.head(0)).columns) == list(SCORE_COLUMNS)
    nothing = scorer.score(pd.DataFrame(np.nan, index=range(3), columns=X.columns))
    assert nothing["cate"].notna().all()
    with pytest.raises(DesignError, match="f0"):
        scorer.score(X.drop(columns="f0"))
    assert (scored["reason_contribution_1"].dropna() > 0).all()
    benefiting = scored[scored["cate"] < -0.6]
    assert (benefiting["reason_feature_1"] == "f1").mean() > 0.9


def test_people_without_comparables_get_no_estimate() -> None:
    rng = np.random.default_rng(3)
    n = 3000
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["a", "b", "c"])
    t = np.where(X["a"] > 1.0, 1, rng.binomial(1, 0.4, n))
    trial = make_trial(X, t, rng.normal(size=n) + X["a"], "higher")
    study = train_study(trial, TrainOptions(learners=("constant", "causal_forest"), n_trees=40, threads=1), seed=2)
    alone = X["a"].to_numpy() > 1.3
    inside = study.predictions["in_support"]
    assert inside[alone].mean() < 0.05
    assert inside[~alone].mean() > 0.8
    assert study.predictions["cate"][~inside].isna().all()
    scored = study.scorer.score(X)
    assert scored["cate"][~scored["in_support"]].isna().all()
    assert (~scored["in_support"])[alone].mean() > 0.95


def test_malformed_trials_name_the_field() -> None:
    X = pd.DataFrame({"a": [1.0, 2.0]})
    with pytest.raises(DesignError, match="`t`"):
        make_trial(X, np.array([0, 2]), np.array([0.0, 1.0]), "lower")
    with pytest.raises(DesignError, match="`y`"):
        make_trial(X, np.array([0, 1]), np.array([0.0, np.nan]), "lower")
    with pytest.raises(DesignError, match="`known_propensity`"):
        make_trial(X, np.array([0, 1]), np.array([0.0, 1.0]), "lower", known_propensity=1.0)
    with pytest.raises(ConfigError, match="learners"):
        TrainOptions(learners=("magic",))
    with pytest.raises(ConfigError, match="learners"):
        TrainOptions(learners=("constant", "relative_lasso")).for_outcome("continuous")
    assert TrainOptions(learners=("relative_lasso",)).for_outcome("count").learners == ("relative_lasso",)
    assert set(DEFAULT_LEARNERS) - set(TrainOptions().for_outcome("continuous").learners) == {"relative_lasso"}
    assert TrainOptions().for_outcome("binary").learners == DEFAULT_LEARNERS


def test_the_places_for_all_people_are_theirs_who_can_be_ranked() -> None:
    assert TrainOptions(budget_fraction=0.3).reach(1.0) == 0.3
    assert TrainOptions(budget_fraction=0.3).reach(0.6) == 0.5
    assert TrainOptions(budget_fraction=0.3).reach(0.2) == 1.0
    nightly = TrainOptions(budget_fraction=0.01, reach_limits=(0.1, 0.5))
    assert (nightly.reach(1.0), nightly.reach(0.5), nightly.reach(0.001)) == (0.1, 0.1, 0.5)


@pytest.mark.parametrize(("eligible", "all_ranked", "half_ranked"), [(0.5, 0.5, 0.5), (4, 0.25, 0.5), (40, 0.1, 0.1)])
def test_a_program_is_judged_at_its_reach_of_those_ranked(
    eligible: float, all_ranked: float, half_ranked: float
) -> None:
    """`eligible` times as many members as a cool-down has places for."""
    from jobs.train import _options

    program = next(iter(programs().programs.values()))
    n = int(eligible * program.capacity_per_night * program.cooldown_days)
    options = _options(program, pd.DataFrame({"index_date": np.full(n, "2026-01-01")}))
    assert (options.reach(1.0), options.reach(0.5)) == pytest.approx((all_ranked, half_ranked))
