"""Lineage through models: what a training learns from, what its evidence tells of, what a score is made by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.catalog import contract
from contracts.features import covariates
from contracts.programs import programs
from jobs.fairness_groups import MEMBER_COLUMNS
from jobs.lineage import naming, record
from jobs.lineage.columns import ColumnLineage, How, Source
from jobs.lineage.plan import MadeOf, computed
from jobs.lineage.work import Statistics, Work, Write

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.registry import RegisteredModel

_COHORT, _FEATURES = "causal.cohort", "features.member_feature"
# Of a person-trial: arm, its probability, outcome; persons are kept together in a fold.
_LEARNT = ("is_offered", "is_randomized", "assignment_probability", "outcome")
_GROUPED = ("member_id", "index_date")
# Tables in which models are judged by more than what they estimate.
_JUDGEMENTS = ("causal.evaluation", "causal.gate_result", "causal.equity")

# What `causal.cohort_flow` counts: person-trials, and of these the offered ones.
COUNTED: MadeOf = {
    "remaining_count": (f"{_FEATURES}.member_id", f"{_FEATURES}.as_of_date"),
    "offered_count": (f"{_FEATURES}.member_id", f"{_FEATURES}.as_of_date", "core.outreach_contact.is_offered"),
}


def learnt_from() -> ColumnLineage:
    """What each field of a model is learnt from: every covariate, and the trials with their outcomes."""
    values = {Source(_FEATURES, name, How.AGGREGATION) for name in covariates()}
    values |= {Source(_COHORT, name, How.AGGREGATION) for name in _LEARNT}
    fields = {name: frozenset(values) for name in naming.MODEL_FIELDS}
    rows = frozenset({Source(_COHORT, "is_trained_on", How.FILTER), *(Source(_COHORT, n, How.GROUP_BY) for n in _GROUPED)})  # fmt: skip
    # Groups by which fairness is looked at are read beside the features, never learnt from.
    return ColumnLineage(fields, rows, frozenset({_COHORT, _FEATURES, "core.member"}))


def decided_on(registered: str) -> MadeOf:
    """What a decision on a registered model is made of."""
    return {"*": (f"{naming.registered(registered)}.cate",)}


def trained(model: RegisteredModel) -> Work:
    """A training registered a version of a model."""
    work = Work("")
    work.write(Write(naming.registered(model.name), learnt_from(), str(model.version), Statistics(files=1)))
    return work


def measured(table: str, data_source: str) -> MadeOf:
    """What a table of evidence is made of: its keys name trials and programs, everything else tells of the models.

    Gates and evaluations also measure models by what happened before the offer, and by groups of members.
    """
    known = contract(_COHORT).column_names
    told = tuple(f"{naming.model(data_source, key)}.cate" for key in programs().programs)
    if table in _JUDGEMENTS:
        told += tuple(f"{_FEATURES}.{name}" for name in programs().past_features)
        told += tuple(f"core.member.{name}" for name in MEMBER_COLUMNS)
    if table == "causal.balance":
        told = tuple(f"{_FEATURES}.{name}" for name in covariates()) + tuple(
            f"{_COHORT}.{name}" for name in _LEARNT[:3]
        )
    key = contract(table).key
    named = {name: (f"{_COHORT}.{name}",) if name in known else () for name in (*key, "run_id")}
    return {**named, "*": told}


def scored_by(frame: DataFrame, model: RegisteredModel) -> DataFrame:
    """Say that a frame's scores were made by a model; returns the frame."""
    dataset = naming.registered(model.name)
    record.used(dataset, str(model.version))
    return computed(frame, {"*": (f"{dataset}.*",)})
