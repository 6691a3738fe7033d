{{ config(materialized='table') }}

{% set said = core_columns('eligibility')[4:] %}

with told as (
  {{ core_union('eligibility', ['tuva', 'desynpuf', 'synthea_csv']) }}
),

delivered as (
  -- Part of the key: two payers may cover a member from the same day on.
  select * except (payer), coalesce(payer, 'unknown') as payer from told
),

single as (
  select
    *,
    struct({{ said | join(', ') }}) as said,
    row_number() over (
      partition by data_source, member_id, payer, enrollment_start_date, known_at
      order by enrollment_end_date desc, file_sha256, file_row_number desc
    ) as copy_rank
  from delivered
),

changed as (
  select
    *,
    lag(said) over (partition by data_source, member_id, payer, enrollment_start_date order by known_at) as said_before
  from single
  where copy_rank = 1
)

select
  {{ core_columns('eligibility') | join(', ') }},
  lead(known_at) over (
    partition by data_source, member_id, payer, enrollment_start_date order by known_at
  ) as superseded_at
from changed
where said_before is null or not (said <=> said_before)
