{# The year that a beneficiary summary is of: it stands in the file's name only. #}
{% macro staging_desynpuf_year() -%}
  cast(regexp_extract(file_name, '((?:19|20)[0-9]{2})_?[Bb]eneficiary', 1) as int)
{%- endmacro %}
