"""What the gates look at: one fitted arm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from causal.aipw import Estimate
from causal.encoding import FeatureEncoder
from causal.equity import Ranked
from causal.evaluation.rules import Evaluation
from causal.levels import MergedLevels
from causal.negative_controls import NegativeControls
from causal.nuisance import Nuisances
from causal.placebo import PlaceboEstimate
from causal.sensitivity import Sensitivity
from causal.support import SupportBounds
from causal.trial import Trial


@dataclass(frozen=True)
class GateContext:
    """Inputs of every gate. The later fields are None when the design gate already failed.

    Attributes:
        Z: encoded features of all rows of `trial`.
        nuisances: cross-fitted on all rows.
        inside: rows in support.
        merged: what stands for levels of text without an indicator.
        ate: average effect of the rows in support, natural sign.
        placebos: adjusted "effects" on placebo outcomes.
        negative_controls: the same on many, with their joint error.
        sensitivity: what it would take to explain the effect away.
        evaluation: held-out metrics in benefit direction.
        people: those kept aside, with their groups; None without groups.
        benefit: served model's predicted benefit of the rows in support, unseen or not.
        reseeded: fits the same recipe on the same rows with another seed and predicts the same rows; may take seconds.
        previous: benefit that the last champion predicts for these rows; None when there is none.
        reach: share of the people in support whom the capacity reaches.
    """

    trial: Trial
    encoder: FeatureEncoder | None = None
    Z: np.ndarray | None = None
    fold: np.ndarray | None = None
    nuisances: Nuisances | None = None
    bounds: SupportBounds | None = None
    inside: np.ndarray | None = None
    merged: MergedLevels | None = None
    ate: Estimate | None = None
    placebos: tuple[PlaceboEstimate, ...] = ()
    negative_controls: NegativeControls | None = None
    sensitivity: Sensitivity | None = None
    evaluation: Evaluation | None = None
    people: Ranked | None = None
    benefit: np.ndarray | None = None
    reseeded: Callable[[], np.ndarray] | None = None
    previous: np.ndarray | None = None
    reach: float = 0.2
    min_arm: int = 50
    min_events: int = 20
    refutation_rows: int = 5_000
    refutation_simulations: int = 5
    seed: int = 0
    threads: int = 1
    alpha: float = 0.05
