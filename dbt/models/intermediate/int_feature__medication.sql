{# Fills, possession and days without supply per member and as-of date. Possession is the share of days covered (PDC). #}
{{ config(materialized='ephemeral') }}

with classes as (
  select
    member_id,
    as_of_date,
    drug_class,
    drug_class in ('{{ feature_maintenance_classes() | join("', '") }}') as is_maintenance,
    {% for window in [30, 90, 365] %}
      count_if({{ feature_within('dispensing_date', window) }}) as fills_{{ window }}d,
      sum(paid_amount) filter (where {{ feature_within('dispensing_date', window) }}) as paid_{{ window }}d,
    {% endfor %}
    max(dispensing_date) as last_fill_date,
    max(supply_until) as last_supply_until,
    {{ feature_days_within('min(dispensing_date)', 'as_of_date', 180) }} as asked_180d,
    sum({{ feature_days_within('supply_from', 'supply_until', 180) }}) as held_180d,
    {{ feature_days_within('min(dispensing_date)', 'as_of_date', 360, 181) }} as asked_181_to_360d,
    sum({{ feature_days_within('supply_from', 'supply_until', 360, 181) }}) as held_181_to_360d
  from {{ ref('int_as_of__filled') }}
  group by member_id, as_of_date, drug_class
),

possession as (
  select *, case when is_maintenance and fills_365d > 0 then held_180d / asked_180d end as pdc
  from classes
)

select
  member_id,
  as_of_date,
  {% for window in [30, 90, 365] %}
    cast(sum(fills_{{ window }}d) as int) as fill_{{ window }}d_count,
    cast(coalesce(sum(paid_{{ window }}d), 0) as double) as paid_pharmacy_{{ window }}d_usd,
  {% endfor %}
  cast(count_if(fills_365d > 0 and drug_class <> 'other') as int) as drug_class_365d_count,
  cast(coalesce(sum(fills_90d) filter (where drug_class = 'opioid'), 0) as int) as opioid_fill_90d_count,
  cast(coalesce(sum(fills_365d) filter (where drug_class = 'inhaler'), 0) as int) as inhaler_fill_365d_count,
  cast(count_if(is_maintenance and fills_365d > 0) as int) as maintenance_class_count,
  {% for drug_class in feature_maintenance_classes() %}
    max(pdc) filter (where drug_class = '{{ drug_class }}') as pdc_{{ drug_class }}_180d,
  {% endfor %}
  min(pdc) as lowest_pdc_180d,
  cast(coalesce(sum(asked_180d - held_180d) filter (where is_maintenance), 0) as int) as medication_gap_180d_days,
  cast(coalesce(sum(asked_181_to_360d - held_181_to_360d) filter (where is_maintenance), 0) as int)
    as medication_gap_181_to_360d_days,
  cast(coalesce(max(greatest(0, datediff(as_of_date, last_supply_until))) filter (where is_maintenance and fills_365d > 0), 0) as int)
    as medication_out_of_supply_days,
  case when sum(fills_365d) > 0 then datediff(as_of_date, max(last_fill_date)) end as days_since_last_fill
from possession
group by member_id, as_of_date
