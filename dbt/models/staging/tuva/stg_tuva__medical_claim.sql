with typed as (
  select
    *,
    coalesce({{ staging_date('claim_start_date') }}, {{ staging_date('claim_line_start_date') }}) as starts,
    coalesce(
      {{ staging_date('claim_end_date') }}, {{ staging_date('claim_line_end_date') }},
      {{ staging_date('claim_start_date') }}, {{ staging_date('claim_line_start_date') }}
    ) as ends
  from ({{ staging_new_files('tuva__medical_claim') }})
)

select
  {{ staging_tuva_head() }},
  {{ staging_text('claim_id') }} as claim_id,
  {{ staging_int('claim_line_number') }} as claim_line_number,
  {{ staging_tuva_adjustment() }} as adjustment_type_code,
  {{ staging_tuva_member() }} as member_id,
  coalesce(lower({{ staging_text('claim_type') }}), 'undetermined') as claim_type,
  starts as claim_start_date,
  ends as claim_end_date,
  coalesce({{ staging_date('claim_line_start_date') }}, starts) as claim_line_start_date,
  coalesce({{ staging_date('claim_line_end_date') }}, {{ staging_date('claim_line_start_date') }}, ends)
    as claim_line_end_date,
  {{ staging_date('admission_date') }} as admission_date,
  {{ staging_date('discharge_date') }} as discharge_date,
  {{ staging_text('admit_source_code') }} as admit_source_code,
  {{ staging_text('admit_type_code') }} as admit_type_code,
  {{ staging_padded('discharge_disposition_code', 2) }} as discharge_disposition_code,
  {{ staging_padded('place_of_service_code', 2) }} as place_of_service_code,
  {{ staging_text('bill_type_code') }} as bill_type_code,
  {{ staging_text('drg_code') }} as drg_code,
  {{ staging_padded('revenue_center_code', 4) }} as revenue_center_code,
  {{ staging_text('hcpcs_code') }} as hcpcs_code,
  {{ staging_double('service_unit_quantity') }} as service_unit_quantity,
  {{ staging_text('rendering_npi') }} as rendering_npi,
  {{ staging_text('billing_npi') }} as billing_npi,
  {{ staging_text('facility_npi') }} as facility_npi,
  {{ staging_date('paid_date') }} as paid_date,
  {{ staging_money('paid_amount') }} as paid_amount,
  {{ staging_money('allowed_amount') }} as allowed_amount,
  {{ staging_money('charge_amount') }} as charge_amount,
  coalesce(lower({{ staging_text('diagnosis_code_type') }}), 'icd-10-cm') as diagnosis_code_type,
  {{ staging_codes('diagnosis_code', 25) }} as diagnosis_codes,
  lower({{ staging_text('procedure_code_type') }}) as procedure_code_type,
  {{ staging_codes('procedure_code', 25) }} as procedure_codes,
  {{ staging_tuva_delivered(
    dates=['claim_start_date', 'claim_end_date', 'claim_line_start_date', 'claim_line_end_date', 'admission_date',
      'discharge_date', 'paid_date'],
    amounts=['paid_amount', 'allowed_amount', 'charge_amount'],
    integers=['claim_line_number'],
    numbers=['service_unit_quantity']
  ) }}
from typed
