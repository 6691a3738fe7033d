{{ config(materialized='table') }}

select
  data_source,
  known_at,
  member_id,
  program,
  channel,
  -- Two words with one date and one delivery: the one that protects the member holds.
  bool_and(is_consented) as is_consented,
  effective_date
from {{ ref('stg_tuva__consent') }}
group by data_source, known_at, member_id, program, channel, effective_date
