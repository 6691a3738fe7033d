{#
  A prescription tells its start, its end and how often it was dispensed, not when. Fills are spaced evenly from the start:
  by the course's length over the number of fills, 1 to 90 days; by 30 days while the course goes on. A fill lasts until
  the next. Money is split over the fills so that the cents add up.
#}
with prescriptions as (
  select
    *,
    {{ staging_date('start') }} as starts,
    greatest(coalesce({{ staging_int('dispenses') }}, 1), 1) as fills,
    sha2(concat_ws('|', patient, encounter, code, start, row_number() over (
      partition by file_sha256, patient, encounter, code, start order by file_row_number
    )), 256) as prescription_id
  from ({{ staging_new_files('synthea_csv__medications') }})
),

spaced as (
  select
    *,
    case
      when {{ staging_text('stop') }} is null then 30
      else cast(least(greatest(ceil(datediff({{ staging_date('stop') }}, starts) / fills), 1), 90) as int)
    end as spacing_days,
    explode(sequence(1, fills)) as fill_number
  from prescriptions
),

filled as (
  select *, date_add(starts, (fill_number - 1) * spacing_days) as filled_on from spaced
)

select
  'synthea_csv' as data_source,
  {{ staging_at('date_add(filled_on, ' ~ var('staging_synthea_claim_lag_days') ~ ')') }} as known_at,
  substring(prescription_id, 1, 32) as claim_id,
  fill_number as claim_line_number,
  '0' as adjustment_type_code,
  {{ staging_text('patient') }} as member_id,
  filled_on as dispensing_date,
  'rxnorm' as drug_code_type,
  {{ staging_text('code') }} as drug_code,
  {{ staging_text('description') }} as drug_name,
  cast(null as double) as quantity,
  spacing_days as days_supply,
  cast(null as int) as refills,
  cast(null as string) as prescribing_npi,
  cast(null as date) as paid_date,
  {{ staging_share('payer_coverage', 'fill_number', 'fills') }} as paid_amount,
  {{ staging_share('totalcost', 'fill_number', 'fills') }} as allowed_amount,
  {{ staging_delivered() }}
from filled
