"""What the report reads, as grouped counts and small tables; no row of a person leaves Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from contracts.compile.literals import sql_string
from jobs.delta import table_exists
from jobs.publish import predicate
from jobs.report.reason_words import reason_patterns

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

Rows = Sequence[dict[str, Any]]
CHANCE_BINS = 20

_CALLED = "decision in ('outreach', 'explore')"
_AGE = """case when f.age is null then 'Not recorded' when f.age < 18 then 'Under 18' when f.age < 35 then '18 to 34'
    when f.age < 50 then '35 to 49' when f.age < 65 then '50 to 64' when f.age < 75 then '65 to 74'
    when f.age < 85 then '75 to 84' else '85 and over' end"""
_SEX = "case when f.is_female is null then 'Not recorded' when f.is_female then 'Women' else 'Men, or not recorded' end"
_PAYER = """case when f.age is null then 'Not recorded' when f.is_dual then 'Medicare and Medicaid'
    when f.is_medicare then 'Medicare' when f.is_medicaid then 'Medicaid' when f.is_commercial then 'Commercial'
    else 'Other' end"""


@dataclass(frozen=True)
class NightRows:
    """Grouped rows of one night, before small counts are hidden: not for showing.

    Attributes:
        summary: `outreach.program_summary`.
        decisions: program, decision, reason (where nothing is offered), n.
        limits: `outreach.capacity_price` of teams and the budget.
        who: program, dimension, value, n, over those called.
        reasons: program, words, n, over those called.
        previous_night: the last night before, None on the first.
        changes: program, tonight, last, stayed.
        models, gates, evaluation, flow: `causal.*` of this source, up to the night.
        balance, equity: likewise; overlap: program, trained_as_of, bin (of 0.05), is_offered, n, n_random.
        by_risk: program, fifth (1: lowest predicted risk), n, over those called by rank.
        realized: `outreach.realized_uplift` of this source, of whole lists, known on the night.
        audited: whether any audit of this night is on record; rules: table_name, rule, rows_broken.
        parked: entity, n.
        versions: feature_version, contract_version, run_id, code_version.
    """

    summary: Rows
    decisions: Rows
    limits: Rows
    who: Rows
    reasons: Rows
    previous_night: date | None
    changes: Rows
    models: Rows
    gates: Rows
    evaluation: Rows
    flow: Rows
    balance: Rows
    overlap: Rows
    equity: Rows
    by_risk: Rows
    realized: Rows
    audited: bool
    rules: Rows
    parked: Rows
    versions: dict[str, Any]


def read_night(spark: SparkSession, data_source: str, run_date: date) -> NightRows:
    """Every query of the report; `summary` is empty when the night was not published."""
    where = predicate(data_source, run_date)
    summary = _rows(spark, f"select * from outreach.program_summary where {where}")
    previous = _previous_night(spark, data_source, run_date)
    # Asked on the first night too, of itself: in the lineage a page has the same fields whichever night it was drawn last.
    changes = _changes(spark, data_source, run_date, previous or run_date)
    causal = f"data_source = {sql_string(data_source)} and trained_as_of <= date'{run_date}'"
    audited, rules, parked = _quality(spark, data_source, run_date)
    versions = _rows(
        spark,
        f"select max(feature_version) as feature_version, max(contract_version) as contract_version from outreach.priority where {where}",
    )
    return NightRows(
        summary=summary,
        decisions=_decisions(spark, where),
        limits=optional_rows(spark, "outreach.capacity_price", f"{where} and resource_kind <> 'program'"),
        who=_who(spark, where),
        reasons=_reasons(spark, where),
        previous_night=previous,
        changes=changes if previous else [],
        models=optional_rows(spark, "causal.model", causal),
        gates=optional_rows(spark, "causal.gate_result", causal),
        evaluation=optional_rows(spark, "causal.evaluation", causal),
        flow=optional_rows(spark, "causal.cohort_flow", causal),
        balance=optional_rows(spark, "causal.balance", causal),
        overlap=overlap_rows(spark, causal),
        equity=optional_rows(spark, "causal.equity", causal),
        by_risk=_by_risk(spark, where),
        realized=optional_rows(
            spark,
            "outreach.realized_uplift",
            f"data_source = {sql_string(data_source)} and score_band = 'listed' and known_as_of <= date'{run_date}'",
        ),
        audited=audited,
        rules=rules,
        parked=parked,
        versions={
            **versions[0],
            "run_id": summary[0]["run_id"] if summary else "",
            "code_version": _code_version(spark, data_source, run_date),
        },
    )


def _rows(spark: SparkSession, sql: str) -> Rows:
    return [row.asDict() for row in spark.sql(sql).collect()]


def optional_rows(spark: SparkSession, table: str, where: str, select: str = "select *", group: str = "") -> Rows:
    """Rows of a table that a young warehouse may not have.

    Args:
        table: as schema.table.
        where: Spark SQL condition.
        select, group: the statement's other clauses.
    """
    return _rows(spark, f"{select} from {table} where {where} {group}") if table_exists(spark, table) else []


def _previous_night(spark: SparkSession, data_source: str, run_date: date) -> date | None:
    found = _rows(
        spark,
        f"""select max(run_date) as last from outreach.program_summary
        where data_source = {sql_string(data_source)} and run_date < date'{run_date}'""",
    )
    return found[0]["last"]


def _decisions(spark: SparkSession, where: str) -> Rows:
    return _rows(
        spark,
        f"""select program, decision, reason, count(*) as n from (
            select program, decision, case when decision in ('suppressed', 'not_eligible') then reason_1 end as reason
            from outreach.priority where {where})
        group by program, decision, reason""",
    )


def _who(spark: SparkSession, where: str) -> Rows:
    return _rows(
        spark,
        f"""select program, dimension, value, count(*) as n from (
            select c.program, stack(4, 'Age', {_AGE}, 'Sex', {_SEX}, 'Payer', {_PAYER}, 'How', initcap(c.channel))
                as (dimension, value)
            from (select data_source, run_date, program, member_id, channel from outreach.priority where {where} and {_CALLED}) c
            left join features.member_feature f
              on f.data_source = c.data_source and f.member_id = c.member_id and f.as_of_date = c.run_date)
        group by program, dimension, value""",
    )


def _reasons(spark: SparkSession, where: str) -> Rows:
    """Reasons without their values: `3 emergency visits in ...` counts as emergency visits."""
    patterns = ", ".join(f"({n}, {sql_string(p)}, {sql_string(w)})" for n, (p, w) in enumerate(reason_patterns()))
    return _rows(
        spark,
        f"""select program, words, count(distinct member_id) as n from (
            select r.program, r.member_id, coalesce(min_by(p.words, p.place), 'Other') as words
            from (select program, member_id, explode(array(reason_1, reason_2, reason_3)) as reason
                  from outreach.priority where {where} and {_CALLED}) r
            left join (values {patterns}) as p(place, pattern, words) on r.reason rlike p.pattern
            where r.reason is not null
            group by r.program, r.member_id, r.reason)
        group by program, words""",
    )


def overlap_rows(spark: SparkSession, causal: str) -> Rows:
    """Person-trials by chance of an offer and arm.

    Args:
        causal: Spark SQL condition on `data_source` and `trained_as_of`.
    """
    if not table_exists(spark, "causal.oof_prediction"):
        return []
    return _rows(
        spark,
        f"""select o.program, o.trained_as_of, cast(least(floor(o.propensity * {CHANCE_BINS}), {CHANCE_BINS - 1}) as int) as bin,
            c.is_offered, count(*) as n, count_if(c.is_randomized) as n_random
        from (select * from causal.oof_prediction where {causal}) o
        join (select * from causal.cohort where {causal}) c
          on c.program = o.program and c.trained_as_of = o.trained_as_of and c.member_id = o.member_id
            and c.index_date = o.index_date
        group by o.program, o.trained_as_of, cast(least(floor(o.propensity * {CHANCE_BINS}), {CHANCE_BINS - 1}) as int),
            c.is_offered""",
    )


def _by_risk(spark: SparkSession, where: str) -> Rows:
    """Those called by rank, by fifth of predicted risk among all who could be called."""
    return _rows(
        spark,
        f"""select program, fifth, count(*) as n from (
            select program, decision, ntile(5) over (partition by program order by baseline_risk, member_id) as fifth
            from outreach.priority
            where {where} and baseline_risk is not null and decision in ('outreach', 'explore', 'below_capacity', 'holdout'))
        where decision = 'outreach' group by program, fifth""",
    )


def _changes(spark: SparkSession, data_source: str, run_date: date, previous: date) -> Rows:
    return _rows(
        spark,
        f"""select program, count_if(is_tonight) as tonight, count_if(is_last) as last,
            count_if(is_tonight and is_last) as stayed from (
            select program, member_id, bool_or(run_date = date'{run_date}') as is_tonight,
                bool_or(run_date = date'{previous}') as is_last
            from outreach.priority where data_source = {sql_string(data_source)}
                and run_date in (date'{run_date}', date'{previous}') and {_CALLED}
            group by program, member_id)
        group by program""",
    )


def _code_version(spark: SparkSession, data_source: str, run_date: date) -> str:
    """Code of the last run that ended and published the night; empty without one."""
    rows = optional_rows(
        spark,
        "ops.run_ledger",
        f"data_source = {sql_string(data_source)} and run_date = date'{run_date}' and step = 'publish'",
        "select max_by(code_version, started_at) as code_version",
    )
    return (rows[0]["code_version"] or "") if rows else ""


def _quality(spark: SparkSession, data_source: str, run_date: date) -> tuple[bool, Rows, Rows]:
    """(is any audit on record, broken rules of each table's last audit, files parked) of the night's runs.

    The night's runs are those that audited a table for it: the ledger has a run only when the run has ended, and the first
    page of a night is drawn before that.
    """
    if not table_exists(spark, "ops.contract_result"):
        return False, [], []
    night = f"data_source = {sql_string(data_source)} and run_date = date'{run_date}'"
    runs = f"(select distinct run_id from ops.contract_result where {night})"
    last = f"""select table_name, rule, verdict, rows_broken from (
        select *, row_number() over (partition by table_name, rule, row_filter order by audited_at desc) as place
        from ops.contract_result
        where run_id in {runs} and (data_source is null or data_source = {sql_string(data_source)})) where place = 1"""
    rules = _rows(
        spark,
        f"select table_name, rule, verdict, sum(rows_broken) as rows_broken from ({last}) group by table_name, rule, verdict",
    )
    parked: Rows = []
    if table_exists(spark, "ops.input_file"):
        parked = _rows(
            spark,
            f"""select entity, count(*) as n from ops.input_file where status = 'parked' and run_id in {runs}
                and data_source = {sql_string(data_source)} group by entity""",
        )
    broken = [row for row in rules if row["verdict"] == "quarantined" and row["rows_broken"]]
    return bool(rules), broken, parked
