{# Chronic groups ever recorded, and CMS-HCC categories of the last year, per member and as-of date. #}
{{ config(materialized='ephemeral') }}

with recorded as (
  select distinct
    stated.member_id,
    dates.as_of_date,
    stated.condition_category,
    case when stated.recorded_date >= date_sub(dates.as_of_date, 365) then stated.hcc_code end as hcc_code
  from {{ ref('condition') }} as stated
  cross join ({{ feature_dates() }}) as dates
  where stated.data_source = {{ feature_source() }}
    and (stated.condition_category is not null or stated.hcc_code is not null)
    and stated.recorded_date < dates.as_of_date
    and {{ core_known('stated', 'dates.as_of_date') }}
),

numbered as (
  select
    recorded.*,
    -- one code per HCC and member carries its weight
    row_number() over (partition by member_id, as_of_date, hcc_code order by condition_category) as hcc_row
  from recorded
)

select
  numbered.member_id,
  numbered.as_of_date,
  {% for category in feature_conditions() %}
    bool_or(coalesce(numbered.condition_category = '{{ category }}', false)) as has_{{ category }},
  {% endfor %}
  cast(count(distinct numbered.condition_category) as int) as chronic_condition_count,
  cast(count_if(numbered.hcc_code is not null and numbered.hcc_row = 1) as int) as hcc_365d_count,
  cast(coalesce(sum(weights.community_weight) filter (where numbered.hcc_row = 1), 0) as double) as hcc_weight_365d_score
from numbered
left join {{ ref('ref_hcc_weight') }} as weights on numbered.hcc_code = weights.hcc_code
group by numbered.member_id, numbered.as_of_date
