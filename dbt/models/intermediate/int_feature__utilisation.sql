{# Visits, stays and recency per member and as-of date, from encounters as known then. #}
{{ config(materialized='ephemeral') }}

{% set kinds = {
  'ed_visit': "encounter_type = 'emergency_department'",
  'acute_admission': "encounter_type = 'acute_inpatient'",
  'observation_stay': "encounter_type = 'observation'",
  'outpatient_visit': "encounter_type = 'outpatient'",
  'office_visit': "encounter_type = 'office_visit'",
  'urgent_care_visit': "encounter_type = 'urgent_care'",
  'telehealth_visit': "encounter_type = 'telehealth'",
  'post_acute_stay': "encounter_type in ('skilled_nursing', 'home_health')",
} %}

with encounters as (
  select
    *,
    lag(encounter_end) over (
      partition by member_id, as_of_date, encounter_type order by encounter_start
    ) as last_end
  from {{ ref('int_as_of__encountered') }}
)

select
  member_id,
  as_of_date,
  {% for kind, condition in kinds.items() %}
    {% for window in [30, 90, 365] %}
      cast(count_if({{ condition }} and {{ feature_within('encounter_start', window) }}) as int) as {{ kind }}_{{ window }}d_count,
    {% endfor %}
  {% endfor %}
  {% for kind in ['ed_visit', 'acute_admission'] %}
    cast(count_if({{ kinds[kind] }} and {{ feature_within('encounter_start', 180, 91) }}) as int) as {{ kind }}_91_to_180d_count,
  {% endfor %}
  {% for window in [30, 90, 365] %}
    cast(coalesce(sum({{ feature_days_within('encounter_start', 'date_add(encounter_end, 1)', window) }})
      filter (where encounter_type = 'acute_inpatient'), 0) as int) as inpatient_{{ window }}d_days,
  {% endfor %}
  cast(count_if(encounter_type = 'acute_inpatient' and is_unplanned) as int) as unplanned_admission_365d_count,
  cast(count_if(encounter_type = 'acute_inpatient' and is_unplanned
    and datediff(encounter_start, last_end) between 1 and 30) as int) as readmission_30d_365d_count,
  cast(size(collect_set(encounter_provider) filter (where {{ kinds['office_visit'] }})) as int) as office_provider_365d_count,
  datediff(as_of_date, max(encounter_start) filter (where {{ kinds['ed_visit'] }})) as days_since_ed_visit,
  datediff(as_of_date, max(encounter_end) filter (where {{ kinds['acute_admission'] }} and encounter_end < as_of_date))
    as days_since_acute_discharge,
  datediff(as_of_date, max(encounter_start) filter (where {{ kinds['office_visit'] }})) as days_since_office_visit,
  coalesce(bool_or(encounter_type = 'hospice' and {{ feature_within('encounter_start', 180) }}), false) as is_hospice_claim,
  coalesce(
    max(encounter_start) filter (where encounter_type in ('office_visit', 'telehealth'))
    <= max(encounter_end) filter (where {{ kinds['acute_admission'] }} and {{ feature_within('encounter_end', 30) }}),
    max(encounter_end) filter (where {{ kinds['acute_admission'] }} and {{ feature_within('encounter_end', 30) }}) is not null
  ) as is_discharged_without_visit
from encounters
group by member_id, as_of_date
