"""What the gates look at: one fitted arm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causal.aipw import Estimate
from causal.encoding import FeatureEncoder
from causal.evaluation.rules import Evaluation
from causal.nuisance import Nuisances
from causal.placebo import PlaceboEstimate
from causal.support import SupportBounds
from causal.trial import Trial


@dataclass(frozen=True)
class GateContext:
    """Inputs of every gate. The later fields are None when the design gate already failed.

    Attributes:
        Z: encoded features of all rows of `trial`.
        nuisances: cross-fitted on all rows.
        inside: rows in support.
        ate: average effect of the rows in support, natural sign.
        placebos: adjusted "effects" on placebo outcomes.
        evaluation: held-out metrics in benefit direction.
    """

    trial: Trial
    encoder: FeatureEncoder | None = None
    Z: np.ndarray | None = None
    fold: np.ndarray | None = None
    nuisances: Nuisances | None = None
    bounds: SupportBounds | None = None
    inside: np.ndarray | None = None
    ate: Estimate | None = None
    placebos: tuple[PlaceboEstimate, ...] = ()
    evaluation: Evaluation | None = None
    min_arm: int = 50
    min_events: int = 20
    refutation_rows: int = 5_000
    refutation_simulations: int = 5
    seed: int = 0
    threads: int = 1
    alpha: float = 0.05
