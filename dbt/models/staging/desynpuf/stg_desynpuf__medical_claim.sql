{#
  A second segment has no dates of its own worth keeping: its admission lies up to a month from the claim's.

  The file does not tell when anything was known. Payers hear of a discharge within days, by authorisations and admission
  feeds, and of its costs and codes weeks later: so each stay comes twice, as a notice without payment (bill type 110)
  and as the claim that replaces it.
#}
with typed as (
  select
    *,
    {{ staging_int('segment') }} as segment_number,
    {{ staging_codes('icd9_dgns_cd', 10) }} as diagnoses,
    {{ staging_codes('icd9_prcdr_cd', 6) }} as procedures
  from ({{ staging_new_files('desynpuf__inpatient_claim') }})
),

joined as (
  select
    *,
    max(case when segment_number = 1 then {{ staging_date('clm_from_dt') }} end) over claim as starts,
    max(case when segment_number = 1 then {{ staging_date('clm_thru_dt') }} end) over claim as ends,
    max(case when segment_number = 1 then {{ staging_date('clm_admsn_dt') }} end) over claim as admitted,
    max(case when segment_number = 1 then {{ staging_date('nch_bene_dschrg_dt') }} end) over claim as discharged,
    max(case when segment_number = 1 then {{ staging_text('clm_drg_cd') }} end) over claim as drg,
    -- the first segment's codes first, and in its order
    array_distinct(flatten(transform(array_sort(collect_list(struct(segment_number, diagnoses)) over claim), s -> s.diagnoses)))
      as all_diagnoses,
    array_distinct(flatten(transform(array_sort(collect_list(struct(segment_number, procedures)) over claim), s -> s.procedures)))
      as all_procedures
  from typed
  window claim as (partition by file_sha256, clm_id)
),

told as (
  select *, false as is_notice from joined
  union all
  select *, true as is_notice from joined where segment_number = 1
)

select
  'desynpuf' as data_source,
  {{ staging_at('date_add(ends, if(is_notice, ' ~ var('staging_desynpuf_notice_lag_days') ~ ', '
    ~ var('staging_desynpuf_claim_lag_days') ~ '))') }} as known_at,
  {{ staging_text('clm_id') }} as claim_id,
  segment_number as claim_line_number,
  '0' as adjustment_type_code,
  {{ staging_text('desynpuf_id') }} as member_id,
  'institutional' as claim_type,
  starts as claim_start_date,
  ends as claim_end_date,
  starts as claim_line_start_date,
  ends as claim_line_end_date,
  admitted as admission_date,
  discharged as discharge_date,
  cast(null as string) as admit_source_code,
  cast(null as string) as admit_type_code,
  cast(null as string) as discharge_disposition_code,
  cast(null as string) as place_of_service_code,
  if(is_notice, '110', '111') as bill_type_code,
  if(is_notice, null, drg) as drg_code,
  cast(null as string) as revenue_center_code,
  if(is_notice, null, {{ staging_text('hcpcs_cd_1') }}) as hcpcs_code,
  {{ staging_double('clm_utlztn_day_cnt') }} as service_unit_quantity,
  {{ staging_text('at_physn_npi') }} as rendering_npi,
  cast(null as string) as billing_npi,
  {{ staging_text('prvdr_num') }} as facility_npi,
  cast(null as date) as paid_date,
  if(is_notice, cast(0 as decimal(12, 2)), {{ staging_money('clm_pmt_amt') }}) as paid_amount,
  if(is_notice, cast(0 as decimal(12, 2)), cast(
    {{ staging_money('clm_pmt_amt') }}
    + coalesce({{ staging_money('nch_prmry_pyr_clm_pd_amt') }}, 0)
    + coalesce({{ staging_money('nch_bene_ip_ddctbl_amt') }}, 0)
    + coalesce({{ staging_money('nch_bene_pta_coinsrnc_lblty_am') }}, 0)
    + coalesce({{ staging_money('nch_bene_blood_ddctbl_lblty_am') }}, 0)
    as decimal(12, 2)
  )) as allowed_amount,
  cast(null as decimal(12, 2)) as charge_amount,
  'icd-9-cm' as diagnosis_code_type,
  if(is_notice, array_compact(array({{ staging_text('admtng_icd9_dgns_cd') }})), all_diagnoses) as diagnosis_codes,
  'icd-9-pcs' as procedure_code_type,
  if(is_notice, cast(array() as array<string>), all_procedures) as procedure_codes,
  {{ staging_delivered() }}
from told
