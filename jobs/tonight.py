"""Who a program could reach tonight: every member with features as of the night, eligibility and what stands against it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from contracts.programs import Program, Programs
from jobs.options import is_refused_sql, open_channels_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession


def _refused(program: Program, data_source: str, run_date: date) -> str:
    """Channels (or `all`) that members refuse: their latest word on it, for this program or for all, is no."""
    return f"""
    select member_id, collect_set(channel) as channels from (
        select member_id, program, channel, max_by(is_consented, struct(effective_date, known_at)) as is_consented
        from core.consent
        where data_source = '{data_source}' and program in ('{program.key}', 'all')
            and effective_date <= date'{run_date}' and known_at < timestamp'{run_date}'
        group by member_id, program, channel)
    where not is_consented
    group by member_id"""


def _recently_offered(program: Program, data_source: str, run_date: date) -> str:
    """Members offered any program within the cool-down, by contacts on file or by a list published on an earlier night."""
    since = f"date_sub(date'{run_date}', {program.cooldown_days})"
    return f"""
    select distinct member_id from core.outreach_contact
    where data_source = '{data_source}' and is_offered and known_at < timestamp'{run_date}'
        and assigned_date >= {since} and assigned_date < date'{run_date}'
    union
    select distinct member_id from outreach.priority
    where data_source = '{data_source}' and decision in ('outreach', 'explore')
        and run_date >= {since} and run_date < date'{run_date}'"""


def tonight(spark: SparkSession, configured: Programs, program: Program, data_source: str, run_date: date) -> DataFrame:
    """Features as of `run_date` plus `allowed_channels`, `blocked_by` and `fallback_score`, one row per member.

    `blocked_by`: `deceased, disenrolled, hospice, incomplete, criteria` make a member not eligible, tonight as in
    training (`incomplete`: claims of the last year were paid elsewhere, which looks like health and is not);
    `consent, language, cooldown` suppress an eligible one (`language`: no channel that is not refused is in the
    member's); NULL: free to be called.
    """
    refused = "coalesce(refused.channels, cast(array() as array<string>))"
    is_refused = " and ".join(is_refused_sql(name, refused) for name in program.channels)
    allowed = open_channels_sql(configured, program, refused, "f.language_code")
    return spark.sql(f"""
    select f.*, {allowed} as allowed_channels,
        case when f.is_deceased then 'deceased'
             when not f.is_enrolled then 'disenrolled'
             when f.is_hospice then 'hospice'
             when not f.is_claims_complete then 'incomplete'
             when not coalesce({program.eligibility}, false) or f.lookback_days < {program.min_lookback_days} then 'criteria'
             when {is_refused} then 'consent'
             when size({allowed}) = 0 then 'language'
             when offered.member_id is not null then 'cooldown' end as blocked_by,
        cast({program.fallback} as double) as fallback_score
    from (select * from features.member_feature where data_source = '{data_source}' and as_of_date = date'{run_date}') f
    left join ({_refused(program, data_source, run_date)}) refused on refused.member_id = f.member_id
    left join ({_recently_offered(program, data_source, run_date)}) offered on offered.member_id = f.member_id
    """)
