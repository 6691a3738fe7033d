"""The empirical null against brute force, closed forms and the R package, its coverage, and the gate that reads it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from gate_worlds import Defect, gate_world
from scipy.stats import multivariate_normal, norm

from causal.aipw import aipw_scores, estimate
from causal.empirical_null import calibrate, fit_null
from causal.encoding import fit_encoder
from causal.folds import cluster_folds
from causal.gates.context import GateContext
from causal.gates.controls import MIN_CONTROLS
from causal.gates.controls import negative_controls as gate
from causal.negative_controls import NegativeControls, negative_controls
from causal.nuisance import cross_fit
from causal.placebo import placebo_estimates
from causal.trial import Placebo, Trial, make_trial


def test_independent_errors_give_the_papers_maximum_likelihood() -> None:
    rng = np.random.default_rng(0)
    se = rng.uniform(0.05, 0.3, 30)
    x = 0.1 + 0.2 * rng.normal(size=30) + se * rng.normal(size=30)
    found = fit_null(x, se**2)
    grid = [
        (norm.logpdf(x, mu, np.hypot(sd, se)).sum(), mu, sd)
        for mu in np.linspace(-0.2, 0.4, 121)
        for sd in np.linspace(0, 0.6, 121)
    ]
    _, mu, sd = max(grid)
    assert found.mean == pytest.approx(mu, abs=0.005)
    assert found.sd == pytest.approx(sd, abs=0.005)
    assert norm.logpdf(x, found.mean, np.hypot(found.sd, se)).sum() >= max(grid)[0] - 1e-9


def test_equal_errors_have_a_closed_form() -> None:
    x = np.array([0.3, -0.1, 0.5, 0.2, 0.0, 0.4])
    found = fit_null(x, np.full(6, 0.1**2))
    assert found.mean == pytest.approx(x.mean())
    assert found.sd == pytest.approx(np.sqrt(x.var() - 0.1**2), rel=1e-4)
    assert fit_null(x, np.full(6, 1.0)).sd == 0.0


def test_numbers_of_the_r_package() -> None:
    """EmpiricalCalibration: `fitNull(c(1, 2), c(0, 0))` has mean 1.5; a null of N(0, 0) leaves p-values as they are."""
    assert fit_null(np.array([1.0, 2.0]), np.array([1e-12, 1e-12])).mean == pytest.approx(1.5, abs=1e-3)
    none = replace(fit_null(np.zeros(3), np.full(3, 1e-12)), mean=0.0, sd=0.0, mean_se=0.0)
    assert calibrate(estimate(0.1, 0.05, 1), none).p_value == pytest.approx(0.045500266)
    assert calibrate(estimate(0.3, 0.1, 1), none).p_value == pytest.approx(0.002699796, abs=1e-8)


def test_correlated_errors_enter_the_likelihood() -> None:
    rng = np.random.default_rng(1)
    A = rng.normal(size=(6, 6))
    sampling = 0.01 * (A @ A.T + np.eye(6))
    x = rng.multivariate_normal(np.full(6, 0.2), sampling + 0.05 * np.eye(6))
    found = fit_null(x, sampling)

    def likelihood(mu: float, sd: float) -> float:
        return float(multivariate_normal.logpdf(x, np.full(6, mu), sampling + sd**2 * np.eye(6)))

    best = likelihood(found.mean, found.sd)
    nearby = [likelihood(found.mean + a, max(found.sd + b, 0.0)) for a in (-0.01, 0, 0.01) for b in (-0.01, 0, 0.01)]
    assert best >= max(nearby) - 1e-9
    assert found.weights.sum() == pytest.approx(1.0)
    assert found.mean == pytest.approx(float(found.weights @ x))


@pytest.mark.parametrize(("mu", "sd", "rho"), [(0.0, 0.0, 0.3), (0.1, 0.1, 0.0), (0.1, 0.1, 0.3)])
def test_calibrated_intervals_cover_and_false_alarms_are_rare(mu: float, sd: float, rho: float) -> None:
    rng = np.random.default_rng(7)
    k, se, reps = 20, 0.05, 400
    sampling = se**2 * ((1 - rho) * np.eye(k + 1) + rho)
    root = np.linalg.cholesky(sampling)
    covered, alarms, naive = 0, 0, 0
    for _ in range(reps):
        x = mu + sd * rng.normal(size=k + 1) + root @ rng.normal(size=k + 1)
        null = fit_null(x[1:], sampling[1:, 1:])
        interval = calibrate(estimate(x[0], se, 1), null, sampling[0, 1:]).estimate
        covered += interval.ci_low <= 0 <= interval.ci_high
        alarms += null.p_value < 0.05
        naive += fit_null(x[1:], np.diag(sampling[1:, 1:])).p_value < 0.05
    assert 0.92 <= covered / reps <= 0.985, covered / reps
    if sd == 0:
        assert alarms / reps <= 0.07
        assert naive / reps > 0.2, "controls on the same people taken as independent would raise false alarms"
    else:
        assert alarms / reps > 0.9


def look(trial: Trial, seed: int = 0) -> tuple[NegativeControls, GateContext]:
    """The controls of a trial as training looks at them, and a context for the gate."""
    encoder = fit_encoder(trial.X)
    Z = encoder.transform(trial.X)
    fold = cluster_folds(trial.cluster, trial.t, 3, seed)
    u, _ = cross_fit(
        Z, trial.t, trial.y, trial.weight, trial.known_propensity, fold, trial.outcome_kind, seed=seed, threads=1
    )
    gamma = aipw_scores(trial.t, trial.y, u.mu0, u.mu1, u.propensity)
    inside = (u.propensity > 0.05) & (u.propensity < 0.95)
    found = negative_controls(
        trial.negative_controls, trial, encoder, Z, fold, inside, u.propensity, gamma, seed=seed, threads=1, alpha=0.05
    )
    spread = float(np.std(trial.y))
    e = found.effect
    ate = estimate(e.value * spread, e.se * spread, e.n)
    return found, GateContext(trial, encoder, Z, fold, u, inside=inside, ate=ate, negative_controls=found)


def test_the_studys_own_chances_are_tested_unless_a_feature_is_left_out() -> None:
    """Chances that are all wrong show in outcomes with every feature, and not where the chances are estimated anew."""
    rng = np.random.default_rng(4)
    n = 1_200
    x = rng.normal(size=(n, 3))
    t = rng.binomial(1, 1 / (1 + np.exp(-x[:, 0])))
    before = x[:, 0] + x[:, 2] + rng.normal(size=n)
    outcomes = {"all": Placebo(before), "one left out": Placebo(before, ("c",))}
    trial = make_trial(pd.DataFrame(x, columns=["a", "b", "c"]), t, rng.normal(size=n), "lower", placebos=outcomes)
    encoder = fit_encoder(trial.X)
    Z, everybody = encoder.transform(trial.X), np.ones(n, dtype=bool)
    fold = cluster_folds(trial.cluster, trial.t, 3, 0)

    def found(chances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        of = outcomes, trial, encoder, Z, fold, everybody, chances
        placebos = placebo_estimates(*of, seed=0, threads=1, alpha=0.05)
        controls = negative_controls(*of, trial.y, seed=0, threads=1, alpha=0.05)
        return np.array([p.estimate.value for p in placebos]), controls.standardised

    one, other = found(np.full(n, 0.2)), found(np.full(n, 0.7))
    for a, b in zip(one, other, strict=True):
        assert a[0] != b[0]
        assert a[1] == b[1]


def test_a_sound_observational_trial_passes() -> None:
    found, ctx = look(gate_world("observational", 2500, 1))
    z = found.standardised / np.sqrt(np.diag(found.covariance))
    assert len(z) == 24
    assert np.mean(np.abs(z) > 2) < 0.2
    result = gate(ctx)
    assert (result.status, result.hard) == ("pass", False), result.sentence
    assert "24 outcomes" in result.sentence


def test_hidden_selection_fails_and_the_sentence_says_what_is_left() -> None:
    _, ctx = look(gate_world("observational", 3000, 2, defect=Defect(hidden=0.6)))
    result = gate(ctx)
    assert result.status == "fail"
    assert result.value is not None
    assert result.threshold is not None
    assert result.value > result.threshold
    assert "allowing for it the effect is" in result.sentence


@pytest.mark.parametrize("count", [0, 5, MIN_CONTROLS - 1])
def test_too_few_controls_are_inconclusive_and_counted(count: int) -> None:
    _, ctx = look(gate_world("randomized", 600, 3, n_controls=count))
    result = gate(ctx)
    assert result.status == "inconclusive"
    assert ("No negative controls" if count == 0 else f"Only {count} of {count}") in result.sentence


def test_covariance_is_that_of_the_same_people() -> None:
    """A control twice over errs alike; the outcome itself as a control errs like the effect."""
    rng = np.random.default_rng(4)
    n = 1500
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("abc"))
    t, y, other = rng.binomial(1, 0.5, n), rng.normal(size=n), rng.normal(size=n)
    controls = {"one": other, "twice": 3 * other + 1, "outcome": y}
    trial = make_trial(X, t, y, "lower", known_propensity=0.5, negative_controls=controls)
    found, _ = look(trial)
    error = np.sqrt(np.diag(found.covariance))
    correlation = found.covariance / np.outer(error, error)
    assert correlation[0, 1] == pytest.approx(1.0, abs=1e-6)
    assert abs(correlation[0, 2]) < 0.15
    assert found.with_effect[2] / (error[2] * found.effect.se) > 0.95


def test_an_overlapping_feature_would_hide_the_difference() -> None:
    """Chosen by an unmeasured state that also made past visits; a feature with the same visits must leave."""
    rng = np.random.default_rng(5)
    n = 4000
    state = rng.normal(size=n)
    past = rng.poisson(np.exp(0.6 * state))
    year = past + rng.poisson(0.3, n)
    t = rng.binomial(1, 1 / (1 + np.exp(-0.8 * state)), n)
    X = pd.DataFrame({"year": year, "noise": rng.normal(size=n)})
    z = {}
    for exclude in ((), ("year",)):
        controls = {"past": Placebo(past.astype(float), exclude)}
        found, _ = look(make_trial(X, t, rng.normal(size=n) + state, "lower", negative_controls=controls))
        z[exclude] = found.standardised[0] / np.sqrt(found.covariance[0, 0])
    assert z[("year",)] > 10
    assert z[()] < z[("year",)] / 2


def test_controls_that_cannot_show_anything_are_left_out() -> None:
    rng = np.random.default_rng(6)
    n = 800
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
    rare = np.zeros(n)
    rare[:5] = 1
    controls = {
        "constant": np.ones(n),
        "rare": rare,
        "missing": np.full(n, np.nan),
        "sum of features": (X["a"] + X["b"]).to_numpy(),
        "usable": rng.normal(size=n),
        "half missing": np.where(rng.random(n) < 0.5, np.nan, rng.normal(size=n)),
    }
    trial = make_trial(X, rng.binomial(1, 0.5, n), rng.normal(size=n), "lower", negative_controls=controls)
    found, _ = look(trial)
    assert [e.name for e in found.estimates] == ["usable", "half missing"]
    assert found.given == 6
    assert found.estimates[1].estimate.se > 1.2 * found.estimates[0].estimate.se
