{{ config(materialized='table') }}

with current_span as (
  select
    spans.*,
    -- An open span is covered up to the last day that its source has told of, not up to the year 9999.
    least(enrollment_end_date, last_day(heard.heard_on)) as covered_until
  from {{ ref('eligibility') }} as spans
  inner join (
    select data_source, cast(max(known_at) as date) as heard_on from {{ ref('eligibility') }} group by data_source
  ) as heard on spans.data_source = heard.data_source
  where superseded_at is null
),

disjoint as (
  select
    *,
    greatest(
      enrollment_start_date,
      coalesce(
        date_add(
          max(covered_until) over (
            partition by data_source, member_id order by enrollment_start_date, enrollment_end_date
            rows between unbounded preceding and 1 preceding
          ), 1
        ), enrollment_start_date
      )
    ) as counted_from
  from current_span
  where covered_until >= enrollment_start_date
),

months as (
  select *, explode(sequence(trunc(enrollment_start_date, 'MM'), covered_until, interval 1 month)) as year_month
  from disjoint
),

days as (
  select
    *,
    greatest(0, datediff(least(covered_until, last_day(year_month)), greatest(enrollment_start_date, year_month)) + 1)
      as span_days,
    greatest(0, datediff(least(covered_until, last_day(year_month)), greatest(counted_from, year_month)) + 1)
      as new_days
  from months
)

select
  data_source,
  max(known_at) as known_at,
  member_id,
  year_month,
  cast(sum(new_days) as int) as covered_days,
  max_by(payer_type, struct(span_days, enrollment_start_date, payer_type)) as payer_type,
  bool_and(is_claims_complete) as is_claims_complete
from days
group by data_source, member_id, year_month
