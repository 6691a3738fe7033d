{#
  Who the member is: `person_id` is a person across payers, `member_id` a contract with one of them. Outreach is made to
  people, so the person is the member where the file knows them.
#}
{% macro staging_tuva_member() -%} coalesce({{ staging_text('person_id') }}, {{ staging_text('member_id') }}) {%- endmacro %}

{# The warehouse learnt a row when its file was delivered. #}
{% macro staging_tuva_head() -%}
  'tuva' as data_source,
  {{ staging_at('file_date') }} as known_at
{%- endmacro %}

{# Where the row stood, when it was landed, and which of its columns could not be read: arguments of `staging_unreadable`. #}
{% macro staging_tuva_delivered() -%}
  {{ staging_delivered() }},
  ingested_at,
  {{ staging_unreadable(**kwargs) }} as unreadable_columns
{%- endmacro %}

{# A file without the column holds originals only. #}
{% macro staging_tuva_adjustment() -%} coalesce({{ staging_text('adjustment_type_code') }}, '0') {%- endmacro %}
