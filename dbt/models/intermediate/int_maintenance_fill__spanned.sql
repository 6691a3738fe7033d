{# Final fills of the adherence classes, each with the last day that earlier fills of the class already covered. #}
{{ config(materialized='ephemeral') }}

select
  data_source,
  member_id,
  drug_class,
  known_at,
  dispensing_date,
  date_add(dispensing_date, days_supply) as supply_until,
  max(date_add(dispensing_date, days_supply)) over (
    partition by data_source, member_id, drug_class order by dispensing_date, days_supply, claim_id
    rows between unbounded preceding and current row
  ) as covered_until,
  lead(dispensing_date) over (
    partition by data_source, member_id, drug_class order by dispensing_date, days_supply, claim_id
  ) as next_fill_date
from {{ ref('pharmacy_claim') }}
where superseded_at is null and not is_void and days_supply > 0
  and drug_class in ('diabetes', 'ras_antagonist', 'statin')
