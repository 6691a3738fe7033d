{#
  Encounters as they would have been grouped from the claims known at each as-of date. `core.encounter` is grouped
  from today's claims and would let a later claim move an earlier visit into a stay.
#}
{{ config(materialized='ephemeral') }}

with grouped as (
  {{ core_group_encounters(ref('int_as_of__claimed'), ['member_id', 'as_of_date']) }}
)

select
  member_id,
  as_of_date,
  encounter_type,
  encounter_start,
  encounter_provider,
  max(ends) filter (where is_own) as encounter_end,
  coalesce(min(admit_type_code) filter (where is_own), '1') <> '3' as is_unplanned
from grouped
group by member_id, as_of_date, encounter_type, encounter_start, encounter_provider
