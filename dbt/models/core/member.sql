{{ config(materialized='table') }}

-- Nested: an ephemeral model that uses window functions must be read once, below one filter.
with versions as (
  select
    *,
    min(known_at) over (partition by data_source, member_id) as first_known_at
  from {{ ref('int_member__versioned') }}
)

select
  data_source,
  first_known_at as known_at,
  {{ core_columns('member')[2:] | join(', ') }},
  left(zip_code, 3) as zip3_code
from versions
where superseded_at is null
