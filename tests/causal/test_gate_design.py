"""Can the rows answer the question: who was lost, what was measured after the offer, what the weights leave."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causal.aipw import aipw_scores, effective_clusters, effective_share, mean_estimate, unmodelled_effects
from causal.encoding import fit_encoder
from causal.gates.context import GateContext
from causal.gates.design import balance, design, standardised_differences
from causal.gates.refutation import refutation
from causal.levels import merged_levels
from causal.nuisance import Nuisances
from causal.options import TrainOptions
from causal.study import run_study
from causal.train import train_study
from causal.trial import Trial, make_trial
from contracts.study import StudySpec


def spec(**changes: object) -> StudySpec:
    return StudySpec.model_validate(
        {
            "name": "lost",
            "data": "lost.csv",
            "treatment": {"column": "t", "control": 0, "treated": [1]},
            "outcome": {"column": "y", "better": "higher"},
            "assignment": {"randomized": 0.5},
            "learners": ["linear_dr"],
            **changes,
        }
    )


def trial_frame(n: int, seed: int, lost: tuple[float, float]) -> pd.DataFrame:
    """People whose hidden part decides who of them is lost; `lost` shares of control and of those offered."""
    draw = np.random.default_rng(seed)
    a, hidden, t = draw.normal(size=n), draw.normal(size=n), draw.integers(0, 2, n)
    y = a + hidden + 0.1 * t + draw.normal(size=n)
    chance = np.where(t == 1, lost[1], lost[0])
    y[(hidden < 0) & (draw.uniform(size=n) < 2 * chance)] = np.nan
    return pd.DataFrame({"t": t, "y": y, "a": a})


def test_a_trial_that_lost_more_of_one_arm_tells_no_effect() -> None:
    result = run_study(trial_frame(2000, 1, (0.0, 0.25)), spec())
    gate = result.facts["gates"][0]
    assert (gate["name"], gate["status"], gate["hard"]) == ("design", "fail", True)
    assert result.facts["verdict"] == {"1": "blocked"}
    assert result.facts["estimates"]["1"]["ate"] is None, "people left by choice were passed for a trial"
    shares = result.facts["outcome_missing"]["1"]
    assert shares["control"] == 0.0
    assert 0.2 < shares["treated"] < 0.3
    assert f"{shares['treated']:.1%}" in gate["sentence"]


@pytest.mark.parametrize(
    ("assignment", "lost"),
    [({"randomized": 0.5}, (0.2, 0.2)), ({"randomized": 0.5}, (0.02, 0.05)), ("observational", (0.0, 0.25))],
)
def test_losses_that_chance_or_people_explain_are_told_and_no_more(
    assignment: object, lost: tuple[float, float]
) -> None:
    result = run_study(trial_frame(2000, 2, lost), spec(assignment=assignment))
    gate = result.facts["gates"][0]
    assert gate["status"] == "pass", gate
    assert "is not known; they are left out" in gate["sentence"]


def test_losses_are_compared_among_people_with_one_chance_of_an_offer() -> None:
    """Who is offered more often is lost more often: the plain shares differ, the weighted ones do not."""
    draw = np.random.default_rng(3)
    n = 6000
    high = draw.integers(0, 2, n)
    p = np.where(high == 1, 0.8, 0.2)
    t = (draw.uniform(size=n) < p).astype(int)
    y = np.where(draw.uniform(size=n) < 0.4 * high, np.nan, draw.normal(size=n))
    frame = pd.DataFrame({"t": t, "y": y, "a": draw.normal(size=n), "p": p})
    lost = frame["y"].isna()
    assert lost[t == 1].mean() - lost[t == 0].mean() > 0.15
    gate = run_study(frame, spec(assignment={"randomized": {"column": "p"}})).facts["gates"][0]
    assert gate["status"] == "pass", gate


def judged(trial: Trial) -> GateContext:
    """What `balance` looks at, without models."""
    encoder = fit_encoder(trial.X)
    e = np.where(np.isnan(trial.known_propensity), trial.t.mean(), trial.known_propensity)
    zero, fold = np.zeros(trial.n), np.arange(trial.n) % 5
    return GateContext(
        trial,
        encoder,
        Z=encoder.transform(trial.X),
        fold=fold,
        merged=merged_levels(trial, encoder, fold, e),
        nuisances=Nuisances(zero, zero, e),
        inside=np.ones(trial.n, dtype=bool),
    )


def levels_trial(seed: int, n: int = 4000, *, decide: float, known: float = np.nan) -> Trial:
    """Two hundred diagnoses, most of them rare, by whose burden people were offered."""
    draw = np.random.default_rng(seed)
    often = 1 / np.arange(1, 201)
    diagnosis, burden = draw.choice(200, n, p=often / often.sum()), draw.normal(size=200)
    chance = 1 / (1 + np.exp(-decide * burden[diagnosis]))
    X = pd.DataFrame({"x": draw.normal(size=n), "diagnosis": [f"D{d}" for d in diagnosis]})
    t = (draw.uniform(size=n) < chance).astype(int)
    return make_trial(X, t, draw.normal(size=n), "higher", known_propensity=known)


def test_levels_too_rare_to_adjust_for_hold_a_study_back_where_they_decided_who_was_offered() -> None:
    gate = balance(judged(levels_trial(0, decide=1.0)))
    assert gate.status == "fail"
    assert gate.sentence.startswith("`diagnosis` has levels too many or too rare")
    drawn = judged(levels_trial(0, decide=1.0, known=0.5))
    assert drawn.encoder is not None
    assert drawn.fold is not None
    assert merged_levels(drawn.trial, drawn.encoder, drawn.fold, np.full(4000, 0.5)).columns == (), (
        "lots need no such look"
    )


def test_the_table_of_balance_holds_what_the_gate_found_of_rare_levels() -> None:
    options = TrainOptions(learners=("linear_dr",), threads=1, skip_gates=frozenset({"refutation", "stability"}))
    study = train_study(levels_trial(0, decide=1.0), options, 1)
    (gate,) = (gate for gate in study.gates if gate.name == "balance")
    worst = study.balance.loc[study.balance["smd_after"].idxmax()]
    assert worst["covariate"] == "diagnosis (levels not told apart)"
    assert worst["smd_after"] == pytest.approx(gate.value)


def test_rare_levels_that_decided_nothing_hold_no_study_back() -> None:
    """Twenty studies of 8,000: the limit is three standard errors of what chance makes of pairs of people of a level."""
    for seed in range(20):
        trial = levels_trial(seed, 8000, decide=0.0)
        found = judged(trial)
        assert found.fold is not None
        assert found.encoder is not None
        excess = merged_levels(trial, found.encoder, found.fold, np.full(trial.n, 0.5)).excess
        gap, _ = standardised_differences(excess, trial.t, trial.weight)
        assert gap[0] < 0.1, seed
        assert np.mean(excess == 0) > 0.5, "of people whose diagnosis is told"
        assert balance(found).status != "fail", seed


def test_a_feature_that_the_offer_changed_blocks_a_trial_and_is_named() -> None:
    draw = np.random.default_rng(4)
    n = 20_000
    t, a = draw.integers(0, 2, n), draw.normal(size=n)
    y = a + 0.1 * t + draw.normal(size=n)
    X = pd.DataFrame({"a": a, "second_outcome": y + draw.normal(0, 0.1, n)})
    gate = balance(judged(make_trial(X, t, y, "higher", known_propensity=0.5)))
    assert (gate.status, gate.hard) == ("fail", True)
    assert gate.value is not None
    assert gate.value < 0.1, "the usual limit does not see it"
    assert "`second_outcome`" in gate.sentence


def test_chance_alone_never_looks_like_a_feature_from_after_the_offer() -> None:
    """Few offered, rare kinds of people, heavy tails, lots drawn by cluster: 40 trials of 60 features."""
    for seed in range(40):
        draw = np.random.default_rng(seed)
        cluster = np.repeat(np.arange(400), 5)
        drawn = draw.uniform(size=400) < 0.03 if seed % 2 else np.arange(400) % 2 == 0
        t = draw.permutation(drawn)[cluster].astype(int)
        shared = draw.normal(size=(400, 20))[cluster]
        rare = (draw.uniform(size=(2000, 20)) < 0.02).astype(float)
        heavy = np.exp(draw.normal(0, 2, size=(2000, 20)))
        X = pd.DataFrame(np.hstack([shared, rare, heavy])).add_prefix("x")
        known = 0.03 if seed % 2 else 0.5
        gate = balance(
            judged(make_trial(X, t, draw.normal(size=2000), "higher", cluster=cluster, known_propensity=known))
        )
        assert not gate.hard, (seed, gate.sentence)


def test_a_rare_kind_of_people_who_were_not_drawn_is_chance() -> None:
    """3 % are offered; of fifty people of a kind nobody is, which lots bring about in one of five trials."""
    draw = np.random.default_rng(9)
    n = 5000
    t = np.zeros(n, dtype=int)
    t[:150] = 1
    rare = np.zeros(n)
    rare[-50:] = 1
    X = pd.DataFrame({"a": draw.normal(size=n), "rare": rare})
    gate = balance(judged(make_trial(X, t, draw.normal(size=n), "higher", known_propensity=0.03)))
    assert not gate.hard, gate.sentence


def test_a_feature_that_is_the_outcome_blocks_what_people_decided() -> None:
    draw = np.random.default_rng(5)
    n = 800
    a, t = draw.normal(size=n), draw.integers(0, 2, n)
    y = a + 0.3 * t + draw.normal(size=n)
    for leak, found in ((10 * y + 3, True), (y + draw.normal(0, 0.3, n), False)):
        gate = balance(judged(make_trial(pd.DataFrame({"a": a, "leak": leak}), t, y, "higher")))
        assert (gate.status == "fail" and gate.hard and "`leak`" in gate.sentence) is found, gate


def test_weights_that_leave_nobody_are_too_few_people() -> None:
    draw = np.random.default_rng(6)
    n = 600
    weight = np.exp(draw.normal(0, 3, n))
    X, t, y = pd.DataFrame({"a": draw.normal(size=n)}), draw.integers(0, 2, n), draw.normal(size=n)
    gate = design(GateContext(make_trial(X, t, y, "higher", weight=weight, known_propensity=0.5)))
    assert gate.status == "fail"
    assert "weights" in gate.sentence
    assert (
        design(GateContext(make_trial(X, t, y, "higher", weight=np.full(n, 7.0), known_propensity=0.5))).status
        == "pass"
    )
    one = np.ones(n)
    one[0] = 1e9
    assert unmodelled_effects(t, y, np.full(n, 0.5), np.arange(n), one) == (None, None)


def test_couples_who_are_all_alike_say_nothing_of_the_error() -> None:
    """One of each couple had the outcome: the rows of an arm differ, its clusters do not. It ended in a division by zero."""
    couple = np.arange(48) // 2
    y = (np.arange(48) % 2).astype(float)
    assert unmodelled_effects(couple % 2, y, np.full(48, 0.5), couple, np.ones(48)) == (None, None)
    assert unmodelled_effects(couple % 2, y + 0.1 * couple, np.full(48, 0.5), couple, np.ones(48))[0] is not None


def test_what_weights_leave() -> None:
    assert effective_share(np.full(9, 3.0)) == pytest.approx(1.0)
    assert effective_share(np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(0.25)
    assert effective_share(np.array([1e200, 1e200])) == pytest.approx(1.0)
    assert effective_share(np.zeros(3)) == 0.0


def test_an_outcome_that_only_the_offered_can_have_is_not_refuted() -> None:
    draw = np.random.default_rng(7)
    n = 1500
    X = pd.DataFrame({"a": draw.normal(size=n), "b": draw.normal(size=n)})
    t = (draw.uniform(size=n) < 1 / (1 + np.exp(-0.5 * X["a"]))).astype(int).to_numpy()
    y = (t * (draw.uniform(size=n) < 0.3)).astype(float)
    ctx = judged(make_trial(X, t, y, "higher"))
    gate = refutation(GateContext(**{**vars(ctx), "refutation_rows": 1500, "refutation_simulations": 3}))
    assert gate.status != "fail", gate.sentence


def test_a_difference_in_means_of_few_clusters_holds_the_truth_as_often_as_it_says() -> None:
    """Ten clusters, five offered; normal limits would hold it in 90 %."""
    draw = np.random.default_rng(8)
    held = 0
    for _ in range(1500):
        cluster = np.repeat(np.arange(10), 20)
        t = draw.permutation(np.arange(10) % 2)[cluster]
        y = draw.normal(0, 0.3, 10)[cluster] + draw.normal(size=200)
        ate, _ = unmodelled_effects(t, y, np.full(200, 0.5), cluster, np.ones(200))
        assert ate is not None
        held += ate.ci_low <= 0 <= ate.ci_high
    assert 0.93 < held / 1500 < 0.97


@pytest.mark.parametrize(
    ("n", "share", "size", "varies"),
    [(200, 0.05, 1, False), (60, 0.15, 1, False), (400, 0.1, 1, True), (400, 0.2, 4, False)],
)
def test_a_difference_in_means_holds_the_truth_where_arms_are_unequal(
    n: int, share: float, size: int, varies: bool
) -> None:
    """Also where chance offered fewer than it should have: the error went by the share expected, and held in 74 to 85 %."""
    held, few, alike = [], [], []
    for seed in range(1500):
        draw = np.random.default_rng(seed)
        cluster, x = np.arange(n) // size, draw.uniform(size=n)
        chance = np.where(x < 0.5, share, 2 * share) if varies else np.full(n, share)
        t = (draw.uniform(size=n) < chance).astype(int)
        y = draw.normal(size=n) * (1 + t) + draw.normal(size=n)[cluster] * (size > 1) + varies * x + 0.3 * t
        ate, att = unmodelled_effects(t, y, chance, cluster, np.ones(n))
        if ate is None or att is None:
            continue
        held.append((ate.ci_low <= 0.3 <= ate.ci_high, att.ci_low <= 0.3 <= att.ci_high))
        few.append(t.sum() < 0.85 * chance.sum())
        alike.append(varies or (ate.value, ate.se) == pytest.approx((att.value, att.se)))
    of_all, of_few = np.mean(held, axis=0), np.mean(np.array(held)[few], axis=0)
    assert ((of_all > 0.93) & (of_all < 0.97)).all(), of_all
    assert (of_few > 0.91).all(), of_few
    assert all(alike), "with one chance for all, the effect of everyone is that of the treated, and so is its error"


def test_an_arm_that_is_all_alike_gives_no_interval() -> None:
    """Its spread, zero, would say that its mean is known."""
    t, n = np.repeat([1, 0], [20, 180]), 200
    y = np.where(t == 1, 0, np.arange(n) % 20 == 0).astype(float)
    assert unmodelled_effects(t, y, np.full(n, 0.1), np.arange(n), np.ones(n)) == (None, None)


@pytest.mark.parametrize("found", ["the outcome", "the arms", "what was before"])
def test_a_copy_of_the_outcome_or_of_the_arms_blocks_a_trial(found: str) -> None:
    """What was before may go with the outcome as closely as it likes; a small effect then tells it from a copy."""
    draw = np.random.default_rng(8)
    a, t = draw.normal(size=900), draw.integers(0, 2, 900)
    y = a + 0.02 * t
    leak = {"the outcome": 10 * y + 3, "the arms": t.astype(float), "what was before": a}[found]
    gate = balance(judged(make_trial(pd.DataFrame({"leak": leak}), t, y, "higher", known_propensity=0.5)))
    assert (gate.status == "fail" and gate.hard and "`leak`" in gate.sentence) is (found != "what was before"), gate


@pytest.mark.parametrize("outcome", [3.0, 1.0, 0.0, 2.5])
def test_an_outcome_that_is_the_same_for_everyone_is_a_fallback(outcome: float) -> None:
    draw = np.random.default_rng(10)
    frame = pd.DataFrame({"t": draw.integers(0, 2, 400), "y": outcome, "a": draw.normal(size=400)})
    result = run_study(frame, spec())
    assert result.facts["verdict"] == {"1": "fallback"}
    assert result.facts["gates"][0]["status"] == "fail"


def test_one_cluster_of_half_the_rows_leaves_few() -> None:
    draw = np.random.default_rng(11)
    n = 1200
    t, y, X = draw.integers(0, 2, n), draw.normal(size=n), pd.DataFrame({"a": draw.normal(size=n)})
    even = np.arange(n) // 4
    giant = np.where(np.arange(n) < n // 2, 0, even)
    made = {
        name: make_trial(X, t, y, "higher", cluster=c, known_propensity=0.5) for name, c in (("e", even), ("g", giant))
    }
    assert design(GateContext(made["e"])).status == "pass"
    gate = design(GateContext(made["g"]))
    assert gate.status == "fail"
    assert "Unequal weights or sizes leave as much to learn from as 3 people" in gate.sentence
    assert unmodelled_effects(t, y, np.full(n, 0.5), giant, np.ones(n)) == (None, None)


def test_effective_clusters() -> None:
    assert effective_clusters(np.ones(6), np.array([0, 0, 1, 1, 2, 2])) == pytest.approx(3.0)
    assert effective_clusters(np.ones(4), np.array([0, 0, 0, 1])) == pytest.approx(16 / 10)
    assert effective_clusters(np.array([1.0, 1.0, 0.0]), np.arange(3)) == pytest.approx(2.0)


@pytest.mark.parametrize(("largest", "low", "high"), [(0.0, 0.93, 0.97), (0.25, 0.87, 0.93), (0.5, 0.60, 0.70)])
def test_a_large_cluster_makes_an_error_too_small(largest: float, low: float, high: float) -> None:
    """Why sizes count: coverage at nominal 95 % of 151 clusters with an effect of none, one of which has a share of all rows."""
    draw = np.random.default_rng(0)
    sizes = np.full(151, 8)
    sizes[0] = round(largest / (1 - largest) * 8 * 150) or 8
    cluster = np.repeat(np.arange(151), sizes)
    held = 0
    for _ in range(600):
        t = draw.integers(0, 2, 151)[cluster]
        y = draw.normal(0, 0.5, 151)[cluster] + draw.normal(size=len(cluster))
        mu1, mu0 = (np.full(len(y), y[t == arm].mean()) for arm in (1, 0))
        found = mean_estimate(aipw_scores(t, y, mu0, mu1, np.full(len(y), 0.5)), cluster)
        held += found.ci_low < 0 < found.ci_high
    assert low < held / 600 < high, held / 600
