"""Logical rules that need more than one row: lines of a claim, neighbours in time, the member behind the claim.

Each survey is one query over what is in force today. They are grouped by what has to be shuffled: rules that need the same
grouping or the same join share it.
"""

from __future__ import annotations

from contracts.model import Survey, none_of

_IN_FORCE = "superseded_at is null and not is_void"
# A notice (bill type 110) announces a stay that its claim then tells again.
_STAY = f"{_IN_FORCE} and claim_type = 'institutional' and bill_type_code rlike '^0?11[1-9]'"
_FIRST = "element_at(diagnosis_codes, 1)"
_PREGNANT = "diagnosis_code_type = 'icd-10-cm' and element_at(diagnosis_codes, 1) rlike '^O'"
_PROSTATE = "diagnosis_code_type = 'icd-10-cm' and element_at(diagnosis_codes, 1) rlike '^(?:C61|N4[0-2])'"


def _differs(column: str) -> str:
    """Whether a claim has two values of a column today; by their hashes, which the fast aggregation can hold."""
    hashed = f"if({_IN_FORCE} and {column} is not null, xxhash64({column}), null)"
    return f"min({hashed}) <> max({hashed})"


LINES_OF_CLAIM = Survey(
    f"""
    select
      count_if(types_differ) as claim_has_one_type,
      count_if(members_differ) as claim_has_one_member,
      count_if(bills_differ) as claim_has_one_bill_type,
      count_if(stays_differ) as claim_has_one_admission,
      count_if(drgs_differ) as claim_has_one_drg,
      count_if(first_line <> 1) as claim_starts_at_line_one,
      count_if(last_line > 999) as claim_has_at_most_999_lines,
      count_if(originals = 0) as adjustment_has_original
    from (
      select
        {_differs("claim_type")} as types_differ,
        {_differs("member_id")} as members_differ,
        {_differs("bill_type_code")} as bills_differ,
        {_differs("admission_date")} as stays_differ,
        {_differs("drg_code")} as drgs_differ,
        min(if({_IN_FORCE}, claim_line_number, null)) as first_line,
        max(if({_IN_FORCE}, claim_line_number, null)) as last_line,
        count_if(adjustment_type_code = '0') as originals
      from {{rows}}
      group by xxhash64(data_source, claim_id)
    )""",
    (
        none_of("claim_has_one_type", "All lines of a claim have one claim type."),
        none_of("claim_has_one_member", "All lines of a claim are of one member."),
        none_of("claim_has_one_bill_type", "All lines of a claim have one type of bill."),
        none_of("claim_has_one_admission", "All lines of a claim have one admission date."),
        none_of("claim_has_one_drg", "All lines of a claim have one DRG."),
        none_of("claim_starts_at_line_one", "The lines of a claim are numbered from 1."),
        none_of("claim_has_at_most_999_lines", "A claim has 999 lines at most (ASC X12 837)."),
        none_of("adjustment_has_original", "An adjusted or cancelled claim was delivered in the original before."),
    ),
)

BILLED_TWICE = Survey(
    f"""
    select count(*) as service_not_billed_twice
    from (
      select min(xxhash64(claim_id)) as first_claim, max(xxhash64(claim_id)) as last_claim
      from {{rows}}
      where {_IN_FORCE} and hcpcs_code is not null and charge_amount > 0
      group by xxhash64(data_source, member_id, claim_line_start_date, hcpcs_code, rendering_npi, charge_amount,
        service_unit_quantity)
      having first_claim <> last_claim
    )""",
    (none_of("service_not_billed_twice", "No two claims bill the same service, day, provider and charge."),),
)

STAYS = Survey(
    f"""
    select count_if(admitted < discharged_before) as stay_does_not_overlap
    from (
      select
        admitted,
        max(discharged) over (
          partition by data_source, member_id order by admitted, claim_id rows between unbounded preceding and 1 preceding
        ) as discharged_before
      from (
        select data_source, member_id, claim_id, min(admission_date) as admitted, max(discharge_date) as discharged
        from {{rows}}
        where {_STAY} and claim_line_number = 1
        group by data_source, member_id, claim_id
      )
    )""",
    (none_of("stay_does_not_overlap", "Nobody is admitted before the discharge from the stay before."),),
)

CLAIM_AND_MEMBER = Survey(
    f"""
    select
      count_if(claim_start_date > death_date) as service_not_after_death,
      count_if(claim_end_date < birth_date) as service_not_before_birth,
      count_if(discharge_disposition_code in ('20', '40', '41', '42') and death_date is null) as expired_has_death,
      count_if(sex = 'male' and {_PREGNANT}) as pregnancy_only_of_women,
      count_if(sex = 'female' and {_PROSTATE}) as prostate_only_of_men,
      count_if({_PREGNANT} and months_between(claim_start_date, birth_date) not between 96 and 720) as pregnancy_at_a_fit_age,
      count_if(admit_type_code = '4' and datediff(claim_start_date, birth_date) > 28) as newborn_is_newborn
    from (select * from {{rows}} where {_IN_FORCE} and claim_line_number = 1) as claim
    inner join (select data_source, member_id, sex, birth_date, death_date from {{core.member}}) as member
      on claim.data_source = member.data_source and claim.member_id = member.member_id""",
    (
        none_of("service_not_after_death", "Nobody is served after death."),
        none_of("service_not_before_birth", "Nobody is served before birth."),
        none_of("expired_has_death", "Who was discharged as expired has a date of death."),
        none_of("pregnancy_only_of_women", "Pregnancy is not the principal diagnosis of a man."),
        none_of("prostate_only_of_men", "A disease of the prostate is not the principal diagnosis of a woman."),
        none_of("pregnancy_at_a_fit_age", "Pregnancy is the principal diagnosis between 8 and 60 years only."),
        none_of("newborn_is_newborn", "Who is admitted as newborn is 28 days old at most."),
    ),
)

FILL_AND_MEMBER = Survey(
    f"""
    select
      count_if(dispensing_date > death_date) as fill_not_after_death,
      count_if(dispensing_date < birth_date) as fill_not_before_birth
    from (select * from {{rows}} where {_IN_FORCE}) as fill
    inner join (select data_source, member_id, birth_date, death_date from {{core.member}}) as member
      on fill.data_source = member.data_source and fill.member_id = member.member_id""",
    (
        none_of("fill_not_after_death", "Nothing is dispensed after death."),
        none_of("fill_not_before_birth", "Nothing is dispensed before birth."),
    ),
)

FILLED_TWICE = Survey(
    f"""
    select count(*) as fill_not_billed_twice
    from (
      select min(xxhash64(claim_id, claim_line_number)) as first_fill, max(xxhash64(claim_id, claim_line_number)) as last_fill
      from {{rows}}
      where {_IN_FORCE}
      group by xxhash64(data_source, member_id, drug_code, dispensing_date, quantity, paid_amount)
      having first_fill <> last_fill
    )""",
    (none_of("fill_not_billed_twice", "No two claims bill the same drug, day, quantity and payment."),),
)

LINES_OF_FILL = Survey(
    f"""
    select count(*) as fill_has_one_member
    from (
      select min(xxhash64(member_id)) as first_member, max(xxhash64(member_id)) as last_member
      from {{rows}}
      where {_IN_FORCE}
      group by xxhash64(data_source, claim_id)
      having first_member <> last_member
    )""",
    (none_of("fill_has_one_member", "All lines of a pharmacy claim are of one member."),),
)

CONTACTS = Survey(
    """
    select count(*) as contact_has_one_member
    from (select 1 from {rows} group by data_source, contact_id having min(member_id) <> max(member_id))""",
    (none_of("contact_has_one_member", "An assignment to outreach is of one member."),),
)

SPANS = Survey(
    """
    select
      count_if(starts <= ended_before) as span_does_not_overlap,
      count_if(starts < birth_date) as span_not_before_birth,
      count_if(starts > death_date) as span_not_after_death,
      count_if(ends > last_day(death_date)) as span_ends_with_death
    from (
      select
        data_source, member_id, enrollment_start_date as starts, enrollment_end_date as ends,
        max(enrollment_end_date) over (
          partition by data_source, member_id order by enrollment_start_date, enrollment_end_date
          rows between unbounded preceding and 1 preceding
        ) as ended_before
      from {rows}
      where superseded_at is null
    ) as span
    inner join (select data_source, member_id, birth_date, death_date from {core.member}) as member
      on span.data_source = member.data_source and span.member_id = member.member_id""",
    (
        none_of("span_does_not_overlap", "A member's spans do not overlap."),
        none_of("span_not_before_birth", "Nobody is enrolled before birth."),
        none_of("span_not_after_death", "Nobody is enrolled anew after death."),
        none_of("span_ends_with_death", "A span ends in the month of death at the latest."),
    ),
)

UNCOVERED_MEMBERS = Survey(
    """
    select count(*) as member_has_eligibility
    from (select data_source, member_id from {core.member}) as member
    left anti join (select data_source, member_id from {rows}) as span
      on member.data_source = span.data_source and member.member_id = span.member_id""",
    (none_of("member_has_eligibility", "Every member has an enrolment span."),),
)

ENCOUNTER_AND_MEMBER = Survey(
    """
    select
      count_if(encounter_start_date > death_date) as encounter_not_after_death,
      count_if(encounter_end_date < birth_date) as encounter_not_before_birth,
      count_if(covered.member_id is null) as encounter_in_covered_month,
      count_if(encounter_start_date > expired_on) as encounter_not_after_expired
    from (
      select
        *,
        trunc(encounter_start_date, 'MM') as month,
        min(if(discharge_disposition_code = '20', encounter_end_date, null)) over (partition by data_source, member_id)
          as expired_on
      from {rows}
      where superseded_at is null
    ) as encounter
    inner join (select data_source, member_id, birth_date, death_date from {core.member}) as member
      on encounter.data_source = member.data_source and encounter.member_id = member.member_id
    left join (select data_source, member_id, year_month from {core.member_month}) as covered
      on encounter.data_source = covered.data_source and encounter.member_id = covered.member_id
        and encounter.month = covered.year_month""",
    (
        none_of("encounter_not_after_death", "No encounter starts after the member's death."),
        none_of("encounter_not_before_birth", "No encounter ends before the member's birth."),
        none_of("encounter_in_covered_month", "An encounter starts in a month with coverage."),
        none_of("encounter_not_after_expired", "No encounter follows a discharge as expired."),
    ),
)
