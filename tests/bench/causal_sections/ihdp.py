"""IHDP: root mean squared error of every person's effect, beside EconML's learners at their defaults.

    python tests/bench/causal_sections/ihdp.py [--full]

Both footings: in sample (fitted on all 747 rows, predicted for the same rows, as published tables do) and, with --full,
out of fold (fitted on four fifths, predicted for the fifth left out).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from causal.folds import cluster_folds
from causal.gates.registry import GATE_NAMES
from causal.options import DEFAULT_LEARNERS, TrainOptions
from causal.train import train_study
from causal.trial import make_trial

TITLE = "IHDP: the error of person-level effects"

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "causal"
SETS = (1, 2, 3)
AUTO = "selected here"
_QUIET = frozenset(GATE_NAMES) - {"design"}
# Treatment, covariates of training; covariates to predict for; effects.
Predict = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def load(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Treatment, outcome, covariates (n, 25) and the true effect mu1 - mu0 of one set."""
    values = np.loadtxt(DATA / f"ihdp_npci_{number}.csv", delimiter=",")
    return values[:, 0].astype(int), values[:, 1], values[:, 5:], values[:, 4] - values[:, 3]


def ours(learners: tuple[str, ...], chosen: list[str]) -> Predict:
    """The whole path of `outreach study`, gates left out; the learner taken is added to `chosen`."""

    def predict(t: np.ndarray, y: np.ndarray, X: np.ndarray, new: np.ndarray) -> np.ndarray:
        names = [f"x{i}" for i in range(X.shape[1])]
        trial = make_trial(pd.DataFrame(X, columns=names), t, y, "higher")
        study = train_study(trial, TrainOptions(learners=learners, threads=1, skip_gates=_QUIET), seed=0)
        chosen.append(study.learner)
        model = study.scorer.model
        assert model is not None
        return model.effect(study.scorer.encoder.transform(pd.DataFrame(new, columns=names)))

    return predict


def econml_learners() -> dict[str, Callable[[], Any]]:
    """EconML's learners with nothing set but the kind of treatment and the seed; the meta-learners have no default models
    and get scikit-learn's gradient boosting at its own defaults."""
    from econml.dml import CausalForestDML, KernelDML, LinearDML, SparseLinearDML
    from econml.dr import DRLearner, ForestDRLearner, LinearDRLearner, SparseLinearDRLearner
    from econml.metalearners import SLearner, TLearner, XLearner
    from sklearn.ensemble import GradientBoostingRegressor

    def boosting() -> Any:
        return GradientBoostingRegressor(random_state=0)

    return {
        "LinearDML": lambda: LinearDML(discrete_treatment=True, random_state=0),
        "SparseLinearDML": lambda: SparseLinearDML(discrete_treatment=True, random_state=0),
        "KernelDML": lambda: KernelDML(discrete_treatment=True, random_state=0),
        "CausalForestDML": lambda: CausalForestDML(discrete_treatment=True, random_state=0),
        "LinearDRLearner": lambda: LinearDRLearner(random_state=0),
        "SparseLinearDRLearner": lambda: SparseLinearDRLearner(random_state=0),
        "DRLearner": lambda: DRLearner(random_state=0),
        "ForestDRLearner": lambda: ForestDRLearner(random_state=0),
        "SLearner (boosting)": lambda: SLearner(overall_model=boosting()),
        "TLearner (boosting)": lambda: TLearner(models=boosting()),
        "XLearner (boosting)": lambda: XLearner(models=boosting()),
    }


def theirs(make: Callable[[], Any]) -> Predict:
    """Fit an EconML learner and predict."""

    def predict(t: np.ndarray, y: np.ndarray, X: np.ndarray, new: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(make().fit(y, t, X=X).effect(new)).ravel()

    return predict


def in_sample(predict: Predict, number: int) -> float:
    """Root of the mean squared error on the rows that were learnt from."""
    t, y, X, tau = load(number)
    return float(np.sqrt(np.mean((predict(t, y, X, X) - tau) ** 2)))


def out_of_fold(predict: Predict, number: int) -> float:
    """The same, every row predicted by a model that has not seen it; the same folds for everybody."""
    t, y, X, tau = load(number)
    fold = cluster_folds(np.arange(len(t)), t, 5, 1)
    effect = np.empty(len(t))
    for k in range(5):
        out = fold == k
        effect[out] = predict(t[~out], y[~out], X[~out], X[out])
    return float(np.sqrt(np.mean((effect - tau) ** 2)))


def errors(score: Callable[[Predict, int], float], predictors: Mapping[str, Predict]) -> pd.DataFrame:
    """One row per learner, one column per set, and the median; best first."""
    found = pd.DataFrame({name: [score(p, k) for k in SETS] for name, p in predictors.items()}, index=SETS).T
    found["median"] = found.median(axis=1)
    return found.sort_values("median", kind="stable")


def run(full: bool) -> str:
    """The selected learner beside EconML's; --full adds our others and the second footing."""
    if not DATA.exists():
        return "Not run: the IHDP files are not beside this checkout (shared/data/causal).\n"
    chosen: list[str] = []
    predictors = {AUTO: ours(DEFAULT_LEARNERS, chosen)}
    if full:
        predictors |= {
            f"{name} (here)": ours((name,), []) for name in ("lasso_bayes", "linear_dr", "bayes_r", "forest_dr")
        }
    predictors |= {name: theirs(make) for name, make in econml_learners().items()}
    parts = [_section("In sample", errors(in_sample, predictors))]
    picked = ", ".join(chosen)
    if full:
        parts.append(_section("Out of fold (five folds, the same for all)", errors(out_of_fold, predictors)))
    return (
        f"747 rows, observational, a known effect for each; sets {', '.join(map(str, SETS))}. Learners selected here on all rows "
        f"of each set: {picked}.\n\n" + "\n".join(parts)
    )


def _section(title: str, found: pd.DataFrame) -> str:
    best = found.drop(index=AUTO)
    best = best[~best.index.str.endswith("(here)")]["median"].min()
    lines = [
        f"**{title}.** Selected here {found.loc[AUTO, 'median']:.3f}, best of EconML {best:.3f}: "
        f"{found.loc[AUTO, 'median'] / best:.2f} times.\n",
        "| learner | " + " | ".join(f"set {k}" for k in SETS) + " | median |",
        "|---|" + "---|" * (len(SETS) + 1),
    ]
    lines += [f"| {name} | " + " | ".join(f"{v:.3f}" for v in row) + " |" for name, row in found.iterrows()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(run("--full" in sys.argv))
