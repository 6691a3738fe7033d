{#
  One row per member and as-of date, on both clocks: service date < D and known_at < D. Each run replaces exactly
  the asked (data_source, as_of_date) partitions in one commit; other partitions are untouched.
#}
{{ config(
  materialized='incremental',
  incremental_strategy='insert_overwrite',
  partition_by=['data_source', 'as_of_date'],
  on_schema_change='append_new_columns'
) }}

with features as (
select
  {{ feature_source() }} as data_source,
  who.member_id,
  who.as_of_date,
  who.is_enrolled,
  who.is_deceased,
  who.is_hospice_span or coalesce(utilisation.is_hospice_claim, false) as is_hospice,
  who.is_claims_complete,
  who.lookback_days,
  who.language_code,
  who.age,
  who.is_female,
  who.is_other_language,
  who.payer_type = 'commercial' as is_commercial,
  who.payer_type = 'medicare' as is_medicare,
  who.payer_type = 'medicaid' as is_medicaid,
  who.is_dual,
  who.is_disability_entitled,
  who.is_high_deductible,
  who.months_enrolled_count,
  {% for family in ['utilisation', 'cost', 'medication', 'condition', 'outreach'] %}
    {% for name in feature_columns(family) %}
      coalesce({{ family }}.{{ name }}, 0) as {{ name }},
    {% endfor %}
  {% endfor %}
  {% for window in [30, 90, 365] %}
    coalesce(cost.paid_medical_{{ window }}d_usd, 0) + coalesce(medication.paid_pharmacy_{{ window }}d_usd, 0)
      as paid_total_{{ window }}d_usd,
  {% endfor %}
  {% for category in feature_conditions() %}
    coalesce(condition.has_{{ category }}, false) as has_{{ category }},
  {% endfor %}
  {% for drug_class in feature_maintenance_classes() %}
    medication.pdc_{{ drug_class }}_180d,
  {% endfor %}
  medication.lowest_pdc_180d,
  medication.days_since_last_fill,
  utilisation.days_since_ed_visit,
  utilisation.days_since_acute_discharge,
  utilisation.days_since_office_visit,
  outreach.days_since_outreach_offer,
  outreach.outreach_reached_365d_rate,
  coalesce(utilisation.office_visit_365d_count, 0) = 0 as has_no_office_visit_365d,
  coalesce(condition.has_diabetes, false) and not coalesce(cost.has_a1c_test, false) as has_no_a1c_test_365d,
  coalesce(condition.has_diabetes, false) and not coalesce(cost.has_eye_exam, false) as has_no_eye_exam_365d,
  coalesce(utilisation.is_discharged_without_visit, false) as has_no_visit_after_discharge_30d,
  {# events per 30 days in the last 90 days less those in the 275 days before #}
  {% for name, family in {'ed_visit': 'utilisation', 'acute_admission': 'utilisation', 'office_visit': 'utilisation'}.items() %}
    coalesce({{ family }}.{{ name }}_90d_count, 0) / 3.0D
      - (coalesce({{ family }}.{{ name }}_365d_count, 0) - coalesce({{ family }}.{{ name }}_90d_count, 0)) * 30 / 275.0D
      as trend_{{ name }}_rate,
  {% endfor %}
  (coalesce(cost.paid_medical_90d_usd, 0) + coalesce(medication.paid_pharmacy_90d_usd, 0)) / 3.0D
    - (coalesce(cost.paid_medical_365d_usd, 0) - coalesce(cost.paid_medical_90d_usd, 0)
      + coalesce(medication.paid_pharmacy_365d_usd, 0) - coalesce(medication.paid_pharmacy_90d_usd, 0)) * 30 / 275.0D
    as trend_paid_usd,
  who.area
from {{ ref('int_as_of__member') }} as who
{% for family in ['utilisation', 'cost', 'medication', 'condition', 'outreach'] %}
  left join {{ ref('int_feature__' ~ family) }} as {{ family }}
    on who.member_id = {{ family }}.member_id and who.as_of_date = {{ family }}.as_of_date
{% endfor %}
)

{#
  Access to care of a three-digit ZIP area: what its members used in the year before, as known then. Practices seen
  stand for distance, which no source tells. Sums of counts are exact, whatever the order of the rows.
#}
{% set area = 'over (partition by as_of_date, area)' %}

select
  * except (area),
  1000.0D * sum(office_visit_365d_count + telehealth_visit_365d_count) {{ area }} / count(*) {{ area }}
    as area_primary_care_365d_rate,
  1000.0D * sum(urgent_care_visit_365d_count) {{ area }} / count(*) {{ area }} as area_urgent_care_365d_rate,
  1000.0D * sum(office_provider_365d_count) {{ area }} / count(*) {{ area }} as area_provider_365d_rate,
  coalesce(sum(ed_visit_365d_count) {{ area }} / nullif(sum(
    ed_visit_365d_count + urgent_care_visit_365d_count + office_visit_365d_count + telehealth_visit_365d_count
  ) {{ area }}, 0), 0.0D) as area_ed_365d_share
from features
