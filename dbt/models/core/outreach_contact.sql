{{ config(materialized='table') }}

{#
  An assignment is told when it is made and again when its end is known. What was assigned is taken from the first
  telling, how it ended from the last; of one day, files are ordered by name, by which imported outcomes are numbered.
  `reached_known_at` is when the warehouse first learnt that it reached.
#}
{% set assigned = ['member_id', 'program', 'channel', 'team', 'assigned_date', 'assigned_by', 'is_offered',
  'assignment_probability'] %}

with told as (
  select {{ core_columns('outreach_contact') | join(', ') }}, struct(known_at, file_name) as telling
  from {{ ref('stg_tuva__outreach_contact') }}
  union all
  select {{ core_columns('outreach_contact') | join(', ') }}, struct(known_at, '' as file_name) as telling
  from {{ source('overlay', 'overlay__outreach_contact') }}
)

select
  data_source,
  min(known_at) as known_at,
  contact_id,
  {% for name in assigned %}min_by({{ name }}, telling) as {{ name }}, {% endfor %}
  max_by(is_reached, telling) filter (where is_reached is not null) as is_reached,
  max_by(disposition, telling) filter (where disposition is not null) as disposition,
  min(known_at) filter (where is_reached) as reached_known_at
from told
group by data_source, contact_id
