"""Tonight's scores: eligibility in SQL, effects by `mapInArrow` with the model loaded once per worker.

No member leaves the cluster: the model goes to the rows (as a session artifact), not the rows to the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from pyspark.errors import PythonException

from contracts.compile.literals import sql_string
from contracts.errors import ModelUnavailableError
from contracts.features import covariates, registry
from contracts.programs import Programs
from jobs.ledger import safe_message
from jobs.lineage.models import scored_by
from jobs.options import benefit_sql, best_value_sql, ranked_benefit_sql
from jobs.provenance import is_software, listed, software_differences
from jobs.registry import RegisteredModel, load_scorer
from jobs.serving import Serving
from jobs.tonight import tonight

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

_SCORES = (
    "member_id string, is_in_support boolean, cate double, cate_lower double, cate_upper double, interval_kind string,"
    " baseline_risk double, reason_1 string, reason_2 string, reason_3 string"
)

_NO_WORDS = "Similar members gained from the program"


@cache
def _worker_scorer(file_name: str, trained_with: tuple[tuple[str, str], ...]) -> Any:
    """The scorer, unpickled once per worker process; refused where the worker's software is not that of the training."""
    from pathlib import Path

    from pyspark import SparkFiles

    if found := software_differences(dict(trained_with)):
        raise ModelUnavailableError(
            f"A worker may not use {file_name}: {listed(found)}.", todo="install the lock there"
        )
    return load_scorer(Path(SparkFiles.get(file_name)))


def _score_partition(
    file_name: str, trained_with: tuple[tuple[str, str], ...]
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function that Spark runs over the batches of a partition."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        scorer = _worker_scorer(file_name, trained_with)
        for batch in batches:
            frame = batch.to_pandas()
            scored = scorer.score(frame.drop(columns=["member_id"]))
            reasons = _in_words(frame, scored)
            columns = {
                "member_id": batch.column("member_id"),
                "is_in_support": pa.array(scored["in_support"], pa.bool_()),
                **{
                    name: pa.array(scored[name], pa.float64(), from_pandas=True)
                    for name in ("cate", "cate_lower", "cate_upper", "baseline_risk")
                },
                "interval_kind": pa.array(scored["interval_kind"], pa.string()),
                **{f"reason_{n}": pa.array([row[n - 1] for row in reasons], pa.string()) for n in (1, 2, 3)},
            }
            order = [field.split()[0] for field in _SCORES.split(", ")]
            yield pa.RecordBatch.from_pydict({name: columns[name] for name in order})

    return run


def _in_words(frame: Any, scored: Any) -> list[tuple[str | None, ...]]:
    """Up to three reasons per row; a feature that has no words for its value leaves its place to the next."""
    known = registry()
    rows: list[tuple[str | None, ...]] = []
    names = scored[["reason_feature_1", "reason_feature_2", "reason_feature_3"]].to_numpy()
    columns = {name: frame[name].to_numpy() for name in {n for n in names.ravel() if isinstance(n, str)}}
    for at, row in enumerate(names):
        words = [known[name].say(columns[name][at]) for name in row if isinstance(name, str)]
        said = [word for word in words if word] or ([_NO_WORDS] if len(words) else [])
        rows.append((*said, None, None, None)[:3])
    return rows


def _shipped(spark: SparkSession, model: RegisteredModel) -> str:
    """Give the session the model file under a name of its own; returns that name."""
    import shutil
    import tempfile
    from pathlib import Path

    name = f"{model.name}-{model.version}-{model.tags['scorer_sha256'][:12]}.pkl"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, name)
        shutil.copyfile(model.scorer_path, copy)
        spark.addArtifact(str(copy), file=True)
    return name


def effects(spark: SparkSession, model: RegisteredModel, rows: DataFrame) -> DataFrame:
    """A model's scores of members: `member_id, is_in_support, cate, cate_lower, cate_upper, interval_kind, baseline_risk,
    reason_1, reason_2, reason_3`.

    Args:
        spark: the session that `rows` belong to.
        model: its file goes to the workers.
        rows: `member_id` and every covariate.
    """
    trained_with = tuple(sorted((tag, value) for tag, value in model.tags.items() if is_software(tag)))
    scored = _score_partition(_shipped(spark, model), trained_with)
    return scored_by(rows.select("member_id", *covariates()).mapInArrow(scored, _SCORES), model)


def scoring_error(rows: DataFrame) -> str | None:
    """Score everyone, keep nothing; what a worker raised, without data, or None.

    Args:
        rows: from `effects`, or made of it.
    """
    try:
        rows.write.format("noop").mode("overwrite").save()
    except PythonException as error:
        return f"it raised an error while scoring ({safe_message(error)})"
    return None


def score_program(
    spark: SparkSession, configured: Programs, key: str, serve: Serving, data_source: str, run_date: date
) -> DataFrame:
    """Rows of `causal.member_score` for one program: every member with features tonight.

    Effects are estimated for eligible members only, suppressed ones included, so that a report can say what
    suppression costs. Without a model that may rank, `rank_value` is the program's fallback rule.
    """
    program = configured.programs[key]
    everyone = tonight(spark, configured, program, data_source, run_date)
    eligible = "(blocked_by is null or blocked_by in ('consent', 'language', 'cooldown'))"
    if serve.model is None:
        scored = spark.createDataFrame([], _SCORES)
    else:
        scored = effects(spark, serve.model, everyone.where(eligible))
    by_effect = serve.verdict == "publish"
    expected = best_value_sql(program, benefit_sql(program))
    ranked_by = best_value_sql(program, ranked_benefit_sql(program)) if by_effect else "fallback_score"
    fallback_reason = sql_string(program.fallback_reason)
    # Nothing may speak for a member more than for the average one; whoever is called has a reason all the same.
    first = f"coalesce(reason_1, {sql_string(_NO_WORDS)})"
    reasons = (first, "reason_2", "reason_3") if by_effect else (fallback_reason, "reason_1", "reason_2")
    known = everyone.select("member_id", "blocked_by", "allowed_channels", "fallback_score")
    joined = known.join(scored, "member_id", "left")
    return joined.selectExpr(
        f"'{data_source}' as data_source",
        f"date'{run_date}' as run_date",
        f"'{program.key}' as program",
        "member_id",
        f"{eligible} as is_eligible",
        "blocked_by",
        "allowed_channels",
        "is_in_support",
        "cate",
        "cate_lower",
        "cate_upper",
        "coalesce(interval_kind, 'none') as interval_kind",
        "baseline_risk",
        f"case when {eligible} then cast({ranked_by} as double) end as rank_value",
        f"cast({expected if by_effect else 'null'} as double) as expected_net_value_usd",
        *(f"case when {eligible} then {reason} end as reason_{n}" for n, reason in enumerate(reasons, start=1)),
        f"'{serve.verdict}' as verdict",
        f"{sql_string(serve.sentence)} as verdict_sentence",
        f"'{serve.model_version}' as model_version",
    )
