"""Tonight's scores: eligibility in SQL, effects by `mapInArrow` with the model loaded once per worker.

No member leaves the cluster: the model goes to the rows (as a session artifact), not the rows to the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from contracts.features import covariates, registry
from contracts.features import version as feature_version
from contracts.programs import Program, Programs
from jobs.options import benefit_sql, best_value_sql, cautious_benefit_sql
from jobs.registry import RegisteredModel, challenger, champion, load_scorer
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


@dataclass(frozen=True)
class Serving:
    """What serves a program tonight.

    Attributes:
        verdict: `publish` ranks by effect, `fallback` by the program's rule, `blocked` calls nobody.
        sentence: why, in one sentence.
        model: the champion, None when none is valid.
    """

    verdict: str
    sentence: str
    model: RegisteredModel | None

    @property
    def model_version(self) -> str:
        """As published."""
        return self.model.label if self.model else "none"


def serving(data_source: str, program: Program) -> Serving:
    """The program's champion and what its gates allow; a champion of other feature definitions does not serve."""
    model = champion(data_source, program.key)
    if model is None:
        waiting = challenger(data_source, program.key)
        if waiting is None:
            return Serving("fallback", "No model has been trained yet.", None)
        if waiting.tags["verdict"] == "blocked":
            return Serving("blocked", waiting.tags["verdict_sentence"], None)
        return Serving("fallback", f"{waiting.label} waits for approval.", None)
    trained_on = model.tags.get("feature_version")
    if trained_on != feature_version():
        return Serving("fallback", "The feature definitions changed since the model was trained.", None)
    return Serving(model.tags["verdict"], model.tags["verdict_sentence"], model)


@cache
def _worker_scorer(file_name: str) -> Any:
    """The scorer, unpickled once per worker process."""
    from pathlib import Path

    from pyspark import SparkFiles

    return load_scorer(Path(SparkFiles.get(file_name)))


def _score_partition(file_name: str) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function that Spark runs over the batches of a partition."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        scorer = _worker_scorer(file_name)
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

    name = f"{model.name}-{model.version}-scorer.pkl"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, name)
        shutil.copyfile(model.scorer_path, copy)
        spark.addArtifact(str(copy), file=True)
    return name


def score_program(
    spark: SparkSession, configured: Programs, program: Program, serve: Serving, data_source: str, run_date: date
) -> DataFrame:
    """Rows of `causal.member_score` for one program: every member with features tonight.

    Effects are estimated for eligible members only, suppressed ones included, so that a report can say what
    suppression costs. Without a model that may rank, `rank_value` is the program's fallback rule.
    """
    everyone = tonight(spark, configured, program, data_source, run_date)
    eligible = "(blocked_by is null or blocked_by in ('consent', 'language', 'cooldown'))"
    if serve.model is None:
        scored = spark.createDataFrame([], _SCORES)
    else:
        rows = everyone.where(eligible).select("member_id", *covariates())
        scored = rows.mapInArrow(_score_partition(_shipped(spark, serve.model)), _SCORES)
    by_effect = serve.verdict == "publish"
    expected = best_value_sql(program, benefit_sql(program))
    cautious = configured.rank_by == "lower_limit"
    ranked_by = best_value_sql(program, cautious_benefit_sql(program)) if cautious else expected
    fallback_reason = "'" + program.fallback_reason.replace("'", "\\'") + "'"
    reasons = ("reason_1", "reason_2", "reason_3") if by_effect else (fallback_reason, "reason_1", "reason_2")
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
        f"case when {eligible} then cast({ranked_by if by_effect else 'fallback_score'} as double) end as rank_value",
        f"cast({expected if by_effect else 'null'} as double) as expected_net_value_usd",
        *(f"case when {eligible} then {reason} end as reason_{n}" for n, reason in enumerate(reasons, start=1)),
        f"'{serve.verdict}' as verdict",
        f"'{serve.model_version}' as model_version",
    )
