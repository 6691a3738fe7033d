{# Fills of the 540 days before each as-of date in the version known then, with what earlier fills already covered. #}
{{ config(materialized='ephemeral') }}

select
  *,
  date_add(dispensing_date, days_supply) as supply_until,
  greatest(dispensing_date, coalesce(max(date_add(dispensing_date, days_supply)) over (
    partition by member_id, as_of_date, drug_class order by dispensing_date, days_supply, claim_id, claim_line_number
    rows between unbounded preceding and 1 preceding
  ), dispensing_date)) as supply_from
from (
  select
    fills.member_id, fills.claim_id, fills.claim_line_number, fills.drug_class, fills.dispensing_date,
    fills.days_supply, fills.paid_amount, dates.as_of_date
  from {{ ref('pharmacy_claim') }} as fills
  cross join ({{ feature_dates() }}) as dates
  where fills.data_source = {{ feature_source() }} and not fills.is_void
    and {{ feature_reach('fills.dispensing_date', 540) }}
    and fills.dispensing_date < dates.as_of_date
    and fills.dispensing_date >= date_sub(dates.as_of_date, 540)
    and {{ core_known('fills', 'dates.as_of_date') }}
)
