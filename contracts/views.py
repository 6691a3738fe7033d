"""Views that people read: SQL over published tables, with the meaning of every column, for Spark and DuckDB alike.

A view costs a night nothing and cannot disagree with a night that was published again. The SQL keeps to what both
engines read in the same way; a test runs it on DuckDB, the acceptance tests on Spark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

from contracts.catalog import contract
from contracts.compile.literals import sql_string
from contracts.model import Column, Phi, Severity, Tier

_CALLED = "('outreach', 'explore')"
_NOT_RANKED = "('not_eligible', 'suppressed', 'outside_support')"


@dataclass(frozen=True)
class View:
    """A view. `name` is `schema.view`; `reads` are the tables and views that `sql` names."""

    name: str
    description: str
    columns: tuple[Column, ...]
    sql: str
    reads: tuple[str, ...]
    owner: str = "care-management"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def statement(self) -> str:
        """CREATE OR REPLACE VIEW for Spark, with every column's comment."""
        columns = ", ".join(f"`{c.name}` COMMENT {sql_string(c.description)}" for c in self.columns)
        return f"CREATE OR REPLACE VIEW {self.name} ({columns}) COMMENT {sql_string(self.description)} AS {self.sql}"


def _priority_latest() -> View:
    base = contract("outreach.priority")
    names = ", ".join(f"p.{name}" for name in base.column_names)
    return View(
        name="outreach.priority_latest",
        description="The last published night of each source: one row per member and program.",
        columns=base.columns,
        sql=f"""
            select {names} from outreach.priority p
            join (select data_source, max(run_date) as run_date from outreach.program_summary group by data_source) newest
              on newest.data_source = p.data_source and newest.run_date = p.run_date""",
        reads=("outreach.priority", "outreach.program_summary"),
    )


def _action_list() -> View:
    names = (
        "data_source", "run_date", "program", "priority_rank", "member_id", "decision", "channel", "cate", "cate_lower",
        "cate_upper", "expected_net_value_usd", "reason_1", "reason_2", "reason_3", "verdict", "model_version",
    )  # fmt: skip
    return View(
        name="outreach.action_list",
        description="Whom to call, last published night of each source, in order.",
        columns=tuple(_of_priority()[name] for name in names),
        sql=f"select {', '.join(names)} from outreach.priority_latest where decision in {_CALLED}",
        reads=("outreach.priority_latest",),
    )


_ATTRIBUTES = (
    "decision", "priority_rank", "expected_net_value_usd", "cate", "baseline_risk", "verdict", "model_version",
    "reason_1", "reason_2", "reason_3",
)  # fmt: skip
_CHANGES = ("entered", "left", "ranked", "unranked", "moved_up", "moved_down", "unchanged")
_CAUSES = (
    "gone", "new_member", "not_callable", "callable_again", "ranking_rule", "other_model", "drawn_to_explore",
    "own_estimate", "simple_rule", "others_moved",
)  # fmt: skip


# Behind every rank.
_NO_RANK = 2**31 - 1


def _priority_changes() -> View:
    of = _of_priority()
    before = (
        ("previous_decision", "decision", "What was to be done on the night before; NULL: not looked at then."),
        ("previous_rank", "priority_rank", "Rank on the night before; NULL: none."),
        ("previous_net_value_usd", "expected_net_value_usd", "Expected net value on the night before."),
        ("previous_cate", "cate", "Estimated effect on the night before."),
        ("previous_model_version", "model_version", "Model that served on the night before."),
    )
    columns = (
        of["data_source"],
        of["run_date"],
        _column("previous_run_date", "date", "The last published night of the same source before it."),
        of["program"],
        of["member_id"],
        _column("change", "string", f"{', '.join(f'`{c}`' for c in _CHANGES)}: `entered` and `left` are about the list of those called; the others about the rank."),
        _column("cause", "string", f"Why, as a code: {', '.join(f'`{c}`' for c in _CAUSES)}."),
        _column("why", "string", "Why, as a sentence."),
        _column("new_reason", "string", "The first reason of tonight that was no reason the night before; NULL: none is new."),
        _column("rank_change", "int", "Places gained (positive) or lost; NULL without a rank on both nights."),
        *(replace(of[name], nullable=True) for name in ("decision", "priority_rank", "expected_net_value_usd", "cate")),
        _column("rank_value", "double", "What the program ranks by: net value in dollars, or its simple rule."),
        _column("previous_rank_value", "double", "The same on the night before."),
        *(replace(of[source], name=name, description=text, nullable=True, checks=()) for name, source, text in before),
        *(replace(of[name], nullable=True) for name in ("reason_1", "reason_2", "reason_3", "verdict", "model_version")),
    )  # fmt: skip
    return View(
        name="outreach.priority_changes",
        description=(
            "Who entered or left the list, or changed rank, since the last published night of the same source, and why: "
            "one row per night, program and member with a rank or a call on either night. A source's first night has none."
        ),
        columns=columns,
        sql=_changes_sql(", ".join(c.name for c in columns)),
        reads=("outreach.priority", "outreach.program_summary", "causal.member_score"),
    )


def _changes_sql(names: str) -> str:
    """Both nights side by side by one aggregation, so that a filter on `run_date` reads two partitions and no more."""
    pairs = ", ".join(
        f"max(case when is_now then {a} end) as {a}, max(case when not is_now then {a} end) as was_{a}"
        for a in (*_ATTRIBUTES, "rank_value")
    )
    listed = ", ".join(f"p.{a}" for a in _ATTRIBUTES)
    types = {c.name: c.spark_type for c in contract("outreach.priority").columns}
    unlisted = ", ".join(f"cast(null as {types[a]}) as {a}" for a in _ATTRIBUTES)
    old = "coalesce(was_reason_1, ''), coalesce(was_reason_2, ''), coalesce(was_reason_3, '')"
    new_reason = " ".join(f"when reason_{i} not in ({old}) then reason_{i}" for i in (1, 2, 3))
    dollars = "cast(cast(round({0}) as bigint) as string)"
    return f"""
        with nights as (
            select data_source, run_date, lag(run_date) over (partition by data_source order by run_date) as previous_run_date
            from (select distinct data_source, run_date from outreach.program_summary) published
        ), sides as (
            select p.data_source, p.run_date, n.previous_run_date, p.program, p.member_id, true as is_now, {listed},
                cast(null as double) as rank_value
            from outreach.priority p join nights n on n.data_source = p.data_source and n.run_date = p.run_date
            where n.previous_run_date is not null
            union all
            select p.data_source, n.run_date, n.previous_run_date, p.program, p.member_id, false as is_now, {listed},
                cast(null as double) as rank_value
            from outreach.priority p join nights n on n.data_source = p.data_source and n.previous_run_date = p.run_date
            union all
            select s.data_source, s.run_date, n.previous_run_date, s.program, s.member_id, true as is_now, {unlisted}, s.rank_value
            from causal.member_score s join nights n on n.data_source = s.data_source and n.run_date = s.run_date
            where n.previous_run_date is not null
            union all
            select s.data_source, n.run_date, n.previous_run_date, s.program, s.member_id, false as is_now, {unlisted}, s.rank_value
            from causal.member_score s join nights n on n.data_source = s.data_source and n.previous_run_date = s.run_date
        ), paired as (
            select data_source, run_date, previous_run_date, program, member_id, {pairs}
            from sides group by data_source, run_date, previous_run_date, program, member_id
        ), judged as (
            select *,
                case when decision in {_CALLED} and coalesce(was_decision, '') not in {_CALLED} then 'entered'
                    when was_decision in {_CALLED} and coalesce(decision, '') not in {_CALLED} then 'left'
                    when was_priority_rank is null then 'ranked'
                    when priority_rank is null then 'unranked'
                    when priority_rank < was_priority_rank then 'moved_up'
                    when priority_rank > was_priority_rank then 'moved_down'
                    else 'unchanged' end as change,
                case when decision is null then 'gone'
                    when was_decision is null then 'new_member'
                    when decision in {_NOT_RANKED} then 'not_callable'
                    when was_decision in {_NOT_RANKED} then 'callable_again'
                    when verdict <> was_verdict then 'ranking_rule'
                    when model_version <> was_model_version then 'other_model'
                    when decision = 'explore' or was_decision = 'explore' then 'drawn_to_explore'
                    when verdict <> 'publish' and rank_value = was_rank_value then 'others_moved'
                    when verdict <> 'publish' then 'simple_rule'
                    when round(expected_net_value_usd) <> round(was_expected_net_value_usd)
                        and (expected_net_value_usd > was_expected_net_value_usd)
                            = (coalesce(priority_rank, {_NO_RANK}) < coalesce(was_priority_rank, {_NO_RANK})) then 'own_estimate'
                    else 'others_moved' end as cause,
                case {new_reason} end as new_reason
            from paired
            where priority_rank is not null or was_priority_rank is not null
                or decision in {_CALLED} or was_decision in {_CALLED}
        ), told as (
            select *,
                case cause
                    when 'gone' then 'No longer among the members looked at'
                    when 'new_member' then 'Was not among the members looked at on the night before'
                    when 'not_callable' then coalesce(reason_1, 'May not be called tonight')
                    when 'callable_again' then concat('Before: ', coalesce(was_reason_1, 'could not be called'), '; no longer so')
                    when 'ranking_rule' then concat('The program is ranked by another rule: ', verdict, ' instead of ', was_verdict)
                    when 'other_model' then concat('Another model serves: ', model_version, ' instead of ', was_model_version)
                    when 'drawn_to_explore' then 'Drawn at random below the cut, tonight or the night before'
                    when 'simple_rule' then concat('The simple rule of the program gives ',
                        coalesce(cast(round(rank_value, 2) as string), 'no value'), ' instead of ',
                        coalesce(cast(round(was_rank_value, 2) as string), 'no value'),
                        case when new_reason is null then '' else concat('; new: ', new_reason) end)
                    when 'own_estimate' then concat('Expected net value ',
                        case when expected_net_value_usd > was_expected_net_value_usd then 'rose' else 'fell' end, ' from $',
                        {dollars.format("was_expected_net_value_usd")}, ' to $', {dollars.format("expected_net_value_usd")},
                        case when new_reason is null then '' else concat('; new: ', new_reason) end)
                    else case when round(expected_net_value_usd) <> round(was_expected_net_value_usd)
                        then concat('Others moved more: expected net value is $', {dollars.format("expected_net_value_usd")},
                            ', was $', {dollars.format("was_expected_net_value_usd")})
                        else 'Own value is the same; others moved' end end as why,
                was_priority_rank - priority_rank as rank_change,
                was_decision as previous_decision, was_priority_rank as previous_rank,
                was_expected_net_value_usd as previous_net_value_usd, was_cate as previous_cate,
                was_model_version as previous_model_version, was_rank_value as previous_rank_value
            from judged
        )
        select {names} from told"""


@cache
def _of_priority() -> Mapping[str, Column]:
    return {column.name: column for column in contract("outreach.priority").columns}


def _column(name: str, spark_type: str, description: str) -> Column:
    return Column(name, spark_type, True, description, Phi.NONE, None, Severity.ERROR, Tier.STRUCTURAL, ())


# Every view by name, each after those that it reads.
VIEWS: Mapping[str, View] = MappingProxyType(
    {view.name: view for view in (_priority_latest(), _action_list(), _priority_changes())}
)
