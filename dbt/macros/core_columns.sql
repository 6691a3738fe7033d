{# The columns of each core entity as its sources tell them: `contracts/tables/shapes.py`, in that order. #}
{% macro core_columns(entity) %}
  {% set by_entity = {
    'member': ['member_id', 'birth_date', 'sex', 'race', 'ethnicity', 'language', 'state', 'zip_code', 'death_date',
      'death_known_at'],
    'eligibility': ['member_id', 'enrollment_start_date', 'enrollment_end_date', 'payer', 'payer_type', 'plan',
      'dual_status_code', 'original_reason_entitlement_code', 'medicare_status_code', 'is_hospice',
      'is_claims_complete'],
    'medical_claim': ['claim_id', 'claim_line_number', 'adjustment_type_code', 'member_id', 'claim_type',
      'claim_start_date', 'claim_end_date', 'claim_line_start_date', 'claim_line_end_date', 'admission_date',
      'discharge_date', 'admit_source_code', 'admit_type_code', 'discharge_disposition_code',
      'place_of_service_code', 'bill_type_code', 'drg_code', 'revenue_center_code', 'hcpcs_code',
      'service_unit_quantity', 'rendering_npi', 'billing_npi', 'facility_npi', 'paid_date', 'paid_amount',
      'allowed_amount', 'charge_amount', 'diagnosis_code_type', 'diagnosis_codes', 'procedure_code_type',
      'procedure_codes'],
    'pharmacy_claim': ['claim_id', 'claim_line_number', 'adjustment_type_code', 'member_id', 'dispensing_date',
      'drug_code_type', 'drug_code', 'drug_name', 'quantity', 'days_supply', 'refills', 'prescribing_npi',
      'paid_date', 'paid_amount', 'allowed_amount'],
    'condition': ['member_id', 'recorded_date', 'code_type', 'code'],
    'outreach_contact': ['contact_id', 'member_id', 'program', 'channel', 'team', 'assigned_date', 'assigned_by',
      'is_offered', 'assignment_probability', 'is_reached', 'disposition'],
    'consent': ['member_id', 'program', 'channel', 'is_consented', 'effective_date'],
  } %}
  {{ return(['data_source', 'known_at'] + by_entity[entity]) }}
{% endmacro %}

{# All sources' staging rows of an entity, one below the other, with where they were delivered. #}
{% macro core_union(entity, sources) %}
  {% for source in sources %}
    select {{ core_columns(entity) | join(', ') }}, file_sha256, file_row_number
    from {{ ref('stg_' ~ source ~ '__' ~ entity) }}
    {% if not loop.last %}union all{% endif %}
  {% endfor %}
{% endmacro %}

{# Whether a bitemporal row was in force as the warehouse knew the world on day `as_of`. #}
{% macro core_known(row, as_of) -%}
  {{ row }}.known_at < {{ as_of }} and ({{ row }}.superseded_at is null or {{ row }}.superseded_at >= {{ as_of }})
{%- endmacro %}
