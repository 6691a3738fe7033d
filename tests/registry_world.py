"""A registry of its own for a test: models registered in milliseconds into a state folder that only this test has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from causal.encoding import FeatureEncoder
from causal.horseshoe import Posterior
from causal.learners.basis import fit_basis
from causal.learners.bayes import BayesEffect
from causal.learners.recalibrated import Recalibrated, Shrinkage
from causal.regression import Constant
from causal.scorer import Scorer
from causal.support import SupportBounds
from contracts.programs import programs
from jobs.provenance import provenance
from jobs.registry import RegisteredModel, model_name, register

SOURCE, PROGRAM = "tuva", "ed_diversion"
NAME = model_name(SOURCE, PROGRAM)
_WIDE = 1e6  # standard deviations of the model's column, so that no value is clipped


def scorer(feature: str = "age", slope: float = -0.01, level: float = 0.0, error: float = 0.02) -> Scorer:
    """Effect = level + slope x feature, known with a standard error; made of the project's own classes, so that a worker can
    unpickle it."""
    basis, _ = fit_basis(np.array([[-_WIDE], [_WIDE]]), np.ones(2), np.empty(0, dtype=int))
    posterior = Posterior(np.array([level, slope * _WIDE]), np.array([[error], [0.0]]))
    line = BayesEffect(basis, posterior.of_unscaled(basis.centre, basis.spread))
    return Scorer(
        encoder=FeatureEncoder(numeric=(feature,), medians=(0.0,), flagged=(), levels=(), references=()),
        model=Recalibrated(line, Shrinkage(0.0, 0.0, 1.0, 0.0, 0.0, is_posterior=True)), baseline=Constant(1.0), propensity=Constant(0.5), support=SupportBounds(0.0, 1.0),
        reasons=None, reasons_of="need", better="lower", learner="bayes_r",
    )  # fmt: skip


def _gate(name: str, status: str = "pass", hard: bool = False) -> dict[str, Any]:
    sentence = f"The test {name} says {status}."
    return {"name": name, "arm": PROGRAM, "status": status, "hard": hard, "value": 0.1, "threshold": 0.0, "sentence": sentence}  # fmt: skip


def _measured(rule: str, metric: str, value: float) -> dict[str, Any]:
    limits = {"ci_low": value - 0.2, "ci_high": value + 0.2}
    return {"arm": PROGRAM, "rule": rule, "metric": metric, "value": value, "se": 0.1, **limits}


@dataclass(frozen=True)
class Registry:
    """The registry in `home`."""

    home: Path

    def train(
        self, verdict: str = "publish", *, program: str = PROGRAM, of: Any = None, tags: dict[str, str] | None = None
    ) -> RegisteredModel:
        """What a training leaves in the registry, without the training.

        Args:
            verdict: of its gates.
            program: key.
            of: the object to register; a scorer where scores matter.
            tags: instead of those that a training here and now would write.
        """
        placebo = "fail" if verdict == "blocked" else "pass"
        return register(
            model_name(SOURCE, program),
            scorer() if of is None else of,
            params={"n": 10},
            metrics={"ate": -0.1},
            tags={
                "data_source": SOURCE, "program": program, "trained_as_of": date(2026, 6, 1).isoformat(), "verdict": verdict,
                "verdict_sentence": f"The gates say {verdict}.", "learner": "bayes_r", "seed": "7",
                **provenance(programs().programs[program]), **(tags or {}),
            },
            documents={
                "gates": [_gate("design"), _gate("placebo_outcome", placebo, hard=True)],
                "evaluation": [_measured("learner", "autoc", 0.2), _measured("random", "autoc", 0.0), _measured("learner", "gates_1", 0.0)],
            },
        )  # fmt: skip
