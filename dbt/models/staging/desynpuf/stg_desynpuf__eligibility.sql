{#
  The summary tells how many months of a year were covered, not which. Of those covered in part and alive, 943 of 1,147 in
  2008 were covered all of 2009, and 143 of 170 later ones all of the year before: so the months are the year's last where
  nothing is known of the year before, else its first. A span is first told as lasting to the end of the year; that it
  ended earlier is told when it did.
#}
with summary as (
  select
    *,
    {{ staging_desynpuf_year() }} as summary_year,
    greatest({{ staging_int('bene_hi_cvrage_tot_mons') }}, {{ staging_int('bene_smi_cvrage_tot_mons') }}) as months,
    coalesce({{ staging_int('bene_hmo_cvrage_tot_mons') }}, 0) > 0 as has_hmo,
    {{ staging_date('bene_death_dt') }} as died
  from ({{ staging_new_files('desynpuf__beneficiary_summary') }})
),

year_before as (
  select distinct desynpuf_id, {{ staging_desynpuf_year() }} + 1 as summary_year
  from {{ source('raw', 'desynpuf__beneficiary_summary') }}
  where greatest({{ staging_int('bene_hi_cvrage_tot_mons') }}, {{ staging_int('bene_smi_cvrage_tot_mons') }}) > 0
),

covered as (
  select
    summary.*,
    case
      when months < 12 and year_before.desynpuf_id is null and died is null then make_date(summary.summary_year, 13 - months, 1)
      else make_date(summary.summary_year, 1, 1)
    end as starts,
    make_date(summary.summary_year, 12, 31) as year_end
  from summary
  left join year_before
    on summary.desynpuf_id = year_before.desynpuf_id and summary.summary_year = year_before.summary_year
  where months > 0
),

bounded as (
  select *, least(last_day(add_months(starts, months - 1)), coalesce(last_day(died), year_end), year_end) as ends
  from covered
),

told as (
  select *, year_end as told_end, date_sub(starts, 1) as told_on from bounded
  union all
  select *, ends as told_end, ends as told_on from bounded where ends < year_end
)

select
  'desynpuf' as data_source,
  {{ staging_at('told_on') }} as known_at,
  {{ staging_text('desynpuf_id') }} as member_id,
  starts as enrollment_start_date,
  told_end as enrollment_end_date,
  'Medicare' as payer,
  'medicare' as payer_type,
  case when has_hmo then 'Medicare Advantage' else 'Original Medicare' end as plan,
  cast(null as string) as dual_status_code,
  cast(null as string) as original_reason_entitlement_code,
  cast(null as string) as medicare_status_code,
  false as is_hospice,
  not has_hmo as is_claims_complete,
  {{ staging_delivered() }}
from told
