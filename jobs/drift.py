"""Do tonight's members still look like those the models learnt from: features and scores against their reference.

Features are compared with the last training's index dates of the same months of the year, because winter is not drift;
scores with the first night that the same model version scored (the same function on another population). One query bins, counts and sums;
only a row per variable leaves the engine. Features of our own outreach are left out: publishing lists moves them by
design, and what that does is measured by `outreach.realized_uplift`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from causal.realized import is_alarm
from causal.stability import FLOOR
from contracts.catalog import contract
from contracts.compile.literals import sql_string
from contracts.features import covariates
from contracts.monitoring import Monitoring
from contracts.programs import programs
from jobs.alerts import raise_once
from jobs.audit_result import AuditResult
from jobs.delta import ensure_tables, rows_of_contract, table_exists
from jobs.enforce import audit_table, write_audited
from jobs.ledger import step
from jobs.lineage import record as lineage
from jobs.lineage.design import drift_jobs
from jobs.session import spark_session

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

_TABLE = "ops.drift"
_BINS = 10
# Member-dates looked at on either side. Fewer would hide rare events: of 60,000 members' emergency visits in a month, 30 %
# more are 5.4 standard errors; with a reference of 60,000 member-dates they would be 3.7.
SAMPLE = 150_000
_NAMED = 5  # variables that an alert names
# Thirty areas' rates, each shared by all who live there: as a year passes each steps over a bin's edge with all of them,
# an index of 1 at a mean that moved by 0.2 %. Only their means are judged.
_SHARED = "area_"


@dataclass(frozen=True)
class Comparison:
    """Two populations in long form.

    Attributes:
        sql: a query with `program, variable, is_reference, value`, one row per member, date and variable.
        kind: `feature` or `score`.
        first: first date of the reference, per program.
        last: last date of the reference, per program.
    """

    sql: str
    kind: str
    first: Mapping[str, date]
    last: Mapping[str, date]


def update_drift(data_source: str, run_date: date, *, run_id: str) -> AuditResult:
    """Compare the night with its references, write `ops.drift`, raise one alert where an alarm begins."""
    spark, table = spark_session(), contract(_TABLE)
    ensure_tables(spark, [table])
    with step("drift", data_source=data_source, run_date=run_date) as record:
        found = [c for c in (features(spark, data_source, run_date), scores(spark, data_source, run_date)) if c]
        if not found:
            record.skip("nothing was trained or scored before this night to compare with")
            lineage.stands(lambda: drift_jobs(data_source))
            return audit_table(spark, table, run_id=run_id, data_source=data_source)
        limits = programs().monitoring
        labels = {"data_source": data_source, "run_date": run_date, "run_id": run_id, "is_alarm": False}
        rows = [{**row, **labels} for comparison in found for row in compare(spark, comparison, limits)]
        before = _history(spark, data_source, run_date, limits.drift.n)
        for row in rows:
            past = [was["is_moved"] for was in before.get(_name(row), [])]
            row["is_alarm"] = row["is_moved"] and is_alarm([*past, row["is_moved"]], limits.drift.k, limits.drift.n)
        frame = rows_of_contract(spark, table, rows)
        where = f"data_source = {sql_string(data_source)} and run_date = date'{run_date}'"
        audit = write_audited(frame, table, run_id=run_id, where=where, data_source=data_source)
        audit.require()
        record.rows_out = len(rows)
        new = [
            row
            for row in rows
            if row["is_alarm"] and not (before.get(_name(row)) or [{"is_alarm": False}])[-1]["is_alarm"]
        ]
        if new:
            _alert(new, data_source, run_date, run_id)
    return audit


def drifted(data_source: str, run_date: date) -> list[dict[str, Any]]:
    """Rows of `ops.drift` of a night, those that moved most first; empty where none was computed."""
    spark = spark_session()
    if not table_exists(spark, _TABLE):
        return []
    names = ", ".join(contract(_TABLE).column_names)
    rows = spark.sql(
        f"select {names} from {_TABLE} where data_source = {sql_string(data_source)} and run_date = date'{run_date}'"
    )
    return sorted((row.asDict() for row in rows.collect()), key=_order)


def features(spark: SparkSession, data_source: str, run_date: date) -> Comparison | None:
    """Tonight's features against those of the last training's index dates in season; None before any training."""
    if not table_exists(spark, "causal.cohort"):
        return None
    source = f"data_source = {sql_string(data_source)}"
    dates = [
        row[0]
        for row in spark.sql(f"""
            select distinct index_date from causal.cohort where {source} and index_date < date'{run_date}'
                and trained_as_of = (select max(trained_as_of) from causal.cohort where {source}
                                     and trained_as_of <= date'{run_date}')""").collect()
    ]
    if not dates:
        return None
    dates = in_season(with_a_year_behind(dates, _first_full_month(spark, source)), run_date)
    names = [name for name in covariates() if "outreach" not in name]
    where = f"{source} and is_enrolled and not is_deceased"
    members = _member_count(spark, data_source, run_date)
    sql = features_sql("features.member_feature", where, names, dates, run_date, members)
    return Comparison(sql, "feature", {"all": min(dates)}, {"all": max(dates)})


def features_sql(
    table: str, where: str, names: Sequence[str], dates: Sequence[date], run_date: date, members: int
) -> str:
    """`Comparison.sql` for a table with `member_id, as_of_date` and feature columns.

    Args:
        table: or a view.
        where: which of its rows.
        names: of the features.
        dates: of the reference.
        run_date: of the night.
        members: rows per date, about; more than SAMPLE on either side are thinned by a hash.
    """
    values = ", ".join(f"{sql_string(name)}, cast({name} as double)" for name in names)
    reference = ", ".join(f"date'{day}'" for day in dates)
    key = "member_id, as_of_date"
    return f"""
        select 'all' as program, variable, as_of_date <> date'{run_date}' as is_reference, value
        from (
            select * from {table} where {where} and (
                (as_of_date in ({reference}) and {_thinned(key, members * len(dates))})
                or (as_of_date = date'{run_date}' and {_thinned(key, members)}))
        ) lateral view stack({len(names)}, {values}) as variable, value"""


def _thinned(key: str, rows: int) -> str:
    """SQL condition that keeps about SAMPLE of so many rows, the same ones each time."""
    return "true" if rows <= SAMPLE else f"pmod(xxhash64({key}), 1000000) < {SAMPLE * 1_000_000 // rows}"


def _member_count(spark: SparkSession, data_source: str, run_date: date) -> int:
    """Members with features on a night."""
    where = f"data_source = {sql_string(data_source)} and as_of_date = date'{run_date}'"
    return int(spark.sql(f"select count(*) from features.member_feature where {where}").collect()[0][0])


def _first_full_month(spark: SparkSession, source: str) -> date | None:
    """The month with which the source's claims begin: the first with half as many lines as its median month.

    A historical extract has strays from years before it; they are not its beginning.
    """
    row = spark.sql(f"""
        select min(month) as first_date
        from (
            select month, lines, median(lines) over () as usual
            from (select trunc(claim_start_date, 'MM') as month, count(*) as lines
                  from core.medical_claim where {source} group by 1)
        )
        where 2 * lines >= usual""").collect()[0]
    return row[0]


def with_a_year_behind(dates: Sequence[date], first: date | None) -> list[date]:
    """Those before which claims were told for a year: earlier, what a year's windows count had not been delivered in
    full. All where there is none."""
    return [d for d in dates if first and (d - first).days >= 365] or list(dates)


def in_season(dates: Sequence[date], day: date) -> list[date]:
    """Those of the same month of the year or of one beside it; all where there is none."""
    return [d for d in dates if (d.month - day.month + 1) % 12 <= 2] or list(dates)


def scores(spark: SparkSession, data_source: str, run_date: date) -> Comparison | None:
    """Tonight's scores of eligible members against the first night that the same model version scored."""
    if not table_exists(spark, "causal.member_score"):
        return None
    source = f"data_source = {sql_string(data_source)}"
    found = spark.sql(f"""
        with tonight as (
            select distinct program, model_version from causal.member_score
            where {source} and run_date = date'{run_date}' and model_version <> 'none'
        )
        select s.program, s.model_version, min(s.run_date) as first_night
        from causal.member_score s join tonight t on t.program = s.program and t.model_version = s.model_version
        where s.{source} and s.run_date < date'{run_date}' group by s.program, s.model_version""").collect()
    if not found:
        return None
    thinned = _thinned("member_id", _member_count(spark, data_source, run_date))
    sides = " union all ".join(
        f"(select program, run_date <> date'{run_date}' as is_reference, cate, baseline_risk from causal.member_score"
        f" where {source} and program = {sql_string(row['program'])} and run_date = date'{day}' and is_eligible"
        f" and model_version = {sql_string(row['model_version'])} and {thinned})"
        for row in found
        for day in (row["first_night"], run_date)
    )
    sql = f"""
        select program, variable, is_reference, value
        from ({sides}) lateral view stack(2, 'cate', cate, 'baseline_risk', baseline_risk) as variable, value"""
    first = {row["program"]: row["first_night"] for row in found}
    return Comparison(sql, "score", first, first)


def compare(spark: SparkSession, comparison: Comparison, limits: Monitoring) -> list[dict[str, Any]]:
    """One row per variable: index, means, standardised change of the mean, and whether it moved."""
    rows = [row.asDict() for row in spark.sql(_compare_sql(comparison.sql)).collect()]
    return [
        {
            **{name: row[name] for name in _MEASURED},
            "kind": comparison.kind,
            "reference_first": comparison.first[row["program"]],
            "reference_last": comparison.last[row["program"]],
            "is_moved": _has_moved(row, limits),
        }
        for row in rows
    ]


_MEASURED = ("program", "variable", "reference_count", "night_count", "psi", "reference_mean", "night_mean", "mean_z")


# An index of few people is their noise: with sixty a side two samples of one distribution pass .25 in two of five cases.
_LEAST_ERRORS = 3.0
# Means of fewer values have no error worth the name: two that happen to be near each other make everything else look far.
_FEWEST_VALUES = 30


def _has_moved(row: Mapping[str, Any], limits: Monitoring) -> bool:
    """The limits of `contracts.monitoring`. An index above its limit needs a shift behind it, see `Monitoring`, that is no
    matter of chance."""
    counts = row["reference_count"], row["night_count"]
    far = row["mean_shift"] is not None and row["mean_shift"] >= limits.mean_shift
    if min(row["rn"], row["tn"]) < _FEWEST_VALUES:
        errors = 0.0
    else:  # without an error all values of either side are alike
        errors = float("inf") if row["mean_z"] is None else abs(row["mean_z"])
    displaced = (row["sd_shift"] or 0.0) >= limits.psi_displacement and errors >= _LEAST_ERRORS
    missing = row["missing_shift"] or 0.0
    # The error of a difference of two shares is at most this.
    error = 0.5 * (1 / counts[0] + 1 / counts[1]) ** 0.5
    lost = missing >= limits.psi_displacement and missing >= _LEAST_ERRORS * error
    reshaped = row["psi"] >= limits.psi_limit and (displaced or lost) and not row["variable"].startswith(_SHARED)
    return reshaped or (errors >= limits.mean_z and far)


def _compare_sql(long: str) -> str:
    """PSI on the reference's quantile bins (as `causal.stability.psi`), and the change of the mean.

    Repeated quantiles leave bins empty on both sides, which add nothing. The change is taken relative to the mean size
    of the values, so that a rate of change around zero does not count as infinitely changed; where all were zero, of tonight's. Its
    error is that of the more spread side: what is rare may have been met by nobody, who then tell of no spread.
    """
    quantiles = ", ".join(f"{place / _BINS!r}D" for place in range(1, _BINS))
    bins = " ".join(f"when l.value <= e.edges[{place}] then {place}" for place in range(_BINS - 1))
    return f"""
    with long as (select program, variable, is_reference, nullif(value, double('NaN')) as value from ({long})),
    edges as (
        select program, variable, percentile_approx(value, array({quantiles}), 2000) as edges
        from long where is_reference group by program, variable
    ),
    binned as (
        -- The hint: the planner takes the stacked rows for as few as the members, and would ship them, not the edges.
        select /*+ broadcast(e) */ l.program, l.variable,
            case when l.value is null then -1 {bins} else {_BINS - 1} end as bin,
            count_if(is_reference) as r, count_if(not is_reference) as t,
            count(case when is_reference then value end) as rn, sum(case when is_reference then value end) as rs,
            sum(case when is_reference then value * value end) as rss, sum(case when is_reference then abs(value) end) as ra,
            count(case when not is_reference then value end) as tn, sum(case when not is_reference then value end) as ts,
            sum(case when not is_reference then value * value end) as tss,
            sum(case when not is_reference then abs(value) end) as ta
        from long l join edges e on e.program = l.program and e.variable = l.variable
        group by l.program, l.variable, bin
    ),
    shares as (
        select *, greatest(r / sum(r) over one, {FLOOR}D) as p, greatest(t / sum(t) over one, {FLOOR}D) as q
        from binned window one as (partition by program, variable)
    ),
    summed as (
        select program, variable, cast(sum(r) as int) as reference_count, cast(sum(t) as int) as night_count,
            greatest(sum((q - p) * ln(q / p)), 0D) as psi, sum(rs) / sum(rn) as reference_mean, sum(ts) / sum(tn) as night_mean,
            coalesce(nullif(sum(ra) / sum(rn), 0D), sum(ta) / sum(tn)) as scale, abs(sum(tn) / sum(t) - sum(rn) / sum(r)) as missing_shift,
            greatest(sum(rss) / sum(rn) - pow(sum(rs) / sum(rn), 2), 0D) as rv, sum(rn) as rn,
            greatest(sum(tss) / sum(tn) - pow(sum(ts) / sum(tn), 2), 0D) as tv, sum(tn) as tn
        from shares group by program, variable having sum(r) > 0 and sum(t) > 0
    )
    select *, case when greatest(rv, tv) > 0 then change / sqrt(greatest(rv, tv) * (1 / rn + 1 / tn)) end as mean_z,
        case when greatest(rv, tv) > 0 then abs(change) / sqrt(greatest(rv, tv)) end as sd_shift,
        case when scale > 0 then abs(change) / scale end as mean_shift
    from (select *, night_mean - reference_mean as change from summed)"""


def _name(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["kind"], row["program"], row["variable"]


def _history(
    spark: SparkSession, data_source: str, run_date: date, nights: int
) -> dict[tuple[str, str, str], list[Mapping[str, Any]]]:
    """`is_moved, is_alarm` of the last nights before this one per variable, oldest first."""
    where = f"data_source = {sql_string(data_source)} and run_date < date'{run_date}'"
    rows = spark.sql(f"""
        select kind, program, variable, is_moved, is_alarm from {_TABLE}
        where {where} and run_date in (
            select run_date from {_TABLE} where {where} group by run_date order by run_date desc limit {nights})
        order by run_date""").collect()
    past: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        past.setdefault(_name(row.asDict()), []).append(row.asDict())
    return past


def _order(row: Mapping[str, Any]) -> tuple[bool, bool, float, str]:
    """What moved first, then by size of the index and name."""
    return not row["is_alarm"], not row["is_moved"], -row["psi"], row["variable"]


def _alert(rows: list[dict[str, Any]], data_source: str, run_date: date, run_id: str) -> None:
    top = sorted(rows, key=lambda row: (-abs(row["mean_z"] or 0.0), _order(row)))
    names = [row["variable"] if row["program"] == "all" else f"{row['program']} {row['variable']}" for row in top]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    what = "; ".join(
        f"{name}: mean {_number(row['reference_mean'])} to {_number(row['night_mean'])}, PSI {row['psi']:.3f}"
        for name, row in list(zip(names, top, strict=True))[:_NAMED]
    )
    raise_once(
        kind="drift",
        subject=f"{names[0]}{more}",
        run_id=run_id,
        data_source=data_source,
        run_date=run_date,
        message=f"Moved since training on {programs().monitoring.drift.k} of the last {programs().monitoring.drift.n} nights: {what}.",
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
