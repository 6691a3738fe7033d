{# Text to types. What cannot be read becomes NULL (ANSI mode is off), and the contract says whether NULL may be. #}

{# Line breaks as well as blanks: a quoted field may end in one. #}
{% macro staging_text(column) -%} nullif(trim(both ' \t\r\n' from {{ column }}), '') {%- endmacro %}

{# A code with the leading zeros that a spreadsheet took; a longer text stays as it is, for the rules to see. #}
{% macro staging_padded(column, width) -%}
  lpad({{ staging_text(column) }}, greatest({{ width }}, length({{ staging_text(column) }})), '0')
{%- endmacro %}

{#
  YYYYMMDD, or YYYY-MM-DD perhaps with a time, of the years 1850 to 2200, or 9999-12-31 for no end. Spark by itself would read
  `202406` and `45444` as years. Substrings and not a pattern: a claim line has nine dates.
#}
{% macro staging_date(column) -%}
  {%- set text = 'trim(' ~ column ~ ')' -%}
  cast(
    case
      when substr({{ text }}, 1, 4) not between '1850' and '2200'
        and substr({{ text }}, 1, 10) not in ('9999-12-31', '99991231') then null
      when length({{ text }}) >= 10 and substr({{ text }}, 5, 1) = '-' and substr({{ text }}, 8, 1) = '-' then {{ text }}
      when length({{ text }}) = 8
        then concat_ws('-', substr({{ text }}, 1, 4), substr({{ text }}, 5, 2), substr({{ text }}, 7, 2))
    end as date
  )
{%- endmacro %}

{# A whole number, perhaps written `30.0`; a fraction is unreadable, for line 1.5 is not line 1. #}
{% macro staging_int(column) -%}
  {%- set number = 'cast(trim(' ~ column ~ ') as decimal(13, 4))' -%}
  case when {{ number }} % 1 = 0 then cast({{ number }} as int) end
{%- endmacro %}

{% macro staging_double(column) -%} cast(trim({{ column }}) as double) {%- endmacro %}

{% macro staging_money(column) -%} cast(trim({{ column }}) as decimal(12, 2)) {%- endmacro %}

{% macro staging_bool(column) -%}
  case
    when lower(trim({{ column }})) in ('true', 't', '1', 'yes', 'y') then true
    when lower(trim({{ column }})) in ('false', 'f', '0', 'no', 'n') then false
  end
{%- endmacro %}

{#
  Whether a row tells a death without a day that is read: by its flag, or, where there is none, by a text in another form that
  names a year from birth to delivery. Placeholders of the living name others: 12/31/2099, or 1900, where spreadsheets begin.
#}
{% macro staging_tells_death(flag, text, birth_date, file_date) -%}
  coalesce(
    {{ staging_bool(flag) }},
    arrays_overlap(
      cast(regexp_extract_all({{ text }}, '(?=((?:19|20)[0-9]{2}))', 1) as array<int>),
      sequence(greatest(year({{ staging_date(birth_date) }}), 1901), year({{ file_date }}))
    )
  )
{%- endmacro %}

{# Names of the delivered columns whose text could not be read as what it should be, by kind; NULL when there are none. #}
{% macro staging_unreadable(dates=[], amounts=[], integers=[], numbers=[], flags=[]) -%}
  {%- set parts = [] -%}
  {%- for columns, read in [(dates, staging_date), (amounts, staging_money), (integers, staging_int), (numbers, staging_double),
    (flags, staging_bool)] -%}
    {%- for column in columns -%}
      {%- do parts.append("case when " ~ read(column) ~ " is null and " ~ staging_text(column) ~ " is not null then '" ~ column ~ "' end") -%}
    {%- endfor -%}
  {%- endfor -%}
  nullif(concat_ws(' ', {{ parts | join(', ') }}), '')
{%- endmacro %}

{# A date as the instant at which it begins, UTC. #}
{% macro staging_at(date) -%} cast(cast({{ date }} as date) as timestamp) {%- endmacro %}

{# Numbered code columns as one array without dots and gaps: `stem_1` … `stem_n`, or `stem1` with an empty separator. #}
{% macro staging_codes(stem, count, separator='_', alias='') -%}
  {%- set dot = alias ~ '.' if alias else '' -%}
  {#- Joined and split, because Spark interprets functions of lambdas row by row and drops the whole step's compilation. -#}
  {%- set joined -%}
    upper(replace(concat_ws(
      char(31){% for n in range(1, count + 1) %}, {{ staging_text(dot ~ stem ~ separator ~ n) }}{% endfor %}
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
