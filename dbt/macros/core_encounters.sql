{#
  What kind of encounter a claim line makes on its own, as a rank: a claim is of the lowest rank among its lines.
  NUBC bill types and revenue centres, CMS place of service, HCPCS level I. `core_encounter_type` names the ranks.
#}
{% macro core_line_rank() %}
  case
    when claim_type = 'institutional' and (bill_type_code like '11%' or (bill_type_code is null and admission_date is not null)) then 1
    when claim_type = 'institutional' and (bill_type_code like '21%' or bill_type_code like '18%') then 4
    when claim_type = 'institutional' and bill_type_code like '3%' then 5
    when claim_type = 'institutional' and (bill_type_code like '81%' or bill_type_code like '82%') then 6
    when revenue_center_code like '045_' or revenue_center_code = '0981' or place_of_service_code = '23'
      or hcpcs_code in ('99281', '99282', '99283', '99284', '99285') then 2
    when revenue_center_code = '0762' or hcpcs_code in ('G0378', 'G0379') then 3
    when claim_type = 'professional' and place_of_service_code in ('21', '51') then 1
    when claim_type = 'professional' and place_of_service_code in ('31', '32', '61') then 4
    when claim_type = 'professional' and place_of_service_code = '34' then 6
    when place_of_service_code = '20' then 7
    when place_of_service_code in ('02', '10') then 8
    when place_of_service_code in ('11', '17', '49', '50', '71', '72') or bill_type_code like '7%' then 9
    when claim_type = 'institutional' or place_of_service_code in ('19', '22', '24', '65') then 10
    when hcpcs_code between '99202' and '99215' then 9
    else 11
  end
{% endmacro %}

{% macro core_encounter_type(rank) %}
  element_at(array('acute_inpatient', 'emergency_department', 'observation', 'skilled_nursing', 'home_health',
    'hospice', 'urgent_care', 'telehealth', 'office_visit', 'outpatient', 'other'), {{ rank }})
{% endmacro %}

{#
  Group claims into encounters. One SQL for `core` (today's final claims) and for `features` (claims as known at D).

  `relation` has the columns `keys`, `claim_encounter_type`, `claim_type`, `starts`, `ends` (dates) and `provider`.
  Adds:
  - `encounter_type`, `encounter_start`: same values = same encounter (with `encounter_provider` where visits are
    counted per provider);
  - `is_own`: the row is of the encounter's kind itself, not attached to a stay; only such rows bound it.

  Stays (acute, nursing, home health, hospice) are one while the next starts no later than the day after the last
  ended: a transfer, as in HEDIS PCR. An emergency visit or observation that starts on the day before a stay or
  during it, and professional services in hospital, belong to the stay; an emergency visit on the day of discharge
  is a visit of its own. Professional hospital services without a stay are `other`.
#}
{% macro core_group_encounters(relation, keys) %}
  {% set by = keys | join(', ') %}
  select
    * except (merge_type, start_day, end_day, island_begin, island_start, last_stay_start, last_stay_end, attaches),
    case
      when attaches then 'acute_inpatient'
      when merge_type = 'professional_inpatient' then 'other'
      else claim_encounter_type
    end as encounter_type,
    date_from_unix_date(case when attaches then last_stay_start else island_start end) as encounter_start,
    case
      when attaches or merge_type not in ('urgent_care', 'telehealth', 'office_visit', 'outpatient', 'other') then ''
      else provider
    end as encounter_provider,
    not attaches as is_own
  from (
    select
      *,
      coalesce(
        merge_type in ('emergency_department', 'observation', 'professional_inpatient')
        and last_stay_end >= start_day
        and not (merge_type = 'emergency_department' and start_day = last_stay_end and start_day > last_stay_start),
        false
      ) as attaches
    from (
      select
        *,
        max(case when merge_type = 'acute_inpatient' then island_start end) over (
          partition by {{ by }} order by start_day range between unbounded preceding and 1 following
        ) as last_stay_start,
        max(case when merge_type = 'acute_inpatient' then end_day end) over (
          partition by {{ by }} order by start_day range between unbounded preceding and 1 following
        ) as last_stay_end
      from (
        select
          *,
          max(island_begin) over (
            partition by {{ by }}, merge_type order by start_day range between unbounded preceding and current row
          ) as island_start
        from (
          select
            *,
            case
              when merge_type in ('urgent_care', 'telehealth', 'office_visit', 'outpatient', 'other') then start_day
              when start_day <= max(end_day) over (
                partition by {{ by }}, merge_type order by start_day range between unbounded preceding and 1 preceding
              ) + if(merge_type in ('emergency_department', 'observation', 'professional_inpatient'), 0, 1) then null
              else start_day
            end as island_begin
          from (
            select
              *,
              unix_date(starts) as start_day,
              unix_date(ends) as end_day,
              case
                when claim_encounter_type = 'acute_inpatient' and claim_type <> 'institutional' then 'professional_inpatient'
                else claim_encounter_type
              end as merge_type
            from {{ relation }}
            distribute by {{ by }}
          )
        )
      )
    )
  )
{% endmacro %}

{# First and last day of a claim line for grouping: a hospital claim spans its admission, also when billed in parts. #}
{% macro core_claim_starts() -%}
  case when claim_encounter_type = 'acute_inpatient' and claim_type = 'institutional'
    then coalesce(admission_date, claim_start_date) else claim_start_date end
{%- endmacro %}

{% macro core_claim_ends() -%}
  case when claim_encounter_type = 'acute_inpatient' and claim_type = 'institutional'
    then greatest(coalesce(discharge_date, claim_end_date), coalesce(admission_date, claim_start_date))
    else greatest(claim_end_date, claim_start_date) end
{%- endmacro %}

{% macro core_claim_provider() -%}
  coalesce(billing_npi, facility_npi, rendering_npi, '')
{%- endmacro %}
