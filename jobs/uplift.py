"""Closing the loop: what being offered did, once horizon and claims run-out are over, against what was predicted.

A window is a calendar month of published nights. It is computed once, as known on the first day on which the outcomes
of its last night are complete, so that a later run or a backfill gives the same rows; a window that has gained nights
since is computed anew. Why a holdout counts only now and then, see `_trials_sql`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from causal.realized import ArmSums, RealizedEffect, is_alarm, realized_effect
from contracts.catalog import contract
from contracts.compile.literals import sql_string
from contracts.monitoring import Patience
from contracts.programs import Program, programs
from contracts.tables.outcomes import BANDS
from jobs.alerts import raise_once
from jobs.audit_result import AuditResult
from jobs.cohort import outcomes_sql
from jobs.delta import ensure_tables, rows_of_contract, table_exists
from jobs.enforce import audit_table, write_audited
from jobs.ledger import step
from jobs.lineage import record as lineage
from jobs.lineage.design import uplift_jobs
from jobs.options import by_key
from jobs.session import spark_session

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

_TABLE = "outreach.realized_uplift"
JUDGED_BAND = "listed"  # the one that raises alarms; its halves are correlated with it and exploration is small


@dataclass(frozen=True)
class Window:
    """A calendar month of nights.

    Attributes:
        start: first of the month.
        nights: nights published in it.
        last_night: the last of them.
        model_versions: that served in it.
    """

    start: date
    nights: int
    last_night: date
    model_versions: str

    @property
    def end(self) -> date:
        """First of the next month."""
        return (self.start + timedelta(days=32)).replace(day=1)

    def known_as_of(self, program: Program) -> date:
        """First day on which every outcome of the window's nights has run out, whichever night was its last."""
        return self.end + timedelta(days=program.outcome.horizon_days + program.runout_days)


def update_realized_uplift(data_source: str, run_date: date, *, run_id: str) -> AuditResult:
    """Compute every window whose outcomes are complete as of `run_date` and that is not in the table yet; raise alarms.

    Returns:
        what the contract found; an unchanged table is not read again.
    """
    spark, table = spark_session(), contract(_TABLE)
    ensure_tables(spark, [table])
    with step("realized uplift", data_source=data_source, run_date=run_date) as record:
        due = {key: due_windows(spark, p, data_source, run_date) for key, p in programs().programs.items()}
        if not any(due.values()):
            record.skip("no window of nights has newly run out")
            lineage.stands(lambda: uplift_jobs(data_source))
            return audit_table(spark, table, run_id=run_id, data_source=data_source)
        rows = [
            row
            for key, windows in due.items()
            for window in windows
            for row in window_rows(spark, programs().programs[key], data_source, window, run_id)
        ]
        audit = _replace(spark, data_source, due, rows, run_id)
        audit.require()
        record.rows_out = len(rows)
        _judge(spark, data_source, due, run_id)
    return audit


def due_windows(spark: SparkSession, program: Program, data_source: str, run_date: date) -> list[Window]:
    """Windows that have run out at `run_date` and are not in the table with all their nights, oldest first."""
    if not table_exists(spark, "outreach.program_summary"):
        return []
    where = f"data_source = {sql_string(data_source)} and program = {sql_string(program.key)}"
    found = spark.sql(f"""
        select window_start, nights, last_night, model_versions from (
            select cast(date_trunc('month', run_date) as date) as window_start, cast(count(*) as int) as nights,
                max(run_date) as last_night, concat_ws(', ', array_sort(collect_set(model_version))) as model_versions
            from outreach.program_summary where {where} group by 1) published
        left anti join (select window_start, night_count from {_TABLE} where {where}) done
            on done.window_start = published.window_start and done.night_count = published.nights
        order by window_start""").collect()
    windows = [Window(*row) for row in found]
    return [window for window in windows if window.known_as_of(program) <= run_date]


def _trials_sql(program: Program, data_source: str, window: Window) -> str:
    """Member-nights of the window that are compared.

    Columns: `member_id, index_date, is_offered, bands, weight, baseline_risk`, and of the offered `predicted`: their `cate`
    as far as their channel is assumed to keep it.

    The offered rest for the cool-down, while a holdout who would be listed would be again the next night; compared night by
    night, persistent holdouts would pile up among the neediest. So such a holdout counts once and then rests
    for the cool-down like the offered: whether a member enters on a night no longer depends on the arm. The history of
    every listed member from the first night on decides who rests.

    Those drawn to explore are compared with the holdouts who would not be listed, not with `below_capacity`, who may be called on any
    later night.
    """
    where = f"data_source = {sql_string(data_source)} and program = {sql_string(program.key)}"
    rest = program.cooldown_days
    share = by_key("channel", {name: f"{how.effect_share!r}D" for name, how in program.channels.items()}, "null")
    return f"""
    with history as (
        select member_id, run_date, decision, priority_rank, assignment_probability, cate * {share} as predicted, baseline_risk
        from outreach.priority
        where {where} and run_date < date'{window.end}' and decision in ('outreach', 'explore', 'holdout')
            and assignment_probability > 0
    ),
    cut as (
        select run_date, max(case when decision = 'outreach' then priority_rank end) as cut_rank,
            max(case when decision = 'outreach' then assignment_probability end) as listed_prob,
            count_if(decision = 'explore') > 0 as has_explored
        from history group by run_date
    ),
    placed as (
        select h.*, c.cut_rank, c.listed_prob, c.has_explored,
            -- A holdout logs the probability of the listed where the same allocation would have named them: with shared
            -- hours and several channels that is not the same as a rank above the last one called.
            h.decision = 'outreach' or (h.decision = 'holdout' and h.assignment_probability = c.listed_prob) as is_listed
        from history h join cut c on c.run_date = h.run_date
    ),
    entered as (
        select member_id, explode(aggregate(array_sort(collect_list(run_date)), cast(array() as array<date>),
            (kept, night) -> if(size(kept) = 0 or datediff(night, element_at(kept, -1)) > {rest},
                concat(kept, array(night)), kept))) as run_date
        from placed where is_listed group by member_id
    ),
    listed as (
        select p.*, array('listed', if(2 * priority_rank <= cut_rank, 'listed_upper_half', 'listed_lower_half')) as bands
        from placed p join entered e on e.member_id = p.member_id and e.run_date = p.run_date
        where p.run_date >= date'{window.start}' and p.is_listed
    ),
    below as (
        select p.*, array('explored') as bands from placed p
        left anti join entered e on e.member_id = p.member_id
            and e.run_date <= p.run_date and datediff(p.run_date, e.run_date) <= {rest}
        where p.run_date >= date'{window.start}' and not p.is_listed and has_explored and p.listed_prob < 1
    )
    select member_id, run_date as index_date, decision <> 'holdout' as is_offered, bands, predicted, baseline_risk,
        -- 1 / P(in this arm). Every night logs the holdout's share as what is left of its listed probability.
        case when decision <> 'holdout' then 1 / assignment_probability else 1 / (1 - listed_prob) end as weight
    from (select * from listed union all select * from below)
    """


def arm_sums(spark: SparkSession, program: Program, data_source: str, window: Window) -> list[dict[str, Any]]:
    """One row per band and arm: the fields of `ArmSums`, and mean predictions; nothing of a member leaves the engine."""
    from pyspark.storagelevel import StorageLevel

    trials = spark.sql(_trials_sql(program, data_source, window)).persist(StorageLevel.MEMORY_AND_DISK)
    try:
        trials.createOrReplaceTempView("realized_trial")
        followed = outcomes_sql("select * from realized_trial", program, data_source, window.known_as_of(program))
        rows = spark.sql(f"""
            with by_member as (
                select band, is_offered, member_id, count(*) as n, sum(weight) as w, sum(weight * outcome) as v,
                    max(outcome) as most,
                    sum(weight * predicted) as wp, sum(case when predicted is not null then weight end) as wp_n,
                    sum(weight * baseline_risk) as wb, sum(case when baseline_risk is not null then weight end) as wb_n
                from (select *, explode(bands) as band from ({followed})) group by band, is_offered, member_id
            )
            select band, is_offered, cast(count(*) as int) as members, cast(sum(n) as int) as trials,
                cast(count_if(most > 0) as int) as with_outcome, sum(w) as w, sum(v) as v,
                sum(w * w) as ww, sum(w * v) as wv, sum(v * v) as vv, sum(wp) / sum(wp_n) as predicted, sum(wb) / sum(wb_n) as baseline
            from by_member group by band, is_offered""").collect()
    finally:
        trials.unpersist()
    return [row.asDict() for row in rows]


_NOBODY = ArmSums(0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0)


def window_rows(
    spark: SparkSession, program: Program, data_source: str, window: Window, run_id: str
) -> list[dict[str, Any]]:
    """Rows of `outreach.realized_uplift` of one window, without the alarm, which needs the other windows."""
    arms = {(row["band"], row["is_offered"]): row for row in arm_sums(spark, program, data_source, window)}
    rows = []
    for band in BANDS:
        offered, held_out = arms.get((band, True)), arms.get((band, False))
        sums = [_sums(arm) for arm in (offered, held_out)]
        found = realized_effect(*sums)
        predicted = offered["predicted"] if offered else None
        rows.append(
            {
                "data_source": data_source,
                "program": program.key,
                "window_start": window.start,
                "window_end": window.end,
                "score_band": band,
                "known_as_of": window.known_as_of(program),
                "night_count": window.nights,
                "model_versions": window.model_versions,
                "offered_count": sums[0].members,
                "holdout_count": sums[1].members,
                "offered_mean": _known(sums[0].mean),
                "holdout_mean": _known(sums[1].mean),
                **_interval(found),
                "predicted_effect": predicted,
                "predicted_baseline": held_out["baseline"] if held_out else None,
                "excludes_prediction": found.excludes(predicted),
                "is_alarm": False,
                "run_id": run_id,
            }
        )
    return rows


def _sums(arm: Mapping[str, Any] | None) -> ArmSums:
    if arm is None:
        return _NOBODY
    return ArmSums(**{name: arm[name] for name in ArmSums.__dataclass_fields__})


def _interval(found: RealizedEffect) -> dict[str, float | None]:
    return {
        "realized_effect": _known(found.effect),
        "se": _known(found.se),
        "ci_lower": _known(found.ci_lower),
        "ci_upper": _known(found.ci_upper),
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def with_alarms(rows: Iterable[Mapping[str, Any]], patience: Patience) -> list[dict[str, Any]]:
    """The rows of one program with `is_alarm` set in the judged band, from its windows up to each."""
    marked, seen = [], {band: list[bool | None]() for band in BANDS}
    for row in sorted(rows, key=lambda row: (row["window_start"], row["score_band"])):
        band = row["score_band"]
        seen[band].append(row["excludes_prediction"])
        alarm = band == JUDGED_BAND and is_alarm(seen[band], patience.k, patience.n)
        marked.append({**row, "is_alarm": alarm})
    return marked


def _replace(
    spark: SparkSession, data_source: str, due: Mapping[str, list[Window]], rows: list[dict[str, Any]], run_id: str
) -> AuditResult:
    """Write the source's rows: those of the due windows anew, the others as they are but for alarms that follow."""
    fresh = {(key, window.start) for key, windows in due.items() for window in windows}
    old = [row for row in realized_uplift(data_source) if (row["program"], row["window_start"]) not in fresh]
    marked = [
        row
        for key in programs().programs
        for row in with_alarms((row for row in [*old, *rows] if row["program"] == key), programs().monitoring.uplift)
    ]
    table = contract(_TABLE)
    where = f"data_source = {sql_string(data_source)}"
    return write_audited(
        rows_of_contract(spark, table, marked), table, run_id=run_id, where=where, data_source=data_source
    )


def realized_uplift(data_source: str, program: str | None = None) -> list[dict[str, Any]]:
    """Rows of `outreach.realized_uplift` of a source, by program, window and band; empty before the first window ran out."""
    spark = spark_session()
    if not table_exists(spark, _TABLE):
        return []
    only = f" and program = {sql_string(program)}" if program else ""
    names = ", ".join(contract(_TABLE).column_names)
    rows = spark.sql(f"select {names} from {_TABLE} where data_source = {sql_string(data_source)}{only}").collect()
    return sorted((row.asDict() for row in rows), key=_place)


def _place(row: Mapping[str, Any]) -> tuple[int, str, date, int]:
    """Programs as they are configured, and last those that are no longer; then windows and bands."""
    keys = list(programs().programs)
    place = keys.index(row["program"]) if row["program"] in keys else len(keys)
    return place, row["program"], row["window_start"], BANDS.index(row["score_band"])


def latest_judged(data_source: str) -> dict[str, dict[str, Any]]:
    """The judged band's row of each program's last window that has run out."""
    return {row["program"]: row for row in realized_uplift(data_source) if row["score_band"] == JUDGED_BAND}


def _judge(spark: SparkSession, data_source: str, due: Mapping[str, list[Window]], run_id: str) -> None:
    """One alert per program whose alarm begins in a window computed now; an alarm that lasts is not raised again."""
    patience = programs().monitoring.uplift
    for key, windows in due.items():
        fresh = {window.start for window in windows}
        judged = [row for row in realized_uplift(data_source, key) if row["score_band"] == JUDGED_BAND]
        for before, row in zip([None, *judged], judged, strict=False):
            if row["window_start"] in fresh and row["is_alarm"] and not (before and before["is_alarm"]):
                unit = programs().programs[key].outcome.unit
                raise_once(
                    kind="realized_uplift",
                    subject=key,
                    run_id=run_id,
                    data_source=data_source,
                    run_date=row["known_as_of"],
                    message=(
                        f"In {patience.k} of the last {patience.n} months of nights the realised effect excludes the predicted"
                        f" one; in the month from {row['window_start']} it is {row['realized_effect']:+.3f}"
                        f" [{row['ci_lower']:+.3f}, {row['ci_upper']:+.3f}] {unit} against {row['predicted_effect']:+.3f}."
                    ),
                )
