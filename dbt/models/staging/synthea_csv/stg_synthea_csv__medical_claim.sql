{#
  One row per CHARGE. The transactions that follow a charge within its claim, by running number, settle it: payments by
  ECHECK are the payer's, the others the patient's; transfers only move what is owed, twice, and are not money.

  One claim in two is for a drug: its only charge is one of its encounter's medications. Those are fills, not care.
  Stays at a hospital or nursing home are institutional whatever the claim says: half of them say professional, at random.
#}
with transactions as (
  select
    *,
    count_if(type = 'CHARGE') over running as line_number,
    first_value(procedurecode) over running as first_code
  from ({{ staging_new_files('synthea_csv__claims_transactions') }})
  window running as (partition by file_sha256, claimid order by cast(chargeid as bigint))
),

settled as (
  select
    *,
    sum(case when type = 'PAYMENT' then {{ staging_money('payments') }} end) over line as settled_amount,
    sum(case when type = 'PAYMENT' and method = 'ECHECK' then {{ staging_money('payments') }} end) over line as payer_amount
  from transactions
  window line as (partition by file_sha256, claimid, line_number)
),

claims as (
  select *, {{ staging_codes('diagnosis', 8, '') }} as diagnoses from ({{ staging_latest('synthea_csv__claims') }})
),

encounters as (
  select
    id,
    encounterclass,
    organization,
    {{ staging_date('start') }} as starts,
    greatest({{ staging_date('stop') }}, {{ staging_date('start') }}) as ends
  from ({{ staging_latest('synthea_csv__encounters') }})
),

drugs as (
  select distinct encounter, code from {{ source('raw', 'synthea_csv__medications') }}
),

lines as (
  select
    settled.*,
    claims.diagnoses,
    claims.providerid as claim_provider,
    {{ staging_date('coalesce(claims.lastbilleddate1, claims.lastbilleddatep)') }} as billed,
    encounters.encounterclass,
    coalesce(encounters.starts, {{ staging_date('claims.servicedate') }}) as starts,
    coalesce(encounters.ends, {{ staging_date('claims.servicedate') }}) as ends,
    coalesce(encounters.encounterclass in ('inpatient', 'snf'), false) or claims.healthcareclaimtypeid1 = '2'
      as is_institutional
  from settled
  left join claims on settled.claimid = claims.id
  left join encounters on claims.appointmentid = encounters.id
  left anti join drugs on settled.appointmentid = drugs.encounter and settled.first_code = drugs.code
  where settled.type = 'CHARGE'
)

select
  'synthea_csv' as data_source,
  {{ staging_at('date_add(greatest(billed, ends), ' ~ var('staging_synthea_claim_lag_days') ~ ')') }} as known_at,
  claimid as claim_id,
  cast(line_number as int) as claim_line_number,
  '0' as adjustment_type_code,
  {{ staging_text('patientid') }} as member_id,
  if(is_institutional, 'institutional', 'professional') as claim_type,
  starts as claim_start_date,
  ends as claim_end_date,
  {{ staging_date('fromdate') }} as claim_line_start_date,
  greatest({{ staging_date('todate') }}, {{ staging_date('fromdate') }}) as claim_line_end_date,
  if(encounterclass in ('inpatient', 'snf'), starts, null) as admission_date,
  if(encounterclass in ('inpatient', 'snf'), ends, null) as discharge_date,
  cast(null as string) as admit_source_code,
  cast(null as string) as admit_type_code,
  cast(null as string) as discharge_disposition_code,
  {{ staging_synthea_place('encounterclass', 'is_institutional') }} as place_of_service_code,
  {{ staging_synthea_bill_type('encounterclass', 'is_institutional') }} as bill_type_code,
  cast(null as string) as drg_code,
  {{ staging_synthea_revenue_center('encounterclass', 'is_institutional') }} as revenue_center_code,
  cast(null as string) as hcpcs_code,
  {{ staging_double('units') }} as service_unit_quantity,
  {{ staging_text('claim_provider') }} as rendering_npi,
  cast(null as string) as billing_npi,
  {{ staging_text('placeofservice') }} as facility_npi,
  billed as paid_date,
  cast(coalesce(payer_amount, 0) as decimal(12, 2)) as paid_amount,
  cast(coalesce(settled_amount, 0) as decimal(12, 2)) as allowed_amount,
  {{ staging_money('amount') }} as charge_amount,
  'snomed-ct' as diagnosis_code_type,
  coalesce(diagnoses, cast(array() as array<string>)) as diagnosis_codes,
  'snomed-ct' as procedure_code_type,
  filter(array({{ staging_text('procedurecode') }}), code -> code is not null) as procedure_codes,
  {{ staging_delivered() }}
from lines
