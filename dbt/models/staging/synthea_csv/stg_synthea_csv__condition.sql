select
  'synthea_csv' as data_source,
  {{ staging_at('date_add(' ~ staging_date('start') ~ ', ' ~ var('staging_synthea_claim_lag_days') ~ ')') }} as known_at,
  {{ staging_text('patient') }} as member_id,
  {{ staging_date('start') }} as recorded_date,
  'snomed-ct' as code_type,
  {{ staging_text('code') }} as code,
  {{ staging_delivered() }}
from ({{ staging_new_files('synthea_csv__conditions') }})
