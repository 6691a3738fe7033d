{{ config(materialized='table') }}

{#
  An assignment is told when it is made and again when its end is known. What was assigned is taken from the first
  telling, how it ended from the last; `reached_known_at` is when the warehouse first learnt that it reached. Of the
  tellings of one day the one that was landed later is the later, of those landed at once the one whose file's name comes last:
  imported outcomes are numbered by it. One identifier of two members is two rows, which a survey
  tells of.
#}
{% set assigned = ['program', 'channel', 'team', 'assigned_date', 'assigned_by', 'is_offered',
  'assignment_probability'] %}

with told as (
  select
    {{ core_columns('outreach_contact') | join(', ') }},
    struct(known_at, ingested_at, file_name, file_row_number) as told_at
  from {{ ref('stg_tuva__outreach_contact') }}
  union all
  select
    {{ core_columns('outreach_contact') | join(', ') }},
    struct(known_at, cast(null as timestamp), cast(null as string), cast(null as int)) as told_at
  from {{ source('overlay', 'overlay__outreach_contact') }}
)

select
  data_source,
  min(known_at) as known_at,
  contact_id,
  member_id,
  {% for name in assigned %}min_by({{ name }}, told_at) as {{ name }}, {% endfor %}
  max_by(is_reached, told_at) filter (where is_reached is not null) as is_reached,
  max_by(disposition, told_at) filter (where disposition is not null) as disposition,
  min(known_at) filter (where is_reached) as reached_known_at
from told
group by data_source, contact_id, member_id
