{# A span ends where the next starts, so its last day is the day before; a payer knows of it on its eve. #}
with payers as (
  {{ staging_latest('synthea_csv__payers') }}
),

spans as (
  select *, {{ staging_date('start_date') }} as starts, {{ staging_date('end_date') }} as stops
  from ({{ staging_new_files('synthea_csv__payer_transitions') }})
)

select
  'synthea_csv' as data_source,
  {{ staging_at('date_sub(starts, 1)') }} as known_at,
  {{ staging_text('spans.patient') }} as member_id,
  starts as enrollment_start_date,
  greatest(date_sub(stops, 1), starts) as enrollment_end_date,
  {{ staging_text('payers.name') }} as payer,
  {{ staging_payer_type('payers.name') }} as payer_type,
  {{ staging_text('payers.name') }} as plan,
  cast(null as string) as dual_status_code,
  cast(null as string) as original_reason_entitlement_code,
  cast(null as string) as medicare_status_code,
  false as is_hospice,
  true as is_claims_complete,
  {{ staging_delivered('spans') }}
from spans
left join payers on spans.payer = payers.id
