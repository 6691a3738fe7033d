{# Who had coverage in the year before each as-of date, as known then. One row per member and date. #}
{{ config(materialized='ephemeral') }}

with spans as (
  select
    spans.*,
    dates.as_of_date,
    date_add(least(spans.enrollment_end_date, date_sub(dates.as_of_date, 1)), 1) as covered_until
  from {{ ref('eligibility') }} as spans
  cross join ({{ feature_dates() }}) as dates
  where spans.data_source = {{ feature_source() }}
    and spans.enrollment_start_date <= dates.as_of_date
    and {{ core_known('spans', 'dates.as_of_date') }}
),

disjoint as (
  select
    *,
    greatest(enrollment_start_date, coalesce(max(covered_until) over (
      partition by member_id, as_of_date order by enrollment_start_date, enrollment_end_date
      rows between unbounded preceding and 1 preceding
    ), enrollment_start_date)) as counted_from
  from spans
)

select
  member_id,
  as_of_date,
  bool_or(enrollment_end_date >= as_of_date) as is_enrolled,
  bool_or(is_hospice and enrollment_end_date >= as_of_date) as is_hospice_span,
  coalesce(bool_and(is_claims_complete) filter (where enrollment_end_date >= date_sub(as_of_date, 365)), true)
    as is_claims_complete,
  cast(sum({{ feature_days_within('counted_from', 'covered_until', 365) }}) as int) as lookback_days,
  cast(floor(sum(greatest(0, datediff(covered_until, counted_from))) / 30.4375) as int) as months_enrolled_count,
  max_by(payer_type, struct(enrollment_end_date >= as_of_date, enrollment_start_date, payer_type, payer)) as payer_type,
  max_by(coalesce(dual_status_code, '00') in ('01', '02', '03', '04', '05', '06', '08'),
    struct(enrollment_end_date >= as_of_date, enrollment_start_date, payer_type, payer)) as is_dual,
  max_by(coalesce(original_reason_entitlement_code, '0') in ('1', '3'),
    struct(enrollment_end_date >= as_of_date, enrollment_start_date, payer_type, payer)) as is_disability_entitled,
  max_by(coalesce(lower(plan) rlike 'high.?deductible|hdhp|cdhp', false),
    struct(enrollment_end_date >= as_of_date, enrollment_start_date, payer_type, payer)) as is_high_deductible
from disjoint
group by member_id, as_of_date
having sum({{ feature_days_within('counted_from', 'covered_until', 365) }}) > 0
