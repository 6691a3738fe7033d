{# Paid amounts by kind of service, and care that diabetes asks for, per member and as-of date. #}
{{ config(materialized='ephemeral') }}

select
  member_id,
  as_of_date,
  {% for window in [30, 90, 365] %}
    {% for category in ['inpatient', 'emergency', 'outpatient', 'professional', 'post_acute'] %}
      cast(coalesce(sum(paid_amount) filter (where service_category = '{{ category }}' and {{ feature_within('starts', window) }}), 0)
        as double) as paid_{{ category }}_{{ window }}d_usd,
    {% endfor %}
    cast(coalesce(sum(paid_amount) filter (where {{ feature_within('starts', window) }}), 0) as double)
      as paid_medical_{{ window }}d_usd,
  {% endfor %}
  cast(count(distinct claim_id) as int) as medical_claim_365d_count,
  bool_or(has_a1c) as has_a1c_test,
  bool_or(has_eye_exam) as has_eye_exam
from {{ ref('int_as_of__claimed') }}
group by member_id, as_of_date
