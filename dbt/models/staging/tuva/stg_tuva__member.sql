select
  {{ staging_tuva_head() }},
  {{ staging_tuva_member() }} as member_id,
  {{ staging_date('birth_date') }} as birth_date,
  {{ staging_sex('gender') }} as sex,
  {{ staging_words('race') }} as race,
  {{ staging_words('ethnicity') }} as ethnicity,
  coalesce(lower({{ staging_text('language') }}), 'en') as language,
  {{ staging_state_code('state') }} as state,
  {{ staging_zip('zip_code') }} as zip_code,
  {{ staging_date('death_date') }} as death_date,
  case when {{ staging_date('death_date') }} is not null then {{ staging_at('file_date') }} end as death_known_at,
  {{ staging_delivered() }}
from ({{ staging_new_files('tuva__eligibility') }})
