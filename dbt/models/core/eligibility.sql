{{ config(materialized='table') }}

{% set said = core_columns('eligibility')[4:] %}
{% set span = 'data_source, member_id, enrollment_start_date' %}

with told as (
  {{ core_union('eligibility', ['tuva', 'desynpuf', 'synthea_csv']) }}
),

-- Whoever tells a span again tells all its payers: two may cover a member from the same day on, and one that is told no
-- more has ended or goes by another name. Spans that a delivery leaves out stay as they were.
delivered as (
  select
    * except (payer),
    coalesce(payer, 'unknown') as payer,
    dense_rank() over (partition by {{ span }} order by known_at) as telling,
    min(known_at) over (
      partition by {{ span }} order by known_at
      range between interval 1 microsecond following and unbounded following
    ) as told_again_at
  from told
),

single as (
  select
    *,
    struct({{ said | join(', ') }}) as said,
    row_number() over (
      partition by {{ span }}, payer, telling
      order by enrollment_end_date desc, file_sha256, file_row_number desc
    ) as copy_rank
  from delivered
),

neighbours as (
  select
    *,
    lag(struct(telling + 1 as telling, said)) over (partition by {{ span }}, payer order by telling) as before,
    lead(struct(telling - 1 as telling, said)) over (partition by {{ span }}, payer order by telling) as after
  from single
  where copy_rank = 1
),

bounded as (
  select
    *,
    min(case when not (struct(telling, said) <=> after) then told_again_at end) over (
      partition by {{ span }}, payer order by telling rows between current row and unbounded following
    ) as superseded_at
  from neighbours
)

select
  {{ core_columns('eligibility') | join(', ') }},
  superseded_at
from bounded
where not (struct(telling, said) <=> before)
