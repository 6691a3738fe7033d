{{ config(materialized='table') }}

with stated as (
  select
    data_source, known_at, member_id, claim_start_date as recorded_date, diagnosis_code_type as code_type,
    explode(diagnosis_codes) as code, superseded_at
  from {{ ref('medical_claim') }}
  -- diagnoses stand on every line of a claim; its first line is enough
  where not is_void and claim_line_number = 1
  {% for source in ['desynpuf', 'synthea_csv'] %}
    union all
    select data_source, known_at, member_id, recorded_date, code_type, code, cast(null as timestamp) as superseded_at
    from {{ ref('stg_' ~ source ~ '__condition') }}
  {% endfor %}
),

rows_by_key as (
  select
    data_source, known_at, member_id, recorded_date, code_type, upper(replace(code, '.', '')) as match_code, code,
    -- in force until the last statement of it that became known at this moment was withdrawn
    case when bool_or(superseded_at is null) then null else max(superseded_at) end as superseded_at
  from stated
  where code is not null and code <> ''
  group by data_source, known_at, member_id, recorded_date, code_type, code
)

select
  rows_by_key.data_source,
  rows_by_key.known_at,
  rows_by_key.member_id,
  rows_by_key.recorded_date,
  rows_by_key.code_type,
  rows_by_key.code,
  coalesce({% for length in ['exact', 5, 4, 3] %}by_{{ length }}.condition_category{{ ', ' if not loop.last }}{% endfor %})
    as condition_category,
  hcc.hcc_code,
  rows_by_key.superseded_at
from rows_by_key
{% for length in ['exact', 5, 4, 3] %}
  left join {{ ref('ref_condition_code') }} as by_{{ length }}
    on rows_by_key.code_type = by_{{ length }}.code_type
    and by_{{ length }}.match_kind = '{{ 'exact' if length == 'exact' else 'prefix' }}'
    and by_{{ length }}.code = {{ 'match_code' if length == 'exact' else 'left(match_code, ' ~ length ~ ')' }}
{% endfor %}
left join {{ ref('ref_icd10_hcc') }} as hcc
  on rows_by_key.code_type = 'icd-10-cm' and rows_by_key.match_code = hcc.icd10_code
