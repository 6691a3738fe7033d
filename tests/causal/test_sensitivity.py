"""Robustness values, benchmarks and E-values against published numbers and DoWhy's own code."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from causal.nuisance import Nuisances
from causal.sensitivity import (
    bias_factor,
    confounder_bounds,
    e_value,
    e_value_of_ratio,
    partial_r2,
    robustness_value,
    sensitivity,
)
from causal.trial import make_trial

# Effect of violence on attitudes to peace in Darfur: Cinelli & Hazlett (2020), and the tests of the R package sensemakr.
ESTIMATE, SE, DOF = 0.09731582, 0.02325654, 783
FEMALE = {1: (0.00916428667504862, 0.12464092303637, 0.0752202712144491), 2: (0.0183285733500972, 0.249324064199975, 0.0529151723844518), 3: (0.0274928600251459, 0.374050471038094, 0.0303960234641548)}  # fmt: skip


def test_robustness_values_of_darfur() -> None:
    f = ESTIMATE / SE / np.sqrt(DOF)
    assert robustness_value(f) == pytest.approx(0.138776, abs=1e-6)
    # At the limit of the interval sensemakr takes Student's t with 782 degrees; ours is the normal's 1.96.
    at_limit = robustness_value(f - 1.963 / np.sqrt(DOF - 1))
    assert at_limit == pytest.approx(0.07625797, abs=1e-4)
    assert robustness_value((ESTIMATE - norm.ppf(0.975) * SE) / SE / np.sqrt(DOF)) == pytest.approx(at_limit, abs=3e-4)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_benchmark_bounds_of_darfur(times: int) -> None:
    with_treatment, with_outcome, adjusted = FEMALE[times]
    # Partial R2 of `female` itself, from the first row of the published table.
    r2_t = FEMALE[1][0] / (1 + FEMALE[1][0])
    r2_y = 0.10903  # given there to five digits
    bounds = confounder_bounds(r2_t, r2_y, times)
    assert bounds[0] == pytest.approx(with_treatment, rel=1e-6)
    assert bounds[1] == pytest.approx(with_outcome, rel=1e-3)
    left = ESTIMATE - bias_factor(with_treatment, with_outcome) * SE * np.sqrt(DOF)
    assert left == pytest.approx(adjusted, abs=1e-6)


@pytest.mark.parametrize(
    ("ratio", "value"),
    # VanderWeele & Ding (2017): breast-feeding and infant deaths, 3.9 (1.8 at the limit); a protective ratio; none.
    [(3.9, 7.26), (1.8, 3.0), (0.8, 1.81), (1.0, 1.0)],
)
def test_published_e_values(ratio: float, value: float) -> None:
    assert e_value_of_ratio(ratio) == pytest.approx(value, abs=5e-3)


def least_squares(X: np.ndarray, target: np.ndarray) -> np.ndarray:
    D = np.column_stack([np.ones(len(X)), X])
    return D @ np.linalg.lstsq(D, target, rcond=None)[0]


@pytest.fixture(scope="module")
def study() -> SimpleNamespace:
    """Observational rows whose nuisances are least squares, where everything has a closed form."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(600, 4))
    X[:, 3] += 0.2 * X[:, 0]
    t = (X @ [0.8, 0.2, 0.0, -0.3] + rng.normal(size=600) > 0).astype(int)
    y = X @ [1.0, 0.1, 0.5, 0.4] + 0.4 * t + rng.normal(size=600)
    u = Nuisances(least_squares(X, y), least_squares(X, y), least_squares(X, t.astype(float)))
    frame = pd.DataFrame(X, columns=list("abcd"))
    return SimpleNamespace(trial=make_trial(frame, t, y, "higher"), X=X, t=t, y=y, u=u, frame=frame)


def test_linear_case_equals_dowhy(study: SimpleNamespace) -> None:
    sm = pytest.importorskip("statsmodels.api")
    from dowhy.causal_refuters.linear_sensitivity_analyzer import LinearSensitivityAnalyzer

    design = pd.DataFrame(np.column_stack([study.t, study.X]), columns=[f"x{i + 1}" for i in range(5)])
    fitted = sm.OLS(study.y, sm.add_constant(design)).fit()
    theirs = LinearSensitivityAnalyzer(
        estimator=SimpleNamespace(model=fitted, _observed_common_causes=study.frame),
        data=study.frame.assign(t=study.t),
        treatment_name=["t"],
        benchmark_common_causes=["a"],
        frac_strength_treatment=[1.0],
        frac_strength_outcome=[1.0],
        common_causes_order=list("abcd"),
    ).check_sensitivity(plot=False)
    ours = sensitivity(study.trial, study.X, ("a", "b", "c", "d"), study.u, np.ones(600, dtype=bool))
    assert ours.effect.value == pytest.approx(float(theirs.stats["estimate"]))
    # Residual variances over n here, over the degrees of freedom there.
    assert ours.robustness == pytest.approx(theirs.stats["robustness_value"], rel=0.01)
    assert ours.robustness_at_limit == pytest.approx(theirs.stats["robustness_value_alpha"], rel=0.05)
    assert ours.benchmark is not None
    assert (ours.benchmark.name, ours.benchmark.alike) == ("a", ())
    row = theirs.benchmarking_results.iloc[0]
    assert ours.benchmark.r2_treatment == pytest.approx(row["r2tu_w"], rel=1e-6)
    assert ours.benchmark.r2_outcome == pytest.approx(row["r2yu_tw"], rel=1e-6)
    assert ours.benchmark.adjusted.value == pytest.approx(row["bias_adjusted_estimate"], rel=0.02)


def test_the_multiple_brings_the_estimate_to_zero(study: SimpleNamespace) -> None:
    found = sensitivity(study.trial, study.X, ("a", "b", "c", "d"), study.u, np.ones(600, dtype=bool))
    assert found.multiple is not None
    part = partial_r2(study.X, ("a", "b", "c", "d"), study.t.astype(float), study.y, np.ones(600))["a"]
    left = study.y - study.u.outcome - found.effect.value * (study.t - study.u.propensity)
    scale = np.sqrt(np.mean(left**2) / np.mean((study.t - study.u.propensity) ** 2))
    reached = bias_factor(*confounder_bounds(part.treatment, part.outcome, found.multiple)) * scale
    assert reached == pytest.approx(abs(found.effect.value), rel=1e-6)


def test_near_copies_of_a_confounder_count_together(study: SimpleNamespace) -> None:
    """Five windows of one count must not make it look weak, and with it any estimate robust."""
    rng = np.random.default_rng(0)
    copies = study.X[:, :1] + 0.1 * rng.normal(size=(600, 4))
    Z, owners = np.column_stack([study.X, copies]), ("a", "b", "c", "d", "a1", "a2", "a3", "a4")
    t, w = study.t.astype(float), np.ones(600)
    alone = partial_r2(Z, owners, t, study.y, w, same=2.0)["a"]
    together = partial_r2(Z, owners, t, study.y, w)["a"]
    single = partial_r2(study.X, owners[:4], t, study.y, w)["a"]
    assert set(together.alike) == {"a1", "a2", "a3", "a4"}
    assert alone.treatment < 0.1 * single.treatment
    assert together.treatment > 0.95 * single.treatment
    assert together.outcome > 0.95 * single.outcome


def test_a_feature_counts_with_all_its_columns(study: SimpleNamespace) -> None:
    level = pd.cut(study.X[:, 0], 4, labels=False)
    dummies = np.column_stack([(level == k).astype(float) for k in (1, 2, 3)])
    Z, owners = np.column_stack([study.X[:, 1:], dummies]), ("b", "c", "d", "a", "a", "a")
    whole = partial_r2(Z, owners, study.t.astype(float), study.y, np.ones(600), same=2.0)["a"]
    rest, t = least_squares(study.X[:, 1:], study.t.astype(float)), study.t
    full = least_squares(Z, t.astype(float))
    assert whole.treatment == pytest.approx(1 - np.sum((t - full) ** 2) / np.sum((t - rest) ** 2), rel=1e-3)


@pytest.mark.parametrize(("kind", "measure"), [("binary", "risk_ratio"), ("count", "rate_ratio")])
def test_e_value_from_both_arms_means(kind: str, measure: str) -> None:
    rng = np.random.default_rng(1)
    n = 4000
    t = rng.binomial(1, 0.5, n)
    y = rng.binomial(1, 0.1 + 0.1 * t) if kind == "binary" else rng.poisson(2.0 + 2.0 * t)
    X = pd.DataFrame({"a": rng.normal(size=n)})
    trial = make_trial(X, t, y, "lower", known_propensity=0.5)
    flat = Nuisances(np.full(n, y[t == 0].mean()), np.full(n, y[t == 1].mean()), np.full(n, 0.5))
    found = e_value(trial, flat, np.ones(n, dtype=bool))
    assert found is not None
    assert found.measure == measure
    assert found.ratio == pytest.approx(y[t == 1].mean() / y[t == 0].mean())
    assert found.value == pytest.approx(e_value_of_ratio(found.ratio))
    assert 1 < found.at_limit < found.value


def test_e_values_equal_dowhys() -> None:
    pytest.importorskip("matplotlib")
    import logging

    from dowhy.causal_refuters.evalue_sensitivity_analyzer import EValueSensitivityAnalyzer

    theirs = EValueSensitivityAnalyzer.__new__(EValueSensitivityAnalyzer)
    theirs.logger = logging.getLogger("dowhy")
    for ratio, low, high in ((1.7, 1.2, 2.4), (0.6, 0.4, 0.9)):
        stats = theirs._evalue_RR(est=ratio, lo=low, hi=high)
        assert e_value_of_ratio(ratio) == pytest.approx(float(stats["evalue_estimate"]))
        limit = stats["evalue_lower_ci"] if ratio > 1 else stats["evalue_upper_ci"]
        assert e_value_of_ratio(low if ratio > 1 else high) == pytest.approx(float(limit))
    rng = np.random.default_rng(2)
    n = 2000
    t, X = rng.binomial(1, 0.5, n), pd.DataFrame({"a": rng.normal(size=n)})
    y = 0.3 * t + rng.normal(size=n)
    trial = make_trial(X, t, y, "lower", known_propensity=0.5)
    flat = Nuisances(np.full(n, y[t == 0].mean()), np.full(n, y[t == 1].mean()), np.full(n, 0.5))
    found = e_value(trial, flat, np.ones(n, dtype=bool))
    difference = y[t == 1].mean() - y[t == 0].mean()
    se = np.sqrt(y[t == 1].var() / t.sum() + y[t == 0].var() / (n - t.sum()))
    stats = theirs._evalue_MD(est=difference / y.std(), se=se / y.std())
    assert found is not None
    assert found.value == pytest.approx(float(stats["evalue_estimate"]), rel=1e-6)
    assert found.at_limit == pytest.approx(float(stats["evalue_lower_ci"]), rel=0.01)


def test_an_interval_that_holds_no_effect_has_nothing_to_explain_away() -> None:
    rng = np.random.default_rng(5)
    n = 500
    X = pd.DataFrame({"a": rng.normal(size=n)})
    t = rng.binomial(1, 0.5, n)
    trial = make_trial(X, t, rng.normal(size=n), "lower")
    flat = Nuisances(np.zeros(n), np.zeros(n), np.full(n, 0.5))
    found = sensitivity(trial, X.to_numpy(), ("a",), flat, np.ones(n, dtype=bool))
    assert found.robustness_at_limit == 0
    assert found.e_value is not None
    assert found.e_value.at_limit == 1
