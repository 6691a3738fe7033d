{# Some write 9999-12-31 for nobody's death. #}
{%- set died = 'nullif(' ~ staging_date('death_date') ~ ", date '9999-12-31')" -%}

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
  {{ died }} as death_date,
  case
    when {{ died }} is not null or {{ staging_tells_death('death_flag', 'death_date', 'birth_date', 'file_date') }}
      then {{ staging_at('file_date') }}
  end as death_known_at,
  {{ staging_tuva_delivered(
    dates=['birth_date', 'death_date'],
    flags=['death_flag']
  ) }}
from ({{ staging_new_files('tuva__eligibility') }})
