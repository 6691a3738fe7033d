select
  {{ staging_tuva_head() }},
  {{ staging_tuva_member() }} as member_id,
  {{ staging_date('enrollment_start_date') }} as enrollment_start_date,
  case
    when {{ staging_text('enrollment_end_date') }} is null then date '9999-12-31'
    else {{ staging_date('enrollment_end_date') }}
  end as enrollment_end_date,
  {{ staging_text('payer') }} as payer,
  {{ staging_payer_type('payer_type') }} as payer_type,
  {{ staging_text('plan') }} as plan,
  {{ staging_text('dual_status_code') }} as dual_status_code,
  {{ staging_text('original_reason_entitlement_code') }} as original_reason_entitlement_code,
  {{ staging_text('medicare_status_code') }} as medicare_status_code,
  coalesce({{ staging_bool('hospice_flag') }}, false) as is_hospice,
  true as is_claims_complete,
  {{ staging_tuva_delivered(
    dates=['enrollment_start_date', 'enrollment_end_date'],
    flags=['hospice_flag']
  ) }}
from ({{ staging_new_files('tuva__eligibility') }})
