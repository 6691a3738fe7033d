{# A year's flags sum up its claims, so nobody knows them before its last day. ESRD says Y, the others 1. #}
{%- set flags = ['sp_alzhdmta', 'sp_chf', 'sp_chrnkidn', 'sp_cncr', 'sp_copd', 'sp_depressn', 'sp_diabetes', 'sp_ischmcht',
  'sp_osteoprs', 'sp_ra_oa', 'sp_strketia', 'bene_esrd_ind'] %}
with flagged as (
  select
    *,
    make_date({{ staging_desynpuf_year() }}, 12, 31) as year_end,
    explode(filter(
      array({% for flag in flags %}if({{ flag }} in ('1', 'Y'), '{{ flag }}', null){{ ', ' if not loop.last }}{% endfor %}),
      flag -> flag is not null
    )) as flag
  from ({{ staging_new_files('desynpuf__beneficiary_summary') }})
)

select
  'desynpuf' as data_source,
  {{ staging_at('year_end') }} as known_at,
  {{ staging_text('desynpuf_id') }} as member_id,
  year_end as recorded_date,
  'flag' as code_type,
  flag as code,
  {{ staging_delivered() }}
from flagged
