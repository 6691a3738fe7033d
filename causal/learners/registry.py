"""Learners by name, simplest first; the mean that trusts no scale comes before the one that trusts the relative one."""

from __future__ import annotations

from causal.learners.base import Learner
from causal.learners.forests import fit_causal_forest, fit_forest_dr
from causal.learners.judged import fit_bayes_r, fit_lasso_bayes, fit_linear_dr, fit_relative_lasso
from causal.learners.point import fit_constant, fit_dr_boosted, fit_x_learner
from causal.learners.relative import RELATIVE_KINDS

REGISTRY: dict[str, Learner] = {
    item.name: item
    for item in (
        Learner("constant", 0, fit_constant),
        Learner("linear_dr", 1, fit_linear_dr),
        Learner("lasso_bayes", 2, fit_lasso_bayes),
        Learner("relative_lasso", 3, fit_relative_lasso, RELATIVE_KINDS),
        Learner("bayes_r", 4, fit_bayes_r),
        Learner("causal_forest", 5, fit_causal_forest),
        Learner("forest_dr", 6, fit_forest_dr),
        Learner("x_learner", 7, fit_x_learner),
        Learner("dr_boosted", 8, fit_dr_boosted),
    )
}
