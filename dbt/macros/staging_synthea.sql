{#
  Synthea says what kind of encounter it was, claims say it by codes: place of service on professional claims, type of
  bill and revenue centre on institutional ones (CMS and NUBC).
#}
{% macro staging_synthea_place(encounter_class, is_institutional) -%}
  case
    when {{ is_institutional }} then null
    else case {{ encounter_class }}
      when 'emergency' then '23' when 'urgentcare' then '20' when 'virtual' then '02' when 'home' then '12'
      when 'hospice' then '34' when 'outpatient' then '22' when 'ambulatory' then '11' when 'wellness' then '11'
    end
  end
{%- endmacro %}

{% macro staging_synthea_bill_type(encounter_class, is_institutional) -%}
  case
    when {{ is_institutional }} then case {{ encounter_class }}
      when 'inpatient' then '111' when 'snf' then '211' when 'home' then '321' when 'hospice' then '811' else '131'
    end
  end
{%- endmacro %}

{% macro staging_synthea_revenue_center(encounter_class, is_institutional) -%}
  case
    when {{ is_institutional }} then case {{ encounter_class }}
      when 'emergency' then '0450' when 'inpatient' then '0120' when 'snf' then '0120' else '0510'
    end
  end
{%- endmacro %}
