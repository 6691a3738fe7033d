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
  {# a row may tell a death and not its day: by the flag, or by a text that names a year and is in no form that is read #}
  case
    when {{ died }} is not null
      or {{ staging_bool('death_flag') }}
      or {{ staging_text('death_date') }} rlike '(19|20)[0-9]{2}'
      then {{ staging_at('file_date') }}
  end as death_known_at,
  {{ staging_tuva_delivered(
    dates=['birth_date', 'death_date'],
    flags=['death_flag']
  ) }}
from ({{ staging_new_files('tuva__eligibility') }})
