{# The schema is the layer, on every target: the catalog in `contracts/` names tables, dbt does not prefix them. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
