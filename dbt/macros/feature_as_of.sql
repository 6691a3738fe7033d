{# The as-of dates asked for, one row each; none asked for: no rows. #}
{% macro feature_dates() %}
  select explode(
    {%- if var('as_of_dates', []) -%}
      array({% for day in var('as_of_dates') %}date '{{ day }}'{{ ', ' if not loop.last }}{% endfor %})
    {%- else -%}
      cast(array() as array<date>)
    {%- endif -%}
  ) as as_of_date
{% endmacro %}

{# The first and the day after the last service day that `lookback_days` before the dates asked for can reach. #}
{% macro feature_reach(column, lookback_days) -%}
  {%- set days = var('as_of_dates', []) | sort -%}
  {%- if days -%}
    {{ column }} >= date_sub(date '{{ days[0] }}', {{ lookback_days }}) and {{ column }} < date '{{ days[-1] }}'
  {%- else -%}
    false
  {%- endif -%}
{%- endmacro %}

{# The source asked for. #}
{% macro feature_source() -%}
  '{{ var("data_source", "tuva") }}'
{%- endmacro %}

{# Whether `day` lies in the `first`-th to `last`-th day before `as_of_date` (1 is the day before). #}
{% macro feature_within(day, last, first=1) -%}
  {{ day }} >= date_sub(as_of_date, {{ last }}) and {{ day }} < date_sub(as_of_date, {{ first - 1 }})
{%- endmacro %}

{# Days of the half-open span [begins, ends) that lie in the `first`-th to `last`-th day before `as_of_date`. #}
{% macro feature_days_within(begins, ends, last, first=1) -%}
  greatest(0, datediff(least({{ ends }}, date_sub(as_of_date, {{ first - 1 }})),
    greatest({{ begins }}, date_sub(as_of_date, {{ last }}))))
{%- endmacro %}

{# Condition groups, drug classes and programs that features loop over; the registry has the same lists. #}
{% macro feature_conditions() %}
  {{ return(['diabetes', 'heart_failure', 'copd', 'asthma', 'ckd', 'esrd', 'ischemic_heart_disease', 'stroke',
    'hypertension', 'depression', 'dementia', 'cancer', 'osteoporosis', 'arthritis', 'substance_use',
    'serious_mental_illness', 'obesity', 'liver_disease']) }}
{% endmacro %}

{% macro feature_maintenance_classes() %}
  {{ return(['diabetes', 'ras_antagonist', 'statin']) }}
{% endmacro %}

{% macro feature_programs() %}
  {{ return(var('programs', ['ed_diversion', 'transitions_of_care', 'medication_adherence'])) }}
{% endmacro %}
