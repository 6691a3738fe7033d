"""Training one program: its cohort in Spark, a bounded sample on the driver, the causal core, the registry, the record."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from causal.gates.result import MUST_PASS
from causal.options import TrainOptions
from causal.train import TrainedStudy, train_study
from causal.trial import Placebo, Trial, make_trial
from contracts.catalog import contract
from contracts.features import covariates
from contracts.features import version as feature_version
from contracts.programs import Program
from jobs.cohort import CohortStep, cohort, cohort_flow
from jobs.delta import table_version
from jobs.enforce import write_audited
from jobs.ledger import step
from jobs.registry import RegisteredModel, champion, model_name, promote, register

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

# Randomised person-trials per arm from which on a training needs no observational ones. Mixing them in would buy
# precision at the price of every confounder that care managers know and the data do not.
MIN_RANDOMIZED_PER_ARM = 400
MAX_TRAIN_ROWS = 40_000


@dataclass(frozen=True)
class Training:
    """What came out for one program."""

    program: str
    model: RegisteredModel
    study: TrainedStudy
    is_champion: bool
    sentence: str


def train_program(
    spark: SparkSession, program: Program, data_source: str, as_of: date, *, run_id: str, seed: int, auto_approve: bool
) -> Training:
    """Build the cohort as of a date, train, judge, register and record.

    Args:
        program: from the programs file.
        data_source: whose members.
        as_of: the training sees the world as known at this date.
        run_id: of the run.
        seed: root of every draw.
        auto_approve: promote unless the gates blocked it.
    """
    where = f"data_source = '{data_source}' and program = '{program.key}' and trained_as_of = date'{as_of}'"
    labels = {"data_source": data_source, "program": program.key, "trained_as_of": as_of, "run_id": run_id}
    with step(f"cohort {program.key}", data_source=data_source, run_date=as_of) as record:
        flow = cohort_flow(spark, program, data_source, as_of)
        trials = cohort(spark, program, data_source, as_of)
        record.rows_out = _write_cohort(spark, trials, where, labels, seed)
        _write_rows(spark, "causal.cohort_flow", where, labels, [_flow_row(s) for s in flow])
    with step(f"train {program.key}", data_source=data_source, run_date=as_of) as record:
        sample = _sample(spark, where)
        study = train_study(as_trial(sample, program), _options(program, sample), seed)
        record.rows_in, record.message = len(sample), f"{study.learner}: {study.verdict}"
        sentence = verdict_sentence(study)
        model = _register(study, program, data_source, as_of, sentence)
        has_champion = champion(data_source, program.key) is not None
        is_champion = auto_approve and (
            study.verdict == "publish" or (study.verdict == "fallback" and not has_champion)
        )
        if is_champion:
            promote(model, by="auto-approval")
        _record(spark, study, sample, program, model, where, labels, sentence, is_champion, seed)
    return Training(program.key, model, study, is_champion, sentence)


def as_trial(sample: pd.DataFrame, program: Program) -> Trial:
    """A cohort sample with features as the causal core takes it; known probabilities are passed on as given."""
    names = [name for name in covariates() if name in sample]
    overlapping = re.compile(program.placebo.overlapping)
    placebo = Placebo(
        sample[program.placebo.feature].to_numpy(dtype=float),
        exclude=tuple(name for name in names if overlapping.match(name) or name == program.placebo.feature),
    )
    return make_trial(
        sample[names],
        sample["is_offered"].to_numpy(dtype=int),
        sample["outcome"].to_numpy(dtype=float),
        program.outcome.better,
        cluster=sample["member_id"].to_numpy(),
        known_propensity=sample["assignment_probability"].to_numpy(dtype=float),
        placebos={program.placebo.feature: placebo},
        arm=program.key,
    )


def verdict_sentence(study: TrainedStudy) -> str:
    """Why the verdict is what it is: the first gate that decided it, in its own words."""
    if study.verdict == "publish":
        return "The gates passed: ranking by estimated effect beats simple rules on members kept aside."
    failed = [g for g in study.gates if g.status == "fail" and (g.hard or study.verdict != "blocked")]
    unproven = [g for g in study.gates if g.name in MUST_PASS and g.status != "pass"]
    return [*failed, *unproven][0].sentence


def _options(program: Program, sample: pd.DataFrame) -> TrainOptions:
    """Judge the ranking where it will be used: at the share of eligible members that a cool-down's capacity reaches."""
    eligible = max(len(sample) / max(sample["index_date"].nunique(), 1), 1.0)
    reach = program.capacity_per_night * program.cooldown_days / eligible
    return TrainOptions(budget_fraction=min(max(reach, 0.1), 0.5), max_train_rows=MAX_TRAIN_ROWS)


def _write_cohort(spark: SparkSession, trials: DataFrame, where: str, labels: dict[str, Any], seed: int) -> int:
    """Write `causal.cohort`, marking the person sample to train on; returns the number of person-trials."""
    from pyspark.storagelevel import StorageLevel

    kept = trials.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        n, offered, control = kept.selectExpr(
            "count(*)", "count_if(is_randomized and is_offered)", "count_if(is_randomized and not is_offered)"
        ).collect()[0]
        only_randomized = min(offered, control) >= MIN_RANDOMIZED_PER_ARM
        pool = offered + control if only_randomized else n
        share = min(1.0, MAX_TRAIN_ROWS / max(pool, 1))
        # By person, so that all trials of one member are in or out together.
        drawn = f"pmod(xxhash64(member_id, {seed}), 1000000) < {share * 1_000_000:.0f}"
        chosen = f"({drawn}) and {'is_randomized' if only_randomized else 'true'}"
        rows = kept.selectExpr(
            f"'{labels['data_source']}' as data_source",
            f"'{labels['program']}' as program",
            f"date'{labels['trained_as_of']}' as trained_as_of",
            f"'{labels['run_id']}' as run_id",
            "member_id", "index_date", "is_offered", "is_randomized", "assignment_probability", "outcome", "followup_days",
            f"{chosen} as is_trained_on",
        ).select(*contract("causal.cohort").column_names)  # fmt: skip
        write_audited(rows, contract("causal.cohort"), run_id=labels["run_id"], where=where).require()
        return int(n)
    finally:
        kept.unpersist()


def _sample(spark: SparkSession, where: str) -> pd.DataFrame:
    """The rows trained on with their features as of the index date: at most MAX_TRAIN_ROWS, ordered for reproducibility."""
    import pandas as pd

    features = ", ".join(f"f.{name}" for name in dict.fromkeys([*covariates(), *_placebo_features()]))
    sample = spark.sql(f"""
        select c.member_id, c.index_date, c.is_offered, c.is_randomized, c.assignment_probability, c.outcome, {features}
        from (select * from causal.cohort where {where} and is_trained_on) c
        join features.member_feature f
          on f.data_source = c.data_source and f.member_id = c.member_id and f.as_of_date = c.index_date
    """).toPandas()
    return pd.DataFrame(sample.sort_values(["member_id", "index_date"], ignore_index=True))


def _placebo_features() -> list[str]:
    from contracts.programs import programs

    return [program.placebo.feature for program in programs().programs.values()]


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
        "feature_version": feature_version(),
        "seed": str(study.seed),
        **{f"library_{name}": version for name, version in study.versions.items()},
    }
    params = {"n": study.n, "n_treated": study.n_treated, "budget_fraction": study.options.budget_fraction}
    documents = {
        "gates": study.gate_frame.to_dict("records"),
        "evaluation": study.evaluation.to_dict("records"),
        "selection_loss": dict(study.selection_loss),
    }
    name = model_name(data_source, program.key)
    return register(name, study.scorer, params=params, metrics=metrics, tags=tags, documents=documents)


def _flow_row(found: CohortStep) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("step_number", "step", "remaining_count", "offered_count")}


def _record(
    spark: SparkSession,
    study: TrainedStudy,
    sample: pd.DataFrame,
    program: Program,
    model: RegisteredModel,
    where: str,
    labels: dict[str, Any],
    sentence: str,
    is_champion: bool,
    seed: int,
) -> None:
    """Write what training found to `causal.*`, each table's partition atomically."""
    gates = [
        {
            "gate": g.name, "gate_number": n, "status": g.status, "is_hard": g.hard,
            "value": g.value, "threshold": g.threshold, "sentence": g.sentence,
        }
        for n, g in enumerate(study.gates)
    ]  # fmt: skip
    evaluation = [
        {
            "ranking": row["rule"].replace("learner", "model"), "metric": row["metric"], "value": row["value"],
            "se": row["se"], "ci_lower": row["ci_low"], "ci_upper": row["ci_high"],
        }
        for row in study.evaluation.to_dict("records")
    ]  # fmt: skip
    predictions = study.predictions.reset_index(drop=True)
    rows = sample[["member_id", "index_date"]].join(predictions)
    fact = {
        "model_version": model.label,
        "learner": study.learner,
        "verdict": study.verdict,
        "verdict_sentence": sentence,
        "is_champion": is_champion,
        "trial_count": study.n,
        "offered_count": study.n_treated,
        "ate": study.ate.value if study.ate else None,
        "ate_se": study.ate.se if study.ate else None,
        "feature_version": feature_version(),
        "feature_table_version": table_version(spark, "features.member_feature"),
        "trained_at": datetime.now(UTC),
        "seed": seed,
    }
    _write_rows(spark, "causal.gate_result", where, labels, gates)
    _write_rows(spark, "causal.evaluation", where, labels, evaluation)
    _write_frame(spark, "causal.oof_prediction", where, labels, rows)
    _write_rows(spark, "causal.model", where, labels, [fact])


def _write_rows(spark: SparkSession, name: str, where: str, labels: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Write a few rows from the driver into a table's partition, through its contract."""
    table = contract(name)
    schema = ", ".join(f"{c.name} {c.spark_type}" for c in table.columns)
    full = [tuple(_plain({**labels, **row}.get(c.name)) for c in table.columns) for row in rows]
    write_audited(spark.createDataFrame(full, schema), table, run_id=labels["run_id"], where=where).require()


def _write_frame(spark: SparkSession, name: str, where: str, labels: dict[str, Any], frame: pd.DataFrame) -> None:
    """As `_write_rows` for the training sample's size: by Arrow, not row by row."""
    table = contract(name)
    typed = frame.assign(**{key: value for key, value in labels.items() if key != "trained_as_of"})
    sent = spark.createDataFrame(typed[[c.name for c in table.columns if c.name in typed]])
    rows = sent.selectExpr("*", f"date'{labels['trained_as_of']}' as trained_as_of").selectExpr(
        *(f"cast({c.name} as {c.spark_type}) as {c.name}" for c in table.columns)
    )
    write_audited(rows, table, run_id=labels["run_id"], where=where).require()


def _plain(value: Any) -> Any:
    """A value as Spark takes it: no NumPy scalar, NaN as NULL."""
    import numpy as np

    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and value != value else value
