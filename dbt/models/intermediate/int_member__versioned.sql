{# A member's demographics in the versions that differ from the one before; features read them as known at D. #}
{{ config(materialized='ephemeral') }}

{% set said = core_columns('member')[3:] %}

with delivered as (
  {{ core_union('member', ['tuva', 'desynpuf', 'synthea_csv']) }}
),

single as (
  select
    *,
    row_number() over (
      partition by data_source, member_id, known_at order by file_sha256, file_row_number desc
    ) as copy_rank,
    {# deaths are learnt once; a later file that forgets one does not raise the dead #}
    max(death_date) over so_far as any_death_date,
    max(case when death_date <= cast(known_at as date) then death_date end) over so_far as past_death_date,
    min(death_told_at) over so_far as any_death_told_at,
    min(case when death_date is null or death_date <= cast(known_at as date) then death_told_at end) over so_far
      as past_death_told_at
  from (
    select *, coalesce(death_known_at, case when death_date is not null then known_at end) as death_told_at from delivered
  ) as told
  window so_far as (
    partition by data_source, member_id order by known_at range between unbounded preceding and current row
  )
),

dated as (
  {#
    Who is told to be dead without a day, died at the latest when it was told. A day that had not come when it was told, such as
    2099-12-31 for the living, hides no other.
  #}
  select
    *,
    coalesce(past_death_told_at, any_death_told_at) as first_death_known_at,
    coalesce(past_death_date, cast(past_death_told_at as date), any_death_date) as last_death_date
  from single
),

changed as (
  select
    *,
    struct(birth_date, sex, race, ethnicity, language, state, zip_code, last_death_date) as said
  from dated
  where copy_rank = 1
),

kept as (
  select *, lag(said) over (partition by data_source, member_id order by known_at) as said_before
  from changed
)

select
  data_source,
  member_id,
  birth_date,
  sex,
  race,
  ethnicity,
  language,
  state,
  zip_code,
  last_death_date as death_date,
  first_death_known_at as death_known_at,
  known_at,
  lead(known_at) over (partition by data_source, member_id order by known_at) as superseded_at
from kept
where said_before is null or not (said <=> said_before)
