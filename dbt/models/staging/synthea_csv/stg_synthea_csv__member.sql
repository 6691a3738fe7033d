{# Demographics do not change in an export, so they count as known from birth on; a death a claim's lag after it. #}
select
  'synthea_csv' as data_source,
  {{ staging_at(staging_date('birthdate')) }} as known_at,
  {{ staging_text('id') }} as member_id,
  {{ staging_date('birthdate') }} as birth_date,
  {{ staging_sex('gender') }} as sex,
  {{ staging_words('race') }} as race,
  {{ staging_words('ethnicity') }} as ethnicity,
  'en' as language,
  {{ staging_state_code('state') }} as state,
  {{ staging_zip('zip') }} as zip_code,
  {{ staging_date('deathdate') }} as death_date,
  {{ staging_at('date_add(' ~ staging_date('deathdate') ~ ', ' ~ var('staging_synthea_claim_lag_days') ~ ')') }} as death_known_at,
  {{ staging_delivered() }}
from ({{ staging_new_files('synthea_csv__patients') }})
