"""How a study is trained; everything that a result depends on besides the data and the seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from causal.learners.registry import REGISTRY
from causal.trial import OutcomeKind
from contracts.errors import ConfigError

DEFAULT_LEARNERS = ("constant", "lasso_bayes", "relative_lasso", "bayes_r", "causal_forest", "forest_dr")


@dataclass(frozen=True)
class TrainOptions:
    """Settings of `train_study`.

    Attributes:
        learners: names from the registry to choose among.
        n_trees: trees per forest (200 matched 500 in error and coverage).
        test_fraction: share of clusters kept aside for evaluation.
        budget_fraction: share of all people whom the capacity reaches; the metrics "at capacity" are taken there.
        reach_limits: the least and the largest share of a ranking that is judged, whatever the capacity reaches.
        max_train_rows: rows that a learner is fitted on at most (sampled by cluster, stratified by arm);
            nuisances and evaluation use all rows. None = no cap.
        threads: work in parallel; never changes a result.
        skip_gates: names of gates not to be asked (they become `inconclusive`).
    """

    learners: tuple[str, ...] = DEFAULT_LEARNERS
    n_trees: int = 200
    test_fraction: float = 0.5
    budget_fraction: float = 0.2
    reach_limits: tuple[float, float] = (0.0, 1.0)
    max_train_rows: int | None = 100_000
    min_arm: int = 50
    min_events: int = 20
    alpha: float = 0.05
    threads: int = 2
    refutation_rows: int = 5_000
    refutation_simulations: int = 5
    skip_gates: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        unknown = [name for name in self.learners if name not in REGISTRY]
        if unknown or not self.learners:
            raise ConfigError(
                "`learners` must name learners of the registry.",
                expected=", ".join(REGISTRY),
                actual=", ".join(unknown) or "none",
            )
        for name in ("test_fraction", "budget_fraction", "alpha"):
            if not 0 < getattr(self, name) < 1 and not (name == "budget_fraction" and self.budget_fraction == 1):
                raise ConfigError(f"`{name}` must lie between 0 and 1.", actual=str(getattr(self, name)))

    def reach(self, supported: float) -> float:
        """Share of a ranking that the capacity reaches where only this share of people, those in support, is ranked: the
        places for all people are theirs.
        """
        least, most = self.reach_limits
        return min(max(self.budget_fraction / supported, least), most)

    def for_outcome(self, kind: OutcomeKind) -> TrainOptions:
        """The same with the learners that can learn such an outcome.

        Raises:
            ConfigError: a learner that was named cannot; the default ones that cannot are left out.
        """
        unfit = [name for name in self.learners if kind not in REGISTRY[name].outcomes]
        if unfit and self.learners != DEFAULT_LEARNERS:
            raise ConfigError(
                "One of the `learners` cannot learn this outcome: effects in units of the expected outcome need yes and no, or"
                " whole numbers from 0 to 1000.",
                expected=f"some of {', '.join(name for name, item in REGISTRY.items() if kind in item.outcomes)}",
                actual=f"{', '.join(unfit)} for a {kind} outcome",
            )
        return replace(self, learners=tuple(name for name in self.learners if name not in unfit))
