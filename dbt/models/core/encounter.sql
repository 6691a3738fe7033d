{{ config(materialized='table') }}

with lines as (
  select
    *,
    superseded_at is null as is_current,
    -- Rows of the encounter's own kind bound it; emergency and professional rows attached to a stay do not.
    claim_encounter_type = encounter_type and (encounter_type <> 'acute_inpatient' or claim_type = 'institutional')
    or encounter_type = 'other' as is_own,
    case when claim_encounter_type = 'acute_inpatient' and claim_type = 'institutional'
      then coalesce(discharge_date, claim_end_date) else claim_end_date end as ends
  from {{ ref('medical_claim') }}
  where encounter_id is not null
),

-- While any claim of the encounter stands, only standing lines tell about it.
marked as (
  select *, is_current or not max(is_current) over (partition by data_source, encounter_id) as is_telling
  from lines
)

select
  data_source,
  min(known_at) as known_at,
  encounter_id,
  max(member_id) as member_id,
  max(encounter_type) as encounter_type,
  max(encounter_start_date) as encounter_start_date,
  greatest(max(encounter_start_date), max(case when is_telling and is_own then ends end)) as encounter_end_date,
  datediff(greatest(max(encounter_start_date), max(case when is_telling and is_own then ends end)),
    max(encounter_start_date)) as length_of_stay_days,
  max(encounter_type) = 'emergency_department'
  or (max(encounter_type) = 'acute_inpatient'
    and coalesce(min_by(admit_type_code, struct(claim_start_date, claim_id)) filter (where is_own and admit_type_code is not null), '1') <> '3')
    as is_unplanned,
  min_by(element_at(diagnosis_codes, 1), struct(claim_start_date, claim_id, claim_line_number))
    filter (where is_telling and is_own and size(diagnosis_codes) > 0) as primary_diagnosis_code,
  min_by(drg_code, struct(claim_start_date, claim_id)) filter (where is_telling and is_own and drg_code is not null)
    as drg_code,
  max_by(discharge_disposition_code, struct(ends, claim_id))
    filter (where is_telling and is_own and discharge_disposition_code is not null) as discharge_disposition_code,
  min_by(facility_npi, struct(claim_start_date, claim_id)) filter (where is_telling and is_own and facility_npi is not null)
    as facility_npi,
  cast(sum(paid_amount) filter (where is_current) as decimal(12, 2)) as paid_amount,
  cast(count(distinct case when is_telling then claim_id end) as int) as claim_count,
  case when bool_or(is_current) then null else max(superseded_at) end as superseded_at
from marked
group by data_source, encounter_id
