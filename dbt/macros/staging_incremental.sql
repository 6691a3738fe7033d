{#
  Rows of a raw table from files that this staging table has not taken in yet. Raw is append-only and a file is landed
  whole or not at all, so files are the unit of increment; a full refresh takes all.
#}
{% macro staging_new_files(table) %}
  select delivered.*
  from {{ source('raw', table) }} as delivered
  {% if is_incremental() %}
    left anti join (select distinct file_sha256 from {{ this }}) as taken on delivered.file_sha256 = taken.file_sha256
  {% endif %}
{% endmacro %}

{# The newest delivered row per id, where a table is looked up and deliveries overlap. #}
{% macro staging_latest(table, id='id') %}
  select * except (newest)
  from (
    select
      *,
      row_number() over (
        partition by {{ id }} order by file_date desc, ingested_at desc, file_sha256, file_row_number desc
      ) as newest
    from {{ source('raw', table) }}
  )
  where newest = 1
{% endmacro %}

{# Where the row stood. #}
{% macro staging_delivered(alias='') -%}
  {%- set dot = alias ~ '.' if alias else '' -%}
  {{ dot }}file_name, {{ dot }}file_sha256, {{ dot }}file_row_number
{%- endmacro %}
