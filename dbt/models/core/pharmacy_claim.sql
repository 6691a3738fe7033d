{{ config(materialized='table') }}

with delivered as (
  {{ core_union('pharmacy_claim', ['tuva', 'synthea_csv']) }}
),

happened as (
  select delivered.*
  from delivered
  left anti join {{ source('overlay', 'overlay__prevented_claim') }} as prevented
    on delivered.data_source = prevented.data_source and delivered.claim_id = prevented.claim_id
),

versions as (
  {{ core_claim_versions('happened') }}
)

select
  versions.data_source,
  versions.known_at,
  {% for name in core_columns('pharmacy_claim')[2:] %}versions.{{ name }}, {% endfor %}
  coalesce(drug.drug_class, {{ core_drug_class_by_name('versions.drug_name') }}, 'other') as drug_class,
  versions.superseded_at,
  versions.is_void
from versions
left join {{ ref('ref_drug_code') }} as drug
  on versions.drug_code_type = drug.drug_code_type and versions.drug_code = drug.drug_code
