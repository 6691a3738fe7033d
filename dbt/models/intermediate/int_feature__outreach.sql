{# Offers made before each as-of date and known then, and how many of them had been reached as known then. #}
{{ config(materialized='ephemeral') }}

with offers as (
  select
    contacts.member_id, contacts.program, contacts.assigned_date, dates.as_of_date,
    coalesce(contacts.reached_known_at < dates.as_of_date, false) as is_reached
  from {{ ref('outreach_contact') }} as contacts
  cross join ({{ feature_dates() }}) as dates
  where contacts.data_source = {{ feature_source() }} and contacts.is_offered
    and contacts.assigned_date < dates.as_of_date and contacts.known_at < dates.as_of_date
)

select
  member_id,
  as_of_date,
  {% for program in feature_programs() %}
    cast(count_if(program = '{{ program }}' and {{ feature_within('assigned_date', 365) }}) as int)
      as outreach_{{ program }}_365d_count,
  {% endfor %}
  cast(count_if({{ feature_within('assigned_date', 365) }}) as int) as outreach_offer_365d_count,
  cast(count_if(is_reached and {{ feature_within('assigned_date', 365) }}) as int) as outreach_reached_365d_count,
  count_if(is_reached and {{ feature_within('assigned_date', 365) }})
    / nullif(count_if({{ feature_within('assigned_date', 365) }}), 0) as outreach_reached_365d_rate,
  datediff(as_of_date, max(assigned_date)) as days_since_outreach_offer
from offers
group by member_id, as_of_date
