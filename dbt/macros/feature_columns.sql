{# Columns of each feature family; `count` columns of members without a row are 0, `recency` ones stay NULL. #}
{% macro feature_columns(family) %}
  {% set windows = [30, 90, 365] %}
  {% set names = [] %}
  {% if family == 'utilisation' %}
    {% for kind in ['ed_visit', 'acute_admission', 'observation_stay', 'outpatient_visit', 'office_visit',
      'urgent_care_visit', 'telehealth_visit', 'post_acute_stay'] %}
      {% for window in windows %}{% do names.append(kind ~ '_' ~ window ~ 'd_count') %}{% endfor %}
    {% endfor %}
    {% do names.extend(['ed_visit_91_to_180d_count', 'acute_admission_91_to_180d_count']) %}
    {% for window in windows %}{% do names.append('inpatient_' ~ window ~ 'd_days') %}{% endfor %}
    {% do names.extend(['unplanned_admission_365d_count', 'readmission_30d_365d_count',
      'office_provider_365d_count']) %}
  {% elif family == 'cost' %}
    {% for window in windows %}
      {% for category in ['inpatient', 'emergency', 'outpatient', 'professional', 'post_acute'] %}
        {% do names.append('paid_' ~ category ~ '_' ~ window ~ 'd_usd') %}
      {% endfor %}
    {% endfor %}
    {% do names.append('medical_claim_365d_count') %}
  {% elif family == 'medication' %}
    {% for window in windows %}
      {% do names.extend(['fill_' ~ window ~ 'd_count', 'paid_pharmacy_' ~ window ~ 'd_usd']) %}
    {% endfor %}
    {% do names.extend(['drug_class_365d_count', 'opioid_fill_90d_count', 'inhaler_fill_365d_count',
      'maintenance_class_count', 'medication_gap_180d_days', 'medication_gap_181_to_360d_days',
      'medication_out_of_supply_days']) %}
  {% elif family == 'condition' %}
    {% do names.extend(['chronic_condition_count', 'hcc_365d_count', 'hcc_weight_365d_score']) %}
  {% elif family == 'outreach' %}
    {% for program in feature_programs() %}{% do names.append('outreach_' ~ program ~ '_365d_count') %}{% endfor %}
    {% do names.extend(['outreach_offer_365d_count', 'outreach_reached_365d_count']) %}
  {% endif %}
  {{ return(names) }}
{% endmacro %}
