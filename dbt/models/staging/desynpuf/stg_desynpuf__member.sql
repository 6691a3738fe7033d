{# The roster of a year is known on the eve of it; a death within the year a claim's lag after it. #}
with summary as (
  select
    *,
    {{ staging_desynpuf_year() }} as summary_year,
    {{ staging_date('bene_death_dt') }} as died
  from ({{ staging_new_files('desynpuf__beneficiary_summary') }})
)

select
  'desynpuf' as data_source,
  {{ staging_at('date_sub(make_date(summary_year, 1, 1), 1)') }} as known_at,
  {{ staging_text('desynpuf_id') }} as member_id,
  {{ staging_date('bene_birth_dt') }} as birth_date,
  case bene_sex_ident_cd when '1' then 'male' when '2' then 'female' else 'unknown' end as sex,
  case bene_race_cd when '1' then 'white' when '2' then 'black' when '3' then 'other' when '5' then 'hispanic' else 'unknown' end
    as race,
  case when bene_race_cd = '5' then 'hispanic' else 'unknown' end as ethnicity,
  'en' as language,
  {{ staging_text('sp_state_code') }} as state,
  cast(null as string) as zip_code,
  died as death_date,
  {{ staging_at('date_add(died, ' ~ var('staging_desynpuf_claim_lag_days') ~ ')') }} as death_known_at,
  {{ staging_delivered() }}
from summary
