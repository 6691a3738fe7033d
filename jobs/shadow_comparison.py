"""What served a night beside its challenger, in numbers: computed in Spark, only one row per program comes out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from causal.assignment import uniform_sql
from causal.stability import psi
from contracts.programs import Program, programs
from jobs.options import benefit_sql, best_value_sql, by_key, may_harm_sql
from jobs.publish import predicate

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

_TENTHS = ", ".join(f"{n / 10}D" for n in range(1, 10))


def compared(
    spark: SparkSession, chosen: Sequence[Program], data_source: str, run_date: date
) -> dict[str, dict[str, Any]]:
    """Columns of `causal.shadow_comparison` per program, from the scores of a night.

    Args:
        spark: the session.
        chosen: programs with a challenger; one that was not scored gets only what served.
        data_source: ingestion source.
        run_date: the night.
    """
    if not chosen:
        return {}
    where = predicate(data_source, run_date)
    found: dict[str, dict[str, Any]] = {p.key: {"served_version": "none", "served_verdict": "fallback"} for p in chosen}
    served = f"select distinct program, model_version as served_version, verdict as served_verdict from causal.member_score where {where}"
    lists = _lists_sql(chosen, where)
    for sql in (served, lists):
        for row in spark.sql(sql).collect():
            columns = row.asDict()
            found.get(columns.pop("program"), {}).update(columns)
    for key, value in _stability(spark, where).items():
        found.get(key, {}).update(score_psi=value)
    return found


def _lists_sql(chosen: Sequence[Program], where: str) -> str:
    """One row per program: both lists, their agreement and their value by either model.

    Equal values are ordered by the same keyed hash as in the published list. Ranks of equal effects are averaged, as
    Spearman's rho demands. Sums are rounded, because their last digits depend on the order of summation.
    """
    tie = uniform_sql(("m.member_id", "m.program"), f"{programs().holdout_salt}|tie")
    value = {p.key: best_value_sql(p, benefit_sql(p, "m.cate"), "m.allowed_channels") for p in chosen}
    own_value = by_key("m.program", value, "null")
    places = by_key("m.program", {p.key: f"{p.capacity_per_night}L" for p in chosen}, "null")
    may_harm = by_key("program", {p.key: may_harm_sql(p) for p in chosen}, "false")
    by_served = "partition by program order by served_key desc nulls last, tie, member_id"
    by_challenger = "partition by program order by challenger_key desc nulls last, tie, member_id"
    return f"""
    with pairs as (
        select m.program, m.member_id, {tie} as tie, {places} as places,
            m.cate as served_cate, c.cate as challenger_cate,
            case when m.verdict = 'publish' then {own_value} end as served_value, c.net_value_usd as challenger_value,
            case when m.blocked_by is null and m.verdict = 'fallback' then m.rank_value
                 when m.blocked_by is null and m.verdict = 'publish' and m.is_in_support and m.rank_value > 0 and not m.may_harm
                    then m.rank_value
            end as served_key,
            case when m.blocked_by is null and c.rank_value > 0 then c.rank_value end as challenger_key
        from (select *, {may_harm} as may_harm from causal.member_score where {where} and is_eligible) m
        join (select * from causal.shadow_score where {where}) c on c.program = m.program and c.member_id = m.member_id
    ),
    listed as (
        select *,
            served_key is not null and row_number() over ({by_served}) <= places as is_served,
            challenger_key is not null and row_number() over ({by_challenger}) <= places as is_challenger,
            case when served_cate is not null and challenger_cate is not null then 1 end as has_both
        from pairs
    ),
    ordered as (
        select *,
            case when has_both = 1 then rank() over (partition by program, has_both order by served_cate)
                + (count(*) over (partition by program, has_both, served_cate) - 1) / 2 end as served_rank,
            case when has_both = 1 then rank() over (partition by program, has_both order by challenger_cate)
                + (count(*) over (partition by program, has_both, challenger_cate) - 1) / 2 end as challenger_rank
        from listed
    )
    select program,
        cast(count(*) as int) as member_count,
        cast(max(places) as int) as place_count,
        try_divide(count_if(is_served and is_challenger), greatest(count_if(is_served), count_if(is_challenger)))
            as list_agreement,
        case when stddev_pop(served_rank) > 0 and stddev_pop(challenger_rank) > 0
            then round(corr(served_rank, challenger_rank), 9) end as rank_correlation,
        round(sum(case when is_served then served_value end), 2) as served_value_usd,
        round(coalesce(sum(case when is_challenger then challenger_value end), 0), 2) as challenger_value_usd,
        round(sum(case when is_served then challenger_value end), 2) as served_list_by_challenger_usd,
        round(sum(case when is_challenger then served_value end), 2) as challenger_list_by_served_usd
    from ordered group by program"""


def _stability(spark: SparkSession, where: str) -> dict[str, float]:
    """PSI of the challenger's effects on tenths of the served model's, missing ones a bin of their own, by program."""
    rows = spark.sql(f"""
    with both as (
        select m.program, m.cate as served_cate, c.cate as challenger_cate
        from (select * from causal.member_score where {where} and is_eligible and model_version <> 'none') m
        join (select * from causal.shadow_score where {where}) c on c.program = m.program and c.member_id = m.member_id
    ),
    cut as (
        select program, array_distinct(percentile(served_cate, array({_TENTHS}))) as edges from both group by program
    ),
    binned as (
        select b.program, stack(2, 'served', {_bin("b.served_cate")}, 'challenger', {_bin("b.challenger_cate")})
            as (side, bin)
        from both b join cut on cut.program = b.program where size(edges) > 0
    )
    select program, side, bin, count(*) as n from binned group by program, side, bin""").collect()
    counts: dict[str, dict[str, np.ndarray]] = defaultdict(lambda: {s: np.zeros(11) for s in ("served", "challenger")})
    for row in rows:
        counts[row["program"]][row["side"]][row["bin"]] += row["n"]
    return {
        key: round(psi(side["served"] / side["served"].sum(), side["challenger"] / side["challenger"].sum()), 9)
        for key, side in counts.items()
    }


def _bin(value: str) -> str:
    """0 to 9 by the edges passed, 10 for a missing value."""
    return f"case when {value} is null then 10 else size(filter(cut.edges, e -> {value} > e)) end"
