"""Learners by name, simplest first."""

from __future__ import annotations

from causal.learners.base import Learner
from causal.learners.bayes import fit_bayes_r
from causal.learners.forests import fit_causal_forest, fit_forest_dr
from causal.learners.simple import fit_constant, fit_dr_boosted, fit_lasso_bayes, fit_linear_dr, fit_x_learner

REGISTRY: dict[str, Learner] = {
    item.name: item
    for item in (
        Learner("constant", 0, fit_constant),
        Learner("linear_dr", 1, fit_linear_dr),
        Learner("lasso_bayes", 2, fit_lasso_bayes),
        Learner("bayes_r", 3, fit_bayes_r),
        Learner("causal_forest", 4, fit_causal_forest),
        Learner("forest_dr", 5, fit_forest_dr),
        Learner("x_learner", 6, fit_x_learner),
        Learner("dr_boosted", 7, fit_dr_boosted),
    )
}
