{{ config(materialized='table') }}

with stays as (
  select
    *,
    lag(encounter_end_date) over (
      partition by data_source, member_id, superseded_at is null order by encounter_start_date
    ) as last_discharge_date
  from {{ ref('encounter') }}
  where encounter_type = 'acute_inpatient'
),

-- The day up to which a source can have told of fills: an open gap lasts until then.
heard as (
  select data_source, cast(max(known_at) as date) as heard_on from {{ ref('pharmacy_claim') }} group by data_source
),

gaps as (
  select
    fills.data_source,
    greatest(fills.known_at, cast(date_add(fills.covered_until, 1) as timestamp)) as known_at,
    fills.member_id,
    fills.drug_class,
    fills.covered_until as event_start_date,
    date_sub(least(
      coalesce(fills.next_fill_date, heard.heard_on),
      coalesce(member.death_date, date '9999-12-31')
    ), 1) as event_end_date
  from {{ ref('int_maintenance_fill__spanned') }} as fills
  inner join heard on fills.data_source = heard.data_source
  left join {{ ref('member') }} as member
    on fills.data_source = member.data_source and fills.member_id = member.member_id
),

events as (
  select data_source, known_at, member_id, 'ed_visit' as event_type, encounter_start_date as event_start_date,
    encounter_start_date as event_end_date, 'emergency_department' as event_detail, superseded_at
  from {{ ref('encounter') }}
  where encounter_type = 'emergency_department'
  union all
  select data_source, known_at, member_id, 'acute_admission', encounter_start_date, encounter_end_date,
    'acute_inpatient', superseded_at
  from stays
  union all
  select data_source, known_at, member_id, 'readmission_30d', encounter_start_date, encounter_end_date,
    'acute_inpatient', superseded_at
  from stays
  where is_unplanned and datediff(encounter_start_date, last_discharge_date) between 1 and 30
  union all
  select data_source, death_known_at, member_id, 'death', death_date, death_date, 'death', cast(null as timestamp)
  from {{ ref('member') }}
  where death_date is not null
  union all
  select data_source, known_at, member_id, 'medication_gap', event_start_date, event_end_date, drug_class,
    cast(null as timestamp)
  from gaps
  where event_end_date >= event_start_date
)

select data_source, known_at, member_id, event_type, event_start_date, event_end_date, event_detail, superseded_at
from events
