{# Claims of the year before each as-of date in the version known then. One row per claim and date. #}
{{ config(materialized='ephemeral') }}

with claims as (
  select
    member_id,
    claim_id,
    known_at,
    superseded_at,
    claim_type,
    claim_encounter_type,
    service_category,
    min({{ core_claim_starts() }}) as starts,
    max({{ core_claim_ends() }}) as ends,
    min({{ core_claim_provider() }}) as provider,
    min(admit_type_code) as admit_type_code,
    sum(paid_amount) as paid_amount,
    bool_or(coalesce(hcpcs_code in ('83036', '83037'), false)) as has_a1c,
    bool_or(coalesce(hcpcs_code in ('92002', '92004', '92012', '92014', '92134', '92227', '92228', '92229', '92250'), false))
      as has_eye_exam
  from {{ ref('medical_claim') }}
  where data_source = {{ feature_source() }} and not is_void
    and {{ feature_reach('claim_start_date', 400) }}
  group by member_id, claim_id, known_at, superseded_at, claim_type, claim_encounter_type, service_category
)

select claims.*, dates.as_of_date
from claims
cross join ({{ feature_dates() }}) as dates
where claims.starts < dates.as_of_date
  and claims.starts >= date_sub(dates.as_of_date, 365)
  and {{ core_known('claims', 'dates.as_of_date') }}
