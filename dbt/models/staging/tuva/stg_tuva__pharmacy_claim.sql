select
  {{ staging_tuva_head() }},
  {{ staging_text('claim_id') }} as claim_id,
  {{ staging_int('claim_line_number') }} as claim_line_number,
  {{ staging_tuva_adjustment() }} as adjustment_type_code,
  {{ staging_tuva_member() }} as member_id,
  {{ staging_date('dispensing_date') }} as dispensing_date,
  'ndc' as drug_code_type,
  replace({{ staging_text('ndc_code') }}, '-', '') as drug_code,
  {{ staging_text('drug_name') }} as drug_name,
  {{ staging_double('quantity') }} as quantity,
  {{ staging_int('days_supply') }} as days_supply,
  {{ staging_int('refills') }} as refills,
  {{ staging_text('prescribing_provider_npi') }} as prescribing_npi,
  {{ staging_date('paid_date') }} as paid_date,
  {{ staging_money('paid_amount') }} as paid_amount,
  {{ staging_money('allowed_amount') }} as allowed_amount,
  {{ staging_tuva_delivered(
    dates=['dispensing_date', 'paid_date'],
    amounts=['paid_amount', 'allowed_amount'],
    integers=['claim_line_number', 'days_supply', 'refills'],
    numbers=['quantity']
  ) }}
from ({{ staging_new_files('tuva__pharmacy_claim') }})
