"""From scores to tonight's list: holdout, allocation within the limits, exploration, decisions, one atomic publication.

The policy is `causal.policy`; here Spark does what touches every member. Only a bounded set of candidates reaches the
driver (of each option as many as all limits together can serve, and who is held out among them; `causal.allocation` proves
that no better list exists outside of it), and only the picks go back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from causal.allocation import CENT
from causal.assignment import uniform_sql
from causal.policy import NightPlan, Served, capacity_use, place_value, serve
from contracts.catalog import contract
from contracts.compile.literals import sql_string
from contracts.features import version as feature_version
from contracts.programs import Program, Programs
from contracts.views import VIEWS
from jobs.delta import rows_of_contract
from jobs.lineage import record as lineage
from jobs.lineage.plan import computed
from jobs.options import benefit_sql, by_key, may_harm_sql, net_value_sql, offers_sql, ranked_benefit_sql

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

_CALLED = "decision in ('outreach', 'explore')"
# What the allocation, which is computed on the driver, is made of: what the options of a member are worth.
_VALUED_BY = tuple(
    f"causal.member_score.{name}"
    for name in (
        "rank_value",
        "verdict",
        "is_eligible",
        "allowed_channels",
        "expected_net_value_usd",
        "cate",
        "cate_lower",
        "cate_upper",
    )
)
_ALLOCATED_BY = {
    "program": ("causal.member_score.program",),
    "member_id": ("causal.member_score.member_id",),
    "*": _VALUED_BY,
}


@dataclass(frozen=True)
class Allocation:
    """Who is offered what tonight.

    Attributes:
        served: offers by rank, who is spared by a holdout only, and what is scarce.
        explored: `program, member_id, channel` of the offers drawn at random below the cut.
        pools: how many members each program's exploration was drawn from.
    """

    served: Served
    explored: pd.DataFrame
    pools: Mapping[str, int]

    @property
    def picks(self) -> pd.DataFrame:
        """`program, member_id, channel, picked` with `picked` one of `outreach, spared, explore`."""
        import pandas as pd

        return pd.concat([self.served.picks, self.explored.assign(picked="explore")], ignore_index=True)


def ranked(scores: DataFrame, configured: Programs, plan: NightPlan) -> DataFrame:
    """Scores plus `is_holdout, tie, is_rankable, priority_rank, may_harm, offers, can_explore`.

    `offers`: what an offer through each open channel counts in the allocation (by rule: less the rank), and its expected
    dollars; none where it may harm.

    Args:
        scores: rows of `causal.member_score` of one source and night.
        configured: from the programs file.
        plan: of the night.
    """
    from pyspark.sql.connect import functions as F
    from pyspark.sql.connect.window import Window

    share = {key: f"{program.holdout_share!r}D" for key, program in configured.programs.items()}
    held_out = uniform_sql(("member_id", "program"), f"{configured.holdout_salt}|holdout")
    first = {key: sql_string(program.first_channel) for key, program in configured.programs.items()}
    may_harm = {key: may_harm_sql(program) for key, program in configured.programs.items()}
    order = Window.partitionBy("program", "is_rankable").orderBy(
        F.desc_nulls_last("rank_value"), F.asc("tie"), F.asc("member_id")
    )
    return (
        scores.withColumn("is_holdout", F.expr(f"{held_out} < {by_key('program', share, '0D')}"))
        .withColumn("tie", F.expr(uniform_sql(("member_id", "program"), f"{configured.holdout_salt}|tie")))
        .withColumn(
            "is_rankable",
            F.expr(
                "is_eligible and blocked_by is null and verdict <> 'blocked'"
                " and (verdict <> 'publish' or coalesce(is_in_support, false))"
            ),
        )
        .withColumn("priority_rank", F.expr("case when is_rankable then 1 end") * F.row_number().over(order))
        .withColumn("may_harm", F.expr(f"verdict = 'publish' and {by_key('program', may_harm, 'false')}"))
        .withColumn("offers", F.expr(offers_sql(configured.programs, _ranked_by(configured, plan), "may_harm")))
        .withColumn(
            "can_explore",
            F.expr(
                f"is_rankable and exists(offers, o -> o.channel = {by_key('program', first, 'null')}"
                " and if(verdict = 'publish', coalesce(o.expected_usd > 0, false), rank_value is not null))"
            ),
        )
    )


def _ranked_by(configured: Programs, plan: NightPlan) -> dict[str, dict[str, str]]:
    """SQL of what each option counts in the allocation: dollars by effect, or less the rank (see `_placed`)."""
    found: dict[str, dict[str, str]] = {}
    for key, program in configured.programs.items():
        benefit = ranked_benefit_sql(program)
        by_effect = plan.verdict.get(key) == "publish"
        found[key] = {
            name: net_value_sql(program, name, benefit) if by_effect else "if(rank_value is null, null, -priority_rank)"
            for name in program.channels
        }
    return found


def allocate_night(rows: DataFrame, configured: Programs, plan: NightPlan, explore_salt: str) -> Allocation:
    """Fill the limits by rank, then draw the exploration.

    Args:
        rows: from `ranked`, persisted by the caller.
        configured: from the programs file.
        plan: of the night.
        explore_salt: of tonight's exploration; another night draws others.
    """
    import pandas as pd

    served = serve(plan, _placed(rows, _candidates(rows, plan), configured, plan))
    slots = by_key("program", {key: str(count) for key, count in plan.explore.items()}, "0")
    draw = uniform_sql(("member_id", "program"), explore_salt)
    drawn = (
        _pooled(rows, served, plan, explore_salt)
        .where("is_pooled")
        .selectExpr(
            "program",
            "member_id",
            f"row_number() over (partition by program order by {draw}, member_id) as place",
            "count(*) over (partition by program) as pool",
        )
        .where(f"place <= {slots}")
        .toPandas()
    )
    first = {key: plan.first(key).channel for key in plan.verdict}
    explored = pd.DataFrame(drawn).assign(channel=drawn["program"].map(first)).sort_values(["program", "place"])
    pools = {str(key): int(size) for key, size in drawn.groupby("program")["pool"].first().items()}
    return Allocation(served, explored[["program", "member_id", "channel"]], pools)


def _candidates(rows: DataFrame, plan: NightPlan) -> pd.DataFrame:
    """The best `plan.depth` of each option who are not held out, and who is held out among them: a bounded frame."""
    options = rows.where("is_rankable").selectExpr(
        "program", "verdict", "member_id", "tie", "is_holdout as is_held_out", "explode(offers) as offer"
    )
    better = (
        "count_if(not is_held_out) over (partition by program, offer.channel"
        f" order by offer.value + {CENT!r}D * (1D - tie) desc, member_id"
        " rows between unbounded preceding and current row)"
    )
    columns = ("program", "offer.channel as channel", "member_id", "offer.value as value", "tie", "is_held_out")
    counted = options.where("if(verdict = 'publish', offer.value > 0, offer.value is not null)").selectExpr(
        *columns, f"{better} as better"
    )
    return counted.where(f"better <= {plan.depth}").drop("better").toPandas()


def _placed(rows: DataFrame, candidates: pd.DataFrame, configured: Programs, plan: NightPlan) -> pd.DataFrame:
    """Candidates with what a place in a fallback ranking counts (`causal.policy.place_value`) for less its rank."""
    by_rule = candidates["program"].isin(plan.of("fallback"))
    if not by_rule.any():
        return candidates
    last = int(rows.selectExpr("max(priority_rank) as last").collect()[0]["last"])
    offers, value = candidates[by_rule], candidates["value"].astype(float)
    option = zip(offers["program"], offers["channel"], strict=True)
    share = [configured.programs[program].channels[channel].effect_share for program, channel in option]
    value[by_rule] = place_value(-offers["value"], last) * share
    return candidates.assign(value=value)


def _pooled(rows: DataFrame, served: Served, plan: NightPlan, salt: str) -> DataFrame:
    """Rows plus `may_explore` and `is_pooled`: below the cut, and of these assigned to this program and not held out."""
    from pyspark.sql.connect import functions as F

    programs = ", ".join(sql_string(key) for key in plan.verdict) or "''"
    number = f"cast(floor({uniform_sql(('member_id',), f'{salt}|program')} * {len(plan.verdict)}) as int)"
    offered = served.picks.loc[served.picks["picked"] == "outreach", "member_id"]
    taken = computed(
        rows.sparkSession.createDataFrame([(m, True) for m in sorted(offered)], "member_id string, is_taken boolean"),
        _ALLOCATED_BY,
    )
    return (
        rows.join(F.broadcast(taken), "member_id", "left")
        .withColumn("may_explore", F.expr("can_explore and is_taken is null"))
        .withColumn(
            "is_pooled", F.expr(f"may_explore and not is_holdout and program = get(array({programs}), {number})")
        )
        .drop("is_taken")
    )


_BLOCKED_WORDS = {
    "deceased": "Died",
    "disenrolled": "Not enrolled on this date",
    "hospice": "In hospice care",
    "incomplete": "Some claims of the last year were paid elsewhere, so the member's needs are not known",
    "criteria": "Does not meet the program's criteria",
    "consent": "Asked not to be contacted",
    "language": "No team of the program speaks their language",
    "cooldown": "Was offered a program recently",
}


def decided(
    rows: DataFrame, allocation: Allocation, configured: Programs, plan: NightPlan, explore_salt: str, run_id: str
) -> DataFrame:
    """Rows of `outreach.priority`: decision, channel, probability (see `causal.policy`) and reasons."""
    from pyspark.sql.connect import functions as F

    picks = allocation.picks.sort_values(["program", "member_id"])
    picked = [
        (p, m, channel or None, how) for p, m, channel, how in picks.fillna({"channel": ""}).itertuples(index=False)
    ]
    chosen = computed(
        rows.sparkSession.createDataFrame(
            picked, "program string, member_id string, picked_channel string, picked string"
        ),
        _ALLOCATED_BY,
    )
    decision = """case when not is_eligible then 'not_eligible'
        when blocked_by is not null then 'suppressed'
        when verdict = 'publish' and not coalesce(is_in_support, false) then 'outside_support'
        when is_holdout then 'holdout'
        when picked in ('outreach', 'explore') then picked
        else 'below_capacity' end"""
    words = by_key("blocked_by", {code: sql_string(text) for code, text in _BLOCKED_WORDS.items()}, "null")
    first_reason = f"""case when blocked_by is not null then {words}
        when decision = 'outside_support' then 'Unlike the members that the model learnt from, so no effect is estimated'
        when decision = 'holdout' then 'Held out at random, so that the effect of the program can be measured'
        when verdict = 'blocked' then 'The program is blocked: its estimates cannot be trusted tonight'
        when decision = 'below_capacity' and expected_net_value_usd <= 0 then 'No net benefit is expected'
        when decision = 'below_capacity' and may_harm then 'The chance of harm is too large'
        when decision = 'below_capacity' and verdict = 'publish' and coalesce(rank_value <= 0, true)
            then 'A net benefit is not sure enough'
        else reason_1 end"""
    silent = "decision in ('not_eligible', 'suppressed', 'outside_support', 'holdout') or verdict = 'blocked'"
    through = "get(filter(offers, o -> o.channel = picked_channel), 0).expected_usd"
    table = contract("outreach.priority")
    return (
        _pooled(rows, allocation.served, plan, explore_salt)
        .join(F.broadcast(chosen), ["program", "member_id"], "left")
        .withColumn("decision", F.expr(decision))
        .selectExpr(
            "data_source", "run_date", "program", "member_id", "cate", "cate_lower", "cate_upper", "interval_kind",
            "baseline_risk",
            f"if(verdict = 'publish' and {_CALLED}, {through}, expected_net_value_usd) as expected_net_value_usd",
            "cast(priority_rank as int) as priority_rank", "decision",
            f"if({_CALLED}, picked_channel, null) as channel",
            f"{_probability_sql(allocation, configured, plan)} as assignment_probability",
            f"{first_reason} as reason_1", f"if({silent}, null, reason_2) as reason_2",
            f"if({silent}, null, reason_3) as reason_3", "verdict", "verdict_sentence",
            "model_version", f"'{table.version}' as contract_version", f"'{feature_version()}' as feature_version",
            f"'{run_id}' as run_id",
        )
    )  # fmt: skip


def _probability_sql(allocation: Allocation, configured: Programs, plan: NightPlan) -> str:
    """The probability of an offer that `causal.policy` defines."""
    not_held_out = by_key("program", {k: f"{1 - p.holdout_share!r}D" for k, p in configured.programs.items()}, "0D")
    chance = by_key(
        "program",
        {
            key: f"least({slots}D / ({allocation.pools.get(key, 0)} + if(is_pooled, 0, 1)), 1D) / {len(plan.verdict)}"
            for key, slots in plan.explore.items()
        },
        "0D",
    )
    return f"""cast(case when not is_rankable then 0D
        when picked in ('outreach', 'spared') then {not_held_out}
        when not may_explore then 0D
        else {not_held_out} * {chance} end as double)"""


def summarised(
    priority: DataFrame,
    allocation: Allocation,
    programs: Mapping[str, Program],
    plan: NightPlan,
    run_id: str,
) -> DataFrame:
    """Rows of `outreach.program_summary`, one per program, from the night as published."""
    from pyspark.sql.connect import functions as F

    one_more = allocation.served.one_more(plan)
    facts = computed(
        priority.sparkSession.createDataFrame(
            [(key, program.capacity_per_night, one_more.get(key)) for key, program in programs.items()],
            "program string, capacity int, marginal_value_usd double",
        ),
        {"marginal_value_usd": _VALUED_BY},
    )
    share = _by_option(programs, lambda program, name: f"{program.channels[name].effect_share!r}D")
    cost = _by_option(programs, lambda program, name: f"{program.channels[name].cost_usd!r}D")
    benefit = by_key("program", {key: benefit_sql(program) for key, program in programs.items()}, "null")
    counted = priority.groupBy(
        "data_source", "run_date", "program", "verdict", "verdict_sentence", "model_version"
    ).agg(
        F.expr("cast(count(*) as int) as member_count"),
        F.expr("cast(count_if(decision <> 'not_eligible') as int) as eligible_count"),
        *(
            F.expr(f"cast(count_if(decision = '{name}') as int) as {name}_count")
            for name in ("suppressed", "outside_support", "holdout", "outreach", "explore")
        ),
        F.expr(f"sum(case when {_CALLED} and verdict = 'publish' then {benefit} * {share} end) as expected_benefit"),
        F.expr(f"sum(case when {_CALLED} then expected_net_value_usd end) as expected_net_value_usd"),
        F.expr(f"coalesce(sum(case when decision = 'outreach' then {share} end), 0D) as full_effect_count"),
        F.expr(f"coalesce(sum(case when decision = 'outreach' then {cost} end), 0D) as outreach_cost_usd"),
        F.expr(f"coalesce(sum(case when {_CALLED} then {cost} end), 0D) as planned_cost_usd"),
    )
    names = contract("outreach.program_summary").column_names
    return counted.join(facts, "program").withColumn("run_id", F.lit(run_id)).select(*names)


def _by_option(programs: Mapping[str, Program], value: Callable[[Program, str], str]) -> str:
    """SQL of a value that differs by program and channel."""
    cases = {
        key: by_key("channel", {name: value(program, name) for name in program.channels}, "null")
        for key, program in programs.items()
    }
    return by_key("program", cases, "null")


def capacity_prices(
    spark: SparkSession, allocation: Allocation, plan: NightPlan, data_source: str, run_date: date, run_id: str
) -> DataFrame:
    """Rows of `outreach.capacity_price`, one per limit of tonight."""
    offers = allocation.picks.query("picked != 'spared'")
    rows = [
        {
            "data_source": data_source, "run_date": run_date, "resource_kind": use.kind, "resource": use.name,
            "unit": use.unit, "limit_quantity": float(use.limit), "used_quantity": float(use.used),
            "marginal_value_usd": use.price, "run_id": run_id,
        }
        for use in capacity_use(plan, offers, allocation.served)
    ]  # fmt: skip
    made_of = dict.fromkeys(("used_quantity", "marginal_value_usd"), _VALUED_BY)
    return computed(rows_of_contract(spark, contract("outreach.capacity_price"), rows), made_of)


def create_views(spark: SparkSession) -> None:
    """The views that people read: always whole published nights, never half of one."""
    for view in VIEWS.values():
        spark.sql(view.statement)
        # Lineage is read from the query alone: a parser need not know comments on a view's columns.
        lineage.viewed(f"create or replace view {view.name} as {view.sql}")


def predicate(data_source: str, run_date: date) -> str:
    """The partition of one source and night."""
    return f"data_source = '{data_source}' and run_date = date'{run_date}'"
