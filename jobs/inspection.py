"""All that the rules of a contract find in the rows of one table: counts, the rows to be set aside, what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame
from pyspark.sql.connect.session import SparkSession
from pyspark.storagelevel import StorageLevel

from contracts.compile.rules import Scope, rules_of
from contracts.model import Severity
from jobs.audit_result import Findings, Statistic
from jobs.audit_target import AuditTarget, missing_table, questions_of, references_of
from jobs.delta import Content
from jobs.profile import age_days, statistics_in
from jobs.row_flags import Tally, classified, count_orphans, tally
from jobs.trailing import trend_scores

# Above this, repeated keys are sorted out apart from the rest of the table.
_MANY_ROWS = 2_000_000


@dataclass(frozen=True)
class Inspection:
    """One table's rows with all that its rules found in them.

    Attributes:
        rows: with `__rules` and `__bad`.
        is_by_row: each bad row is bad by its own values, not by its key or by what it refers to.
        content: of the good rows, where it is known.
    """

    rows: DataFrame
    found: Findings
    is_by_row: bool = True
    content: Content | None = None


def inspect(
    spark: SparkSession,
    target: AuditTarget,
    rows: DataFrame,
    before: Sequence[Sequence[Statistic]],
    *,
    with_content: bool = False,
) -> Inspection:
    """One query counts what rows break by themselves, one each answers what needs more.

    Args:
        spark: the session.
        target: what is audited.
        rows: its rows.
        before: statistics of the trailing nights.
        with_content: hash the good rows on the way.

    Where keys repeat or `error` references are broken, one more finds out which rows. The questions are not put as one
    union: adaptive execution plans all of it anew after each of its stages, which took twice the time.
    """
    contract = target.contract
    rules = {rule.name: rule for rule in rules_of(contract)}
    counts = tally(rows, contract, with_content=with_content)
    known = {name: table for name, table in references_of(spark, target, rows).items() if table is not None}
    orphaned = {name: count_orphans(rows, rules[name], table) for name, table in known.items()}
    lost = {name: known[name] for name, n in orphaned.items() if n and rules[name].severity is Severity.ERROR}
    values = _answers(questions_of(spark, target, rows))
    seen = classified(rows, contract, lost, twins=counts.twins > 0, narrow=counts.rows > _MANY_ROWS)
    found = _found(target, counts, orphaned, values, before)
    is_by_row = not counts.twins and not lost
    if not is_by_row:
        seen = seen.persist(StorageLevel.MEMORY_AND_DISK)  # counted, quarantined and written from one computation
        row = seen.selectExpr(
            "count_if(__copy > 1) AS copies", "count_if(__conflict) AS conflicts", "count_if(__bad) AS bad"
        ).collect()[0]
        broken = {**found.broken, "key__unique": row["copies"]}
        found = replace(found, broken=broken, conflicts=row["conflicts"], bad=row["bad"])
    return Inspection(seen, found, is_by_row, counts.content if is_by_row else None)


def _answers(questions: Iterable[DataFrame]) -> dict[str, float]:
    """What was answered, by name; without what was NULL."""
    rows = [row for question in questions for row in question.collect()]
    return {row["name"]: row["value"] for row in rows if row["value"] is not None}


def _found(
    target: AuditTarget,
    counts: Tally,
    orphaned: Mapping[str, int],
    values: Mapping[str, float],
    before: Sequence[Sequence[Statistic]],
) -> Findings:
    contract = target.contract
    statistics = statistics_in(contract, values)
    trends = trend_scores(contract, statistics, before)
    age = age_days(values, target.night.run_date)
    fresh = {} if age is None else {"known_at__is_fresh": age}
    return Findings(
        rows=counts.rows,
        broken={**counts.broken, **orphaned},
        bad=counts.bad,
        unknown=_unknown(target),
        values={**values, **trends, **fresh},
        statistics=statistics,
    )


def _unknown(target: AuditTarget) -> dict[str, str]:
    """Rules that cannot be judged, with the table that is missing."""
    missing: dict[str, str] = {}
    for rule in rules_of(target.contract):
        if rule.scope is Scope.REFERENCE and rule.reference is not None:
            name = rule.reference.table
            if name != target.contract.name and target.versions[name] is None:
                missing[rule.name] = name
    for survey in target.contract.surveys:
        absent = missing_table(target, survey)
        missing |= {} if absent is None else {measure.name: absent for measure in survey.measures}
    return missing
