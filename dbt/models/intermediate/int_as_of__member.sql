{# Enrolled members with their demographics as known at each as-of date. The rows of the feature table. #}
{{ config(materialized='ephemeral') }}

select
  enrolled.*,
  cast(floor(months_between(enrolled.as_of_date, said.birth_date) / 12) as int) as age,
  said.sex = 'female' as is_female,
  said.language as language_code,
  said.language <> 'en' as is_other_language,
  coalesce(left(said.zip_code, 3), 'none') as area,
  coalesce(said.death_known_at < enrolled.as_of_date and said.death_date < enrolled.as_of_date, false) as is_deceased
from {{ ref('int_as_of__enrolled') }} as enrolled
inner join {{ ref('int_member__versioned') }} as said
  on said.data_source = {{ feature_source() }}
  and enrolled.member_id = said.member_id
  and said.birth_date < enrolled.as_of_date
  and {{ core_known('said', 'enrolled.as_of_date') }}
