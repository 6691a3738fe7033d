{# Text to types. What cannot be read becomes NULL (ANSI mode is off), and the contract says whether NULL may be. #}

{% macro staging_text(column) -%} nullif(trim({{ column }}), '') {%- endmacro %}

{# YYYYMMDD or YYYY-MM-DD, perhaps with a time. Substrings and not a pattern: a claim line has nine dates. #}
{% macro staging_date(column) -%}
  cast(
    case
      when length(trim({{ column }})) = 8 and instr({{ column }}, '-') = 0
        then concat_ws('-', substr(trim({{ column }}), 1, 4), substr(trim({{ column }}), 5, 2), substr(trim({{ column }}), 7, 2))
      else substr(trim({{ column }}), 1, 10)
    end as date
  )
{%- endmacro %}

{% macro staging_int(column) -%} cast(cast(trim({{ column }}) as decimal(18, 4)) as int) {%- endmacro %}

{% macro staging_double(column) -%} cast(trim({{ column }}) as double) {%- endmacro %}

{% macro staging_money(column) -%} cast(trim({{ column }}) as decimal(12, 2)) {%- endmacro %}

{% macro staging_bool(column) -%}
  case
    when lower(trim({{ column }})) in ('true', 't', '1', 'yes', 'y') then true
    when lower(trim({{ column }})) in ('false', 'f', '0', 'no', 'n') then false
  end
{%- endmacro %}

{# A date as the instant at which it begins, UTC. #}
{% macro staging_at(date) -%} cast(cast({{ date }} as date) as timestamp) {%- endmacro %}

{# Numbered code columns as one array without dots and gaps: `stem_1` … `stem_n`, or `stem1` with an empty separator. #}
{% macro staging_codes(stem, count, separator='_', alias='') -%}
  {%- set dot = alias ~ '.' if alias else '' -%}
  {#- Joined and split, because Spark interprets functions of lambdas row by row and drops the whole step's compilation. -#}
  {%- set joined -%}
    upper(replace(concat_ws(
      char(31){% for n in range(1, count + 1) %}, nullif(trim({{ dot }}{{ stem }}{{ separator }}{{ n }}), ''){% endfor %}
    ), '.', ''))
  {%- endset -%}
  case when {{ joined }} = '' then cast(array() as array<string>) else split({{ joined }}, char(31)) end
{%- endmacro %}

{% macro staging_sex(column) -%}
  case
    when lower(trim({{ column }})) in ('female', 'f') then 'female'
    when lower(trim({{ column }})) in ('male', 'm') then 'male'
    else 'unknown'
  end
{%- endmacro %}

{% macro staging_words(column) -%} coalesce(lower({{ staging_text(column) }}), 'unknown') {%- endmacro %}

{# Five digits of a ZIP or ZIP+4; 00000 is what Synthea writes for none. #}
{% macro staging_zip(column) -%} nullif(substring(trim({{ column }}), 1, 5), '00000') {%- endmacro %}

{% macro staging_payer_type(column) -%}
  case
    when lower({{ column }}) like '%medicare%' or lower({{ column }}) like '%dual%' then 'medicare'
    when lower({{ column }}) like '%medicaid%' then 'medicaid'
    when lower({{ column }}) in ('self-pay', 'self pay', 'no_insurance', 'uninsured') then 'self-pay'
    when {{ staging_text(column) }} is null or lower({{ column }}) = 'unknown' then 'unknown'
    else 'commercial'
  end
{%- endmacro %}

{# Part k of n of an amount, in cents, so that the parts sum to it exactly. #}
{% macro staging_share(column, k, n) -%}
  cast(
    round({{ staging_money(column) }} * {{ k }} / {{ n }}, 2) - round({{ staging_money(column) }} * ({{ k }} - 1) / {{ n }}, 2)
    as decimal(12, 2)
  )
{%- endmacro %}
