"""How strong would a confounder that nobody measured have to be to explain an effect away?

Robustness value of the partially linear model (Chernozhukov, Cinelli, Newey, Sharma & Syrgkanis 2022, "Long story
short", section 2), on the study's own cross-fitted residuals. It was chosen over their version for AIPW because its two
parameters are the partial R2 of Cinelli & Hazlett (2020, JRSS-B 82:39-67), of which it is the generalisation from OLS to
any learner: the same numbers can be read off every measured feature, in closed form, and compared.

With U the confounder, the bias of theta = E[(y - m)(t - e)] / E[(t - e)^2] is at most
    S sqrt(R2_y R2_t / (1 - R2_t)),    S^2 = E[(y - m - theta (t - e))^2] / E[(t - e)^2],
R2_t the share of the remaining variance of t that U explains, R2_y that of y given t. The robustness value is the
R2_t = R2_y at which that bias equals the estimate.

E-value: VanderWeele & Ding (2017, Annals of Internal Medicine 167:268-274).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from causal.aipw import Estimate, clustered_se, estimate
from causal.nuisance import Nuisances
from causal.trial import Trial

_LARGEST = 0.999
# Features this correlated say much the same; each alone explains little once the others are known.
_SAME_THING = 0.5


@dataclass(frozen=True)
class Benchmark:
    """The measured feature, with those that say much the same, whose like would bias the estimate most if unmeasured.

    Attributes:
        name: source feature.
        alike: other features counted with it.
        r2_treatment, r2_outcome: strength of an unmeasured confounder as strong as it (Cinelli & Hazlett's bound).
        strength: the equal R2_t = R2_y that would bias as much; to be held against the robustness value.
        adjusted: what would remain of the estimate.
    """

    name: str
    alike: tuple[str, ...]
    r2_treatment: float
    r2_outcome: float
    strength: float
    adjusted: Estimate


@dataclass(frozen=True)
class PartialR2:
    """Of a measured feature with treatment and outcome, and the other features counted with it."""

    treatment: float
    outcome: float
    alike: tuple[str, ...]


@dataclass(frozen=True)
class EValue:
    """Minimum risk ratio of an unmeasured confounder with both treatment and outcome that would explain the effect.

    Attributes:
        measure: `risk_ratio`, `rate_ratio`, or `standardised_difference` (then turned into a ratio by exp(0.91 d)).
        ratio: the effect as a ratio of outcomes.
        value, at_limit: E-value of the effect, and of the end of its interval nearer to none (1 = it holds none).
    """

    measure: str
    ratio: float
    value: float
    at_limit: float


@dataclass(frozen=True)
class Sensitivity:
    """Sensitivity of one arm's average effect.

    Attributes:
        effect: partially linear estimate, natural sign, outcome units.
        robustness, robustness_at_limit: robustness value of the estimate, and of the end of its interval nearer to zero.
        benchmark: the strongest measured confounder; None when no feature varies.
        multiple: how many times as strong as it a hidden one would have to be to bring the estimate to zero.
    """

    effect: Estimate
    robustness: float
    robustness_at_limit: float
    benchmark: Benchmark | None
    multiple: float | None
    e_value: EValue | None


def sensitivity(
    trial: Trial, Z: np.ndarray, owners: tuple[str, ...], u: Nuisances, inside: np.ndarray, alpha: float = 0.05
) -> Sensitivity:
    """Everything about how fragile the average effect of the rows in support is.

    Args:
        Z, owners: encoded features (n, p), and the source feature of each column.
        u: cross-fitted nuisances of every row.
    """
    t, y, w = trial.t[inside], trial.y[inside], trial.weight[inside]
    t_left, y_left = t - u.propensity[inside], y - u.outcome[inside]
    spread = float(np.average(t_left**2, weights=w))
    theta = float(np.average(t_left * y_left, weights=w)) / spread
    left = y_left - theta * t_left
    effect = estimate(theta, clustered_se(t_left * left / spread, trial.cluster[inside], w), len(t), alpha)
    scale = float(np.sqrt(np.average(left**2, weights=w) / spread))
    nearest = max(abs(theta) - float(norm.ppf(1 - alpha / 2)) * effect.se, 0.0)
    partial = partial_r2(Z[inside], owners, t.astype(float), y, w)
    benchmark = _strongest(partial, effect, scale, alpha)
    return Sensitivity(
        effect,
        robustness_value(abs(theta) / max(scale, 1e-300)),
        robustness_value(nearest / max(scale, 1e-300)),
        benchmark,
        None if benchmark is None else _multiple(partial[benchmark.name], abs(theta), scale),
        e_value(trial, u, inside, alpha),
    )


def robustness_value(f: float) -> float:
    """Robustness value of an estimate that is `f` times S (in OLS: t statistic over the root of its degrees of freedom)."""
    # (sqrt(f^4 + 4 f^2) - f^2) / 2, in a form that neither overflows nor cancels.
    return 2 / (1 + float(np.sqrt(1 + (2 / f) ** 2))) if f > 1e-150 else 0.0


def confounder_bounds(r2_treatment: float, r2_outcome: float, times: float = 1.0) -> tuple[float, float]:
    """Partial R2 with treatment and outcome of a confounder `times` as strong as a feature with these partial R2.

    Cinelli & Hazlett (2020), section 4.4; both are held below 1, where the bias is no longer bounded.
    """
    a, b = min(r2_treatment, _LARGEST), min(r2_outcome, _LARGEST)
    with_treatment = min(times * a / (1 - a), _LARGEST)
    shared = min(times * a**2 / ((1 - min(times * a, _LARGEST)) * (1 - a)), _LARGEST)
    with_outcome = ((np.sqrt(times) + np.sqrt(shared)) / np.sqrt(1 - shared)) ** 2 * b / (1 - b)
    return with_treatment, float(min(with_outcome, 1.0))


def bias_factor(r2_treatment: float, r2_outcome: float) -> float:
    """Bias in units of S."""
    return float(np.sqrt(r2_outcome * r2_treatment / (1 - r2_treatment)))


def partial_r2(
    Z: np.ndarray, owners: tuple[str, ...], t: np.ndarray, y: np.ndarray, weight: np.ndarray, same: float = _SAME_THING
) -> dict[str, PartialR2]:
    """Partial R2 of every source feature with the treatment given the others, and with the outcome given these and t.

    By least squares on the encoded columns. A feature counts with all its columns (levels, a flag for missing) and with
    every feature that is correlated with it by at least `same`: of five windows of one count none looks strong alone,
    and a benchmark taken from one of them would make any estimate look robust. `same` > 1 takes each feature alone.
    """
    w = weight / weight.mean()
    centred = Z - np.average(Z, axis=0, weights=w)
    scale = np.sqrt(np.average(centred**2, axis=0, weights=w))
    X = centred / np.where(scale > 1e-12, scale, 1.0)
    close = np.abs(X.T @ (X * w[:, None])) / len(X) >= same
    on_t = _explained(X, t - np.average(t, weights=w), w)
    on_y = _explained(np.column_stack([X, t - np.average(t, weights=w)]), y - np.average(y, weights=w), w)
    names = np.array(owners)
    found = {}
    for name in dict.fromkeys(owners):
        members = set(names[(close[names == name]).any(axis=0)].tolist()) | {name}
        at = np.flatnonzero(np.isin(names, list(members)))
        found[name] = PartialR2(on_t(at), on_y(at), tuple(sorted(members - {name})))
    return found


def e_value_of_ratio(ratio: float) -> float:
    """E-value of a risk ratio on either side of 1."""
    r = max(ratio, 1 / ratio) if ratio > 0 else np.inf
    return float(r + np.sqrt(r * (r - 1))) if np.isfinite(r) else float("inf")


def e_value(trial: Trial, u: Nuisances, inside: np.ndarray, alpha: float = 0.05) -> EValue | None:
    """From the AIPW means of both arms where the outcome has a ratio, else from the standardised difference.

    None when the ratio is not defined (a mean of 0 or less in one arm).
    """
    t, y, w, cluster = trial.t[inside], trial.y[inside], trial.weight[inside], trial.cluster[inside]
    e, mu0, mu1 = u.propensity[inside], u.mu0[inside], u.mu1[inside]
    one, zero = mu1 + t * (y - mu1) / e, mu0 + (1 - t) * (y - mu0) / (1 - e)
    m1, m0 = float(np.average(one, weights=w)), float(np.average(zero, weights=w))
    z = float(norm.ppf(1 - alpha / 2))
    if trial.outcome_kind == "continuous":
        spread = float(np.std(y))
        if spread <= 0:
            return None
        # VanderWeele & Ding's constants: 0.91 for the difference, and its interval's ends by the same factor.
        middle, half = 0.91 * (m1 - m0) / spread, 0.91 * z * clustered_se(one - zero - (m1 - m0), cluster, w) / spread
        measure = "standardised_difference"
    else:
        if min(m1, m0) <= 0:
            return None
        middle = float(np.log(m1 / m0))
        half = z * clustered_se((one - m1) / m1 - (zero - m0) / m0, cluster, w)
        measure = "risk_ratio" if trial.outcome_kind == "binary" else "rate_ratio"
    nearest = max(abs(middle) - half, 0.0)
    return EValue(measure, float(np.exp(middle)), e_value_of_ratio(np.exp(middle)), e_value_of_ratio(np.exp(nearest)))


def _explained(X: np.ndarray, target: np.ndarray, w: np.ndarray) -> Callable[[np.ndarray], float]:
    """Partial R2 of a set of columns of X in the regression of `target` on all of them."""
    gram = X.T @ (X * w[:, None])
    # Only so much ridge that exact copies can be inverted; what a copy explains on its own is then nothing.
    inverse = np.linalg.inv(gram + 1e-8 * len(X) * np.eye(X.shape[1]))
    beta = inverse @ (X.T @ (w * target))
    residual = float(np.sum(w * (target - X @ beta) ** 2))

    def share(at: np.ndarray) -> float:
        explained = float(beta[at] @ np.linalg.solve(inverse[np.ix_(at, at)], beta[at]))
        return explained / (explained + residual) if explained + residual > 0 else 0.0

    return share


def _strongest(partial: dict[str, PartialR2], effect: Estimate, scale: float, alpha: float) -> Benchmark | None:
    if not partial:
        return None
    bounds = {name: confounder_bounds(found.treatment, found.outcome) for name, found in partial.items()}
    name = max(bounds, key=lambda k: bias_factor(*bounds[k]))
    factor = bias_factor(*bounds[name])
    # Confounding is taken to exaggerate: the worst case for what is claimed.
    value = float(np.sign(effect.value)) * (abs(effect.value) - factor * scale)
    r2_t, r2_y = bounds[name]
    se = effect.se * float(np.sqrt((1 - r2_y) / (1 - r2_t)))
    adjusted = estimate(value, se, effect.n, alpha)
    return Benchmark(name, partial[name].alike, r2_t, r2_y, robustness_value(factor), adjusted)


def _multiple(measured: PartialR2, size: float, scale: float) -> float:
    """Times the benchmark's strength at which the bias reaches `size`; held at 100."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        reached = bias_factor(*confounder_bounds(measured.treatment, measured.outcome, middle)) * scale >= size
        low, high = (low, middle) if reached else (middle, high)
    return high
