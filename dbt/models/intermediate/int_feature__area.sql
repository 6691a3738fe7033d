{#
  Access to care of a three-digit ZIP area: what its members used in the year before each as-of date, as known then.
  Providers seen per 1,000 members stands for distance, which no source tells.
#}
{{ config(materialized='ephemeral') }}

with visits as (
  select
    member_id,
    as_of_date,
    encounter_type,
    encounter_provider
  from {{ ref('int_as_of__encountered') }}
  where encounter_type in ('office_visit', 'telehealth', 'urgent_care', 'emergency_department')
),

members as (
  select as_of_date, area, count(*) as member_count
  from {{ ref('int_as_of__member') }}
  group by as_of_date, area
),

used as (
  select
    who.as_of_date,
    who.area,
    count_if(visits.encounter_type in ('office_visit', 'telehealth')) as primary_count,
    count_if(visits.encounter_type = 'urgent_care') as urgent_count,
    count_if(visits.encounter_type = 'emergency_department') as ed_count,
    count(distinct case when visits.encounter_type = 'office_visit' then visits.encounter_provider end) as provider_count
  from {{ ref('int_as_of__member') }} as who
  inner join visits on who.member_id = visits.member_id and who.as_of_date = visits.as_of_date
  group by who.as_of_date, who.area
)

select
  members.as_of_date,
  members.area,
  1000.0D * coalesce(used.primary_count, 0) / members.member_count as area_primary_care_365d_rate,
  1000.0D * coalesce(used.urgent_count, 0) / members.member_count as area_urgent_care_365d_rate,
  1000.0D * coalesce(used.provider_count, 0) / members.member_count as area_provider_365d_rate,
  coalesce(used.ed_count / nullif(used.ed_count + used.primary_count + used.urgent_count, 0), 0.0D)
    as area_ed_365d_share
from members
left join used on members.as_of_date = used.as_of_date and members.area = used.area
