{#
  Rebuilt whole each night: versions, voids and encounters of a member move together, and a rebuild is the only
  form in which a late row cannot leave a stale neighbour. Two shuffles of the claim lines (by claim, by member);
  the cost grows linearly with the lines and needs no state.
#}
{{ config(materialized='table') }}

with delivered as (
  {{ core_union('medical_claim', ['tuva', 'desynpuf', 'synthea_csv']) }}
),

happened as (
  select delivered.*
  from delivered
  left anti join {{ source('overlay', 'overlay__prevented_claim') }} as prevented
    on delivered.data_source = prevented.data_source and delivered.claim_id = prevented.claim_id
),

versions as (
  {{ core_claim_versions('happened') }}
),

kinds as (
  select
    *,
    min({{ core_line_rank() }}) over (partition by data_source, claim_id, known_at) as kind_rank
  from versions
),

named as (
  select *, {{ core_encounter_type('kind_rank') }} as claim_encounter_type
  from kinds
),

typed as (
  select
    *,
    {{ core_claim_starts() }} as starts,
    {{ core_claim_ends() }} as ends,
    {{ core_claim_provider() }} as provider,
    -- Replaced and voided versions are grouped among themselves, so that they cannot shape today's encounters.
    case when is_void then 2 when superseded_at is not null then 1 else 0 end as state
  from named
),

grouped as (
  {{ core_group_encounters('typed', ['data_source', 'member_id', 'state']) }}
)

select
  {{ core_columns('medical_claim') | join(', ') }},
  case
    when claim_type in ('dental', 'vision') then 'other'
    when claim_encounter_type = 'emergency_department' then 'emergency'
    when claim_encounter_type in ('skilled_nursing', 'home_health', 'hospice') then 'post_acute'
    when claim_type = 'professional' then 'professional'
    when claim_encounter_type = 'acute_inpatient' then 'inpatient'
    when claim_type = 'institutional' then 'outpatient'
    else 'other'
  end as service_category,
  claim_encounter_type,
  case when not is_void then
    md5(concat_ws('|', data_source, member_id, encounter_type, encounter_start, encounter_provider))
  end as encounter_id,
  encounter_type,
  encounter_start as encounter_start_date,
  superseded_at,
  is_void
from grouped
