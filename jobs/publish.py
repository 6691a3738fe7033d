"""From scores to tonight's list: holdout, allocation under capacity, exploration, decisions, one atomic publication.

Only a bounded set of candidates (per program as many as all teams together can call) reaches the driver; see
`causal.allocation` for why no better list exists outside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from causal.allocation import allocate
from causal.assignment import uniform_sql
from contracts.catalog import contract
from contracts.compile.literals import sql_string
from contracts.features import version as feature_version
from contracts.programs import Program
from contracts.views import VIEWS
from jobs.lineage import record as lineage
from jobs.lineage.plan import computed

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession


@dataclass(frozen=True)
class Allocation:
    """Who is called tonight and what one more call would be worth.

    Attributes:
        chosen: `program, member_id, decision` (`outreach` or `explore`), one row per member called.
        marginal_value_usd: shadow price per program ranked by effect.
        explored_from: how many members each program's exploration was drawn from.
    """

    chosen: pd.DataFrame
    marginal_value_usd: Mapping[str, float]
    explored_from: Mapping[str, int]


def ranked(scores: DataFrame, holdout_salt: str, shares: Mapping[str, float]) -> DataFrame:
    """Scores plus `is_holdout, is_rankable, is_callable, tie, priority_rank`.

    Args:
        scores: rows of `causal.member_score` of one source and night.
        holdout_salt: of the persistent holdouts.
        shares: holdout share per program.
    """
    from pyspark.sql.connect import functions as F
    from pyspark.sql.connect.window import Window

    share = "case program " + " ".join(f"when '{key}' then {share}" for key, share in shares.items()) + " else 0 end"
    flagged = (
        scores.withColumn(
            "is_holdout", F.expr(f"{uniform_sql(('member_id', 'program'), f'{holdout_salt}|holdout')} < {share}")
        )
        .withColumn("tie", F.expr(uniform_sql(("member_id", "program"), f"{holdout_salt}|tie")))
        .withColumn(
            "is_rankable",
            F.expr(
                "is_eligible and blocked_by is null and verdict <> 'blocked' and rank_value is not null"
                " and (verdict <> 'publish' or coalesce(is_in_support, false))"
            ),
        )
        .withColumn(
            "is_callable", F.expr("is_rankable and not is_holdout and (verdict <> 'publish' or rank_value > 0)")
        )
    )
    order = Window.partitionBy("program", "is_rankable").orderBy(F.desc("rank_value"), "tie", "member_id")
    return flagged.withColumn("priority_rank", F.expr("case when is_rankable then 1 end") * F.row_number().over(order))


def _top_callable(rows: DataFrame, per_program: int) -> pd.DataFrame:
    """The best `per_program` callable members of each program: a bounded frame on the driver."""
    from pyspark.sql.connect import functions as F
    from pyspark.sql.connect.window import Window

    order = Window.partitionBy("program").orderBy("priority_rank")
    best = (
        rows.where("is_callable").withColumn("place", F.row_number().over(order)).where(F.col("place") <= per_program)
    )
    return best.select("program", "member_id", "rank_value", "verdict", "tie", "place").toPandas()


def allocate_night(rows: DataFrame, programs: Mapping[str, Program], explore_salt: str) -> Allocation:
    """Fill the teams: programs ranked by effect first and jointly, then those on their fallback rule, then exploration.

    Args:
        rows: from `ranked`, persisted by the caller.
        programs: by key.
        explore_salt: of tonight's exploration; another night draws others.
    """
    import pandas as pd

    slots = {key: program.capacity_per_night for key, program in programs.items()}
    explore = {key: round(program.capacity_per_night * program.explore_share) for key, program in programs.items()}
    firm = {key: slots[key] - explore[key] for key in programs}
    total = sum(slots.values())
    candidates = _top_callable(rows, total)
    teams = {key: program.team for key, program in programs.items()}

    by_effect = candidates[candidates["verdict"] == "publish"]
    first = allocate(by_effect.assign(value=by_effect["rank_value"]), capacity=firm, team=teams)
    taken = set(first.chosen["member_id"])
    by_rule = candidates[(candidates["verdict"] == "fallback") & ~candidates["member_id"].isin(taken)]
    # Scores of different fallback rules have no common unit; the place in the program's own ranking has.
    second = allocate(by_rule.assign(value=total + 1.0 - by_rule["place"]), capacity=firm, team=teams)
    chosen = pd.concat([first.chosen, second.chosen])[["program", "member_id"]].assign(decision="outreach")

    explored, explored_from = _explore(rows, chosen, explore, explore_salt)
    return Allocation(pd.concat([chosen, explored], ignore_index=True), dict(first.shadow_price), explored_from)


def _explore(
    rows: DataFrame, chosen: pd.DataFrame, slots: Mapping[str, int], salt: str
) -> tuple[pd.DataFrame, dict[str, int]]:
    """A random slice of callable members below the cut, so that the model keeps being tested where it says no."""
    import pandas as pd
    from pyspark.sql.connect import functions as F
    from pyspark.sql.connect.window import Window

    spark = rows.sparkSession
    taken_before = spark.createDataFrame([(m,) for m in sorted(set(chosen["member_id"]))], "member_id string")
    below = rows.where("is_callable").join(F.broadcast(taken_before), "member_id", "left_anti")
    pool = {row["program"]: row["n"] for row in below.groupBy("program").agg(F.count("*").alias("n")).collect()}
    order = Window.partitionBy("program").orderBy("draw", "member_id")
    drawn = (
        below.withColumn("draw", F.expr(uniform_sql(("member_id", "program"), salt)))
        .withColumn("place", F.row_number().over(order))
        .where(F.col("place") <= sum(slots.values()))
        .select("program", "member_id", "place")
        .toPandas()
        .sort_values(["program", "place"])
    )
    taken: set[str] = set()
    picked: list[tuple[str, str, str]] = []
    for key, count in slots.items():
        free = [m for m in drawn.loc[drawn["program"] == key, "member_id"] if m not in taken][:count]
        taken.update(free)
        picked += [(key, member, "explore") for member in free]
    return pd.DataFrame(picked, columns=["program", "member_id", "decision"]), pool


_BLOCKED_WORDS = {
    "deceased": "Died",
    "disenrolled": "Not enrolled on this date",
    "hospice": "In hospice care",
    "criteria": "Does not meet the program's criteria",
    "consent": "Asked not to be contacted",
    "cooldown": "Was offered a program recently",
}


# What the allocation, which is computed on the driver, is made of.
_ALLOCATED_BY = {
    "program": ("causal.member_score.program",),
    "member_id": ("causal.member_score.member_id",),
    "picked": ("causal.member_score.rank_value", "causal.member_score.verdict", "causal.member_score.is_eligible"),
}


def decided(rows: DataFrame, allocation: Allocation, programs: Mapping[str, Program], run_id: str) -> DataFrame:
    """Rows of `outreach.priority`: decision, its probability and its reasons.

    `assignment_probability` is that of being offered under tonight's policy, over the persistent holdout and the
    exploration draw; a holdout carries what it would have had.
    """
    from pyspark.sql.connect import functions as F

    spark = rows.sparkSession
    chosen = computed(
        spark.createDataFrame(
            allocation.chosen[["program", "member_id", "decision"]], "program string, member_id string, picked string"
        ),
        _ALLOCATED_BY,
    )
    explore_prob = {
        key: min(1.0, round(p.capacity_per_night * p.explore_share) / max(allocation.explored_from.get(key, 0), 1))
        for key, p in programs.items()
    }

    def by_program(values: Mapping[str, float]) -> str:
        return "case program " + " ".join(f"when '{k}' then {float(v)!r}D" for k, v in values.items()) + " else 0D end"

    words = " ".join(
        f"when '{code}' then '{text.replace(chr(39), chr(92) + chr(39))}'" for code, text in _BLOCKED_WORDS.items()
    )
    joined = rows.join(F.broadcast(chosen), ["program", "member_id"], "left")
    cuts = joined.where("picked = 'outreach'").groupBy("program").agg(F.max("priority_rank").alias("cut_rank"))
    decision = """case when not is_eligible then 'not_eligible'
        when blocked_by is not null then 'suppressed'
        when verdict = 'publish' and not coalesce(is_in_support, false) then 'outside_support'
        when is_holdout then 'holdout'
        when picked is not null then picked
        else 'below_capacity' end"""
    offered = by_program({k: 1 - p.holdout_share for k, p in programs.items()})
    below = f"case when verdict <> 'publish' or rank_value > 0 then {offered} * {by_program(explore_prob)} else 0D end"
    silent = "decision in ('not_eligible', 'suppressed')"
    first_reason = f"""case when blocked_by is not null then case blocked_by {words} end
        when decision = 'outside_support' then 'Unlike the members that the model learnt from, so no effect is estimated'
        when decision = 'holdout' then 'Held out at random, so that the effect of the program can be measured'
        when verdict = 'blocked' then 'The program is blocked: its estimates cannot be trusted tonight'
        when decision = 'below_capacity' and verdict = 'publish' and rank_value <= 0 then 'No net benefit is expected'
        else reason_1 end"""
    kept = f"case when {silent} or decision in ('outside_support', 'holdout') or verdict = 'blocked' then null else"
    table = contract("outreach.priority")
    return (
        joined.join(F.broadcast(cuts), "program", "left")
        .withColumn("decision", F.expr(decision))
        .withColumn(
            "assignment_probability",
            F.expr(f"""cast(case when not is_rankable then 0D
                when decision = 'outreach' or (is_holdout and priority_rank <= cut_rank) then {offered}
                else {below} end as double)"""),
        )
        .selectExpr(
            "data_source", "run_date", "program", "member_id", "cate", "cate_lower", "cate_upper", "interval_kind",
            "baseline_risk", "expected_net_value_usd", "cast(priority_rank as int) as priority_rank", "decision",
            "assignment_probability", f"{first_reason} as reason_1", f"{kept} reason_2 end as reason_2",
            f"{kept} reason_3 end as reason_3", "verdict", "verdict_sentence", "model_version", f"'{table.version}' as contract_version",
            f"'{feature_version()}' as feature_version", f"'{run_id}' as run_id",
        )
    )  # fmt: skip


def summarised(
    priority: DataFrame,
    allocation: Allocation,
    programs: Mapping[str, Program],
    run_id: str,
) -> DataFrame:
    """Rows of `outreach.program_summary`, one per program, from the night as published."""
    from pyspark.sql.connect import functions as F

    spark = priority.sparkSession
    rows = spark.createDataFrame(
        [
            (
                key,
                p.capacity_per_night,
                allocation.marginal_value_usd.get(key),
                -1.0 if p.outcome.better == "lower" else 1.0,
            )
            for key, p in programs.items()
        ],
        "program string, capacity int, marginal_value_usd double, sign double",
    )
    facts = computed(rows, {"marginal_value_usd": _ALLOCATED_BY["picked"]})
    called = "decision in ('outreach', 'explore')"
    counted = priority.groupBy(
        "data_source", "run_date", "program", "verdict", "verdict_sentence", "model_version"
    ).agg(
        F.expr("cast(count(*) as int) as member_count"),
        F.expr("cast(count_if(decision <> 'not_eligible') as int) as eligible_count"),
        *(
            F.expr(f"cast(count_if(decision = '{name}') as int) as {name}_count")
            for name in ("suppressed", "outside_support", "holdout", "outreach", "explore")
        ),
        F.expr(f"sum(case when {called} then cate end) as effect"),
        F.expr(f"sum(case when {called} then expected_net_value_usd end) as expected_net_value_usd"),
    )
    names = contract("outreach.program_summary").column_names
    return (
        counted.join(facts, "program")
        .withColumn("expected_benefit", F.expr("case when verdict = 'publish' then sign * effect end"))
        .withColumn("run_id", F.lit(run_id))
        .select(*names)
    )


def create_views(spark: SparkSession) -> None:
    """`outreach.priority_latest` and `outreach.action_list`: always the last published night, never half of one."""
    _create_view(
        spark,
        "outreach.priority_latest",
        """
        select p.* from outreach.priority p
        join (select data_source, max(run_date) as run_date from outreach.program_summary group by data_source) last
          on last.data_source = p.data_source and last.run_date = p.run_date""",
    )
    shown = ", ".join(VIEWS["outreach.action_list"].column_names)
    _create_view(
        spark,
        "outreach.action_list",
        f"select {shown} from outreach.priority_latest where decision in ('outreach', 'explore')",
    )


def _create_view(spark: SparkSession, name: str, query: str) -> None:
    statement = f"create or replace view {name} comment {sql_string(VIEWS[name].description)} as {query}"
    spark.sql(statement)
    lineage.viewed(statement)


def predicate(data_source: str, run_date: date) -> str:
    """The partition of one source and night."""
    return f"data_source = '{data_source}' and run_date = date'{run_date}'"
