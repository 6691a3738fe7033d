"""Training one program: its cohort in Spark, a bounded sample on the driver, the causal core, the registry, the record."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.storagelevel import StorageLevel

from causal.equity import equity_rows
from causal.gates.result import MUST_PASS
from causal.options import TrainOptions
from causal.scorer import Scorer
from causal.train import TrainedStudy, train_study
from causal.trial import FollowUp, Placebo, Trial, make_trial
from contracts.catalog import contract
from contracts.errors import ModelUnavailableError
from contracts.features import covariates
from contracts.features import version as feature_version
from contracts.programs import LEAST_REACH, MOST_REACH, PastMeasure, Program, programs
from jobs.alerts import record_alert
from jobs.audit_result import AuditResult
from jobs.cohort import CohortStep, cohort, cohort_flow, kept, trials
from jobs.decisions import approve_and_promote_unasked, unasked_objection
from jobs.delta import rows_of_contract, table_version
from jobs.enforce import write_audited
from jobs.fairness_groups import MEMBER_COLUMNS, fairness_groups
from jobs.fitness import unfit
from jobs.ledger import safe_message, step
from jobs.lineage import naming
from jobs.lineage import record as lineage
from jobs.lineage.models import COUNTED, measured, trained
from jobs.lineage.plan import MadeOf, computed
from jobs.model_card.collect import read_training
from jobs.model_card.write import write_card
from jobs.provenance import provenance
from jobs.registry import RegisteredModel, champion, load_scorer, model_name, register

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

# Randomised person-trials per arm from which on a training needs no observational ones. Mixing them in would buy
# precision at the price of every confounder that care managers know and the data do not.
MIN_RANDOMIZED_PER_ARM = 400
MAX_TRAIN_ROWS = 100_000


@dataclass(frozen=True)
class Training:
    """What came out for one program: the study, its registered model, and its rows for the tables of `causal`."""

    program: str
    model: RegisteredModel
    study: TrainedStudy
    is_champion: bool
    sentence: str
    sample: pd.DataFrame


@dataclass(frozen=True)
class Scope:
    """Whose members are trained on, as known when, by which run."""

    data_source: str
    as_of: date
    run_id: str
    seed: int

    @property
    def where(self) -> str:
        """The rows of this training in the tables of `causal`."""
        return f"data_source = '{self.data_source}' and trained_as_of = date'{self.as_of}'"

    def labels(self, program: str) -> dict[str, Any]:
        """The columns that every row of a training carries."""
        return {"data_source": self.data_source, "program": program, "trained_as_of": self.as_of, "run_id": self.run_id}


def write_cohorts(spark: SparkSession, chosen: Iterable[Program], scope: Scope) -> list[AuditResult]:
    """Build every program's cohort as known at the training's date; write `causal.cohort` and `causal.cohort_flow`."""
    looked_at, frames, flows = [], [], []
    try:
        for program in chosen:
            with step(f"cohort {program.key}") as record:
                # Counted twice here, and read twice by what follows each through its follow-up.
                every = trials(spark, program, scope.data_source, scope.as_of).persist(StorageLevel.MEMORY_AND_DISK)
                looked_at.append(every)
                flow = cohort_flow(every)
                flows += [{**scope.labels(program.key), **_flow_row(s)} for s in flow]
                frames.append(_marked(kept(every), program, scope))
                record.rows_out = flow[-1].remaining_count
        with step("write cohorts") as record:
            rows = reduce(lambda one, other: one.unionByName(other), frames)
            audits = [
                write_audited(rows, contract("causal.cohort"), run_id=scope.run_id, where=scope.where),
                _write_rows(spark, "causal.cohort_flow", scope, flows, COUNTED),
            ]
            record.rows_out = audits[0].rows_checked
    finally:
        for every in looked_at:
            every.unpersist()
    return audits


def train_program(spark: SparkSession, program: Program, scope: Scope, *, auto_approve: bool) -> Training:
    """Train on the cohort sample, judge, register; promote where the gates allow it and nobody need be asked.

    Args:
        program: from the programs file; its cohort is written.
        scope: whose members, as of when.
        auto_approve: approve and promote where the gates allow it, on record as automatic.
    """
    with step(f"train {program.key}") as record:
        sample = _sample(spark, f"{scope.where} and program = '{program.key}'")
        serving = champion(scope.data_source, program.key)
        trial, options = as_trial(sample, program, scope.as_of), _options(program, sample)
        previous, not_compared = _previous_scorer(serving)
        study = train_study(trial, options, scope.seed, previous=previous)
        record.rows_in, record.message = len(sample), f"{study.learner}: {study.verdict}{not_compared}"
        sentence = verdict_sentence(study)
        model = _register(study, program, scope.data_source, scope.as_of, sentence)
        lineage.worked(lambda: [trained(model)])
        is_champion = auto_approve and approve_and_promote_unasked(model)
        if auto_approve and not is_champion:
            record.message += f"; stays the challenger: {unasked_objection(model)}"
    return Training(program.key, model, study, is_champion, sentence, sample[["member_id", "index_date"]])


def _previous_scorer(serving: RegisteredModel | None) -> tuple[Scorer | None, str]:
    """The champion's scorer for the new model to be compared with; without one, why (nothing, when there never was one)."""
    if serving is None:
        return None, ""
    if (why := unfit(serving)) is not None:
        return None, f"; not compared with {serving.label}, which may not score: {why}"
    try:
        return load_scorer(serving.scorer_path), ""
    except ModelUnavailableError as error:
        return None, f"; not compared with {serving.label}: {error}"


def as_trial(sample: pd.DataFrame, program: Program, as_of: date) -> Trial:
    """A cohort sample with features as the causal core takes it; known probabilities are passed on as given.

    Args:
        sample: rows of `_sample`.
        program: says what is a placebo outcome and how long follow-up and run-out take.
        as_of: day as of which the outcomes were read.
    """
    names = [name for name in covariates() if name in sample]
    return make_trial(
        sample[names],
        sample["is_offered"].to_numpy(dtype=int),
        sample["outcome"].to_numpy(dtype=float),
        program.outcome.better,
        cluster=sample["member_id"].to_numpy(),
        known_propensity=sample["assignment_probability"].to_numpy(dtype=float),
        placebos={past.name: _placebo(past, sample, names) for past in program.placebos},
        negative_controls={past.name: _placebo(past, sample, names) for past in programs().negative_controls},
        groups=fairness_groups(sample),
        arm=program.key,
        follow_up=_follow_up(sample, program, as_of),
    )


def _follow_up(sample: pd.DataFrame, program: Program, as_of: date) -> FollowUp | None:
    if sample.empty:
        return None
    return FollowUp(sample["index_date"].max() + timedelta(program.outcome.horizon_days + program.runout_days), as_of)


def _placebo(past: PastMeasure, sample: pd.DataFrame, names: list[str]) -> Placebo:
    values = sample[past.feature].to_numpy(dtype=float)
    for part in past.less:
        values = values - sample[part].to_numpy(dtype=float)
    overlapping = re.compile(past.overlapping)
    return Placebo(values, exclude=tuple(name for name in names if overlapping.match(name)))


def verdict_sentence(study: TrainedStudy) -> str:
    """Why the verdict is what it is: the first gate that decided it, in its own words."""
    if study.verdict == "publish":
        return "The gates passed: on members kept aside, the whole ranking by estimated effect beats simple rules."
    failed = [g for g in study.gates if g.status == "fail" and (g.hard or study.verdict != "blocked")]
    unproven = [g for g in study.gates if g.name in MUST_PASS and g.status != "pass"]
    return [*failed, *unproven][0].sentence


def _options(program: Program, sample: pd.DataFrame) -> TrainOptions:
    """Judge the ranking where it will be used: at the share of eligible members that a cool-down's capacity reaches."""
    eligible = max(len(sample) / max(sample["index_date"].nunique(), 1), 1.0)
    reach = program.capacity_per_night * program.cooldown_days / eligible
    return TrainOptions(
        budget_fraction=min(reach, 1.0), reach_limits=(LEAST_REACH, MOST_REACH), max_train_rows=MAX_TRAIN_ROWS
    )


def _marked(kept: DataFrame, program: Program, scope: Scope) -> DataFrame:
    """Rows of `causal.cohort`: the person-trials with their outcome, each marked whether the model is trained on it."""
    n, offered, control = kept.selectExpr(
        "count(*)", "count_if(is_randomized and is_offered)", "count_if(is_randomized and not is_offered)"
    ).collect()[0]
    only_randomized = min(offered, control) >= MIN_RANDOMIZED_PER_ARM
    pool = offered + control if only_randomized else n
    share = min(1.0, MAX_TRAIN_ROWS / max(pool, 1))
    # By person, so that all trials of one member are in or out together.
    drawn = f"pmod(xxhash64(member_id, {scope.seed}), 1000000) < {share * 1_000_000:.0f}"
    return (
        cohort(kept, program, scope.data_source, scope.as_of)
        .selectExpr(
            "*",
            f"'{scope.data_source}' as data_source",
            f"'{program.key}' as program",
            f"date'{scope.as_of}' as trained_as_of",
            f"'{scope.run_id}' as run_id",
            f"({drawn}) and {'is_randomized' if only_randomized else 'true'} as is_trained_on",
        )
        .select(*contract("causal.cohort").column_names)
    )


def _sample(spark: SparkSession, where: str) -> pd.DataFrame:
    """The rows trained on with their features as of the index date: at most MAX_TRAIN_ROWS, ordered for reproducibility."""
    import pandas as pd

    features = ", ".join(f"f.{name}" for name in dict.fromkeys([*covariates(), *programs().past_features]))
    groups = ", ".join(f"m.{name}" for name in MEMBER_COLUMNS)
    sample = spark.sql(f"""
        select c.member_id, c.index_date, c.is_offered, c.is_randomized, c.assignment_probability, c.outcome, {features},
            {groups}
        from (select * from causal.cohort where {where} and is_trained_on) c
        join features.member_feature f
          on f.data_source = c.data_source and f.member_id = c.member_id and f.as_of_date = c.index_date
        left join core.member m on m.data_source = c.data_source and m.member_id = c.member_id
    """).toPandas()
    return pd.DataFrame(sample.sort_values(["member_id", "index_date"], ignore_index=True))


def _register(study: TrainedStudy, program: Program, data_source: str, as_of: date, sentence: str) -> RegisteredModel:
    metrics = {f"seconds_{name}": seconds for name, seconds in study.timings.items()}
    if study.ate is not None:
        metrics |= {"ate": study.ate.value, "ate_se": study.ate.se}
    tags = {
        "data_source": data_source,
        "program": program.key,
        "trained_as_of": as_of.isoformat(),
        "verdict": study.verdict,
        "verdict_sentence": sentence,
        "learner": study.learner,
        "seed": str(study.seed),
        **{f"library_{name}": version for name, version in study.versions.items()},
        **provenance(program),
    }
    params = {"n": study.n, "n_treated": study.n_treated, "budget_fraction": study.options.reach(1.0)}
    documents = {
        "gates": study.gate_frame.to_dict("records"),
        "evaluation": study.evaluation.to_dict("records"),
        "selection_loss": dict(study.selection_loss),
    }
    name = model_name(data_source, program.key)
    return register(name, study.scorer, params=params, metrics=metrics, tags=tags, documents=documents)


def _flow_row(found: CohortStep) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("step_number", "step", "remaining_count", "offered_count")}


def write_evidence(spark: SparkSession, trained: Iterable[Training], scope: Scope) -> list[AuditResult]:
    """Write what the trainings found to `causal.*`, all programs of a table in one atomic replacement."""
    import pandas as pd

    gates, evaluation, equity, balance, models, predictions = [], [], [], [], [], []
    for training in trained:
        labels = scope.labels(training.program)
        gates += [{**labels, **row} for row in _gate_rows(training.study)]
        evaluation += [{**labels, **row} for row in _evaluation_rows(training.study)]
        equity += [{**labels, **row} for row in _equity_rows(training.study)]
        balance += [{**labels, **row} for row in _balance_rows(training.study)]
        models.append({**labels, **_model_row(spark, training, scope)})
        predictions.append(training.sample.join(training.study.predictions.reset_index(drop=True)).assign(**labels))
    with step("write evidence"):
        return [
            _write_frame(spark, "causal.oof_prediction", scope, pd.concat(predictions, ignore_index=True)),
            _write_rows(spark, "causal.evaluation", scope, evaluation),
            _write_rows(spark, "causal.gate_result", scope, gates),
            _write_rows(spark, "causal.equity", scope, equity),
            _write_rows(spark, "causal.balance", scope, balance),
            _write_rows(spark, "causal.model", scope, models),
        ]


def write_cards(spark: SparkSession, trained: Iterable[Training], scope: Scope) -> None:
    """Write every model's card from what the training left in the tables. A card that fails is an alert and no more: the
    models are registered already, and training again would give them a second time."""
    configured = programs().programs
    with step("write model cards"):
        rows = read_training(spark, scope.where)
        for training in trained:
            try:
                write_card(configured[training.program], training.model, training.study.scorer, rows)
                lineage.drawn(naming.card(training.model.name), str(training.model.version))
            except Exception as error:
                record_alert(
                    kind="model", subject=training.model.label, run_id=scope.run_id, data_source=scope.data_source,
                    message=f"Its model card could not be made: {safe_message(error)}", severity="warn",
                )  # fmt: skip


def _gate_rows(study: TrainedStudy) -> list[dict[str, Any]]:
    return [
        {
            "gate": g.name, "gate_number": n, "status": g.status, "is_hard": g.hard,
            "value": g.value, "threshold": g.threshold, "sentence": g.sentence,
        }
        for n, g in enumerate(study.gates)
    ]  # fmt: skip


def _evaluation_rows(study: TrainedStudy) -> list[dict[str, Any]]:
    return [
        {
            "ranking": row["rule"].replace("learner", "model"), "metric": row["metric"], "value": row["value"],
            **{name: _known(row[old]) for name, old in {"se": "se", "ci_lower": "ci_low", "ci_upper": "ci_high"}.items()},
        }
        for row in study.evaluation.to_dict("records")
    ]  # fmt: skip


def _equity_rows(study: TrainedStudy) -> list[dict[str, Any]]:
    """`causal.equity`'s columns are those of `equity_report`, the model called `model`."""
    return [] if study.equity is None else equity_rows(study.equity)


def _balance_rows(study: TrainedStudy) -> list[dict[str, Any]]:
    return (
        [] if study.balance is None else [{str(k): v for k, v in r.items()} for r in study.balance.to_dict("records")]
    )


def _known(value: float) -> float | None:
    """NULL for what has no error: not a number."""
    return None if math.isnan(value) else value


def _model_row(spark: SparkSession, training: Training, scope: Scope) -> dict[str, Any]:
    study = training.study
    return {
        "model_version": training.model.label,
        "learner": study.learner,
        "verdict": study.verdict,
        "verdict_sentence": training.sentence,
        "is_champion": training.is_champion,
        "trial_count": study.n,
        "offered_count": study.n_treated,
        "ate": study.ate.value if study.ate else None,
        "ate_se": study.ate.se if study.ate else None,
        "feature_version": feature_version(),
        "feature_table_version": table_version(spark, "features.member_feature"),
        "trained_at": datetime.now(UTC),
        "seed": scope.seed,
    }


def _write_rows(
    spark: SparkSession, name: str, scope: Scope, rows: list[dict[str, Any]], made_of: MadeOf | None = None
) -> AuditResult:
    """Write a few rows from the driver into the training's part of a table, through its contract.

    `made_of` says of which columns they were computed; default: they tell of the models.
    """
    table = contract(name)
    full = [{name: _plain(row.get(name)) for name in table.column_names} for row in rows]
    frame = computed(rows_of_contract(spark, table, full), made_of or measured(name, scope.data_source))
    return write_audited(frame, table, run_id=scope.run_id, where=scope.where)


def _write_frame(spark: SparkSession, name: str, scope: Scope, frame: pd.DataFrame) -> AuditResult:
    """As `_write_rows` for the training samples' size: by Arrow, not row by row."""
    table = contract(name)
    sent = computed(spark.createDataFrame(frame[list(table.column_names)]), measured(name, scope.data_source))
    rows = sent.selectExpr(*(f"cast({c.name} as {c.spark_type}) as {c.name}" for c in table.columns))
    return write_audited(rows, table, run_id=scope.run_id, where=scope.where)


def _plain(value: Any) -> Any:
    """A value as Spark takes it: no NumPy scalar, NaN as NULL."""
    import numpy as np

    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and value != value else value
