"""Encounters of each member-month, with dates and diagnoses; then one row per claim of an encounter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.simulate.clinic import ADMISSION_REASONS, CONDITIONS, ED_REASONS, OFFICE_REASONS, has
from jobs.simulate.config import SimulationConfig
from jobs.simulate.draws import Draws, choose
from jobs.simulate.months import event_day, length_of_stay

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

OFFICE, OUTPATIENT, EMERGENCY, ADMISSION = 1, 2, 3, 4
DIAGNOSES = 8  # diagnosis columns written


def encounters(outcomes: DataFrame, config: SimulationConfig) -> DataFrame:
    """One row per encounter: `kind`, `slot` within member, month and kind, dates, `reason`, `diagnoses`."""
    draws = Draws(config.seed)
    key = ("member_no", "m", "kind", "slot")
    frame = outcomes.where("n_office + n_outpatient + n_ed + n_adm > 0").selectExpr(
        "member_no", "member_id", "m", "month_start", "month_days", "is_medicare", "area", "cond", "death_date", "plan",
        "clinician_npi", "practice_npi", "hospital_npi", "n_office", "n_outpatient", "n_ed",
        "explode(sequence(1, n_office + n_outpatient + n_ed + n_adm)) as position",
    )  # fmt: skip
    frame = frame.selectExpr(
        "*",
        f"case when position <= n_office then {OFFICE} when position <= n_office + n_outpatient then {OUTPATIENT}"
        f" when position <= n_office + n_outpatient + n_ed then {EMERGENCY} else {ADMISSION} end as kind",
        "case when position <= n_office then position when position <= n_office + n_outpatient then position - n_office"
        " when position <= n_office + n_outpatient + n_ed then position - n_office - n_outpatient"
        " else position - n_office - n_outpatient - n_ed end as slot",
    )
    frame = frame.selectExpr(
        "*",
        f"date_add(month_start, case kind when {ADMISSION} then {event_day(draws, 'admission day', 'slot')}"
        f" when {EMERGENCY} then {event_day(draws, 'ed day', 'slot')}"
        f" else {event_day(draws, 'visit day', 'kind * 100 + slot')} end - 1) as start_date",
        f"if(kind = {ADMISSION}, {length_of_stay(draws, 'slot')}, 0) as nights",
        f"{draws.uniform('reason', *key)} as reason_u",
        f"{draws.integer(12, 'reason index', *key)} as reason_ix",
        f"cond & cast({draws.bits('coded', *key)} | shiftright({draws.bits('coded', *key)}, 20) as int) as coded",
        f"{draws.uniform('detail', *key)} as detail_u",
    )
    new_coding = config.shifts.new_coding_month
    frame = frame.selectExpr(
        "*",
        "date_add(start_date, nights) as planned_end",
        f"{_reason()} as reason",
        f"{_chronic_codes(new_coding)} as chronic",
    ).where("death_date is null or start_date <= death_date")
    return frame.selectExpr(
        "*",
        "if(death_date is not null and planned_end >= death_date, death_date, planned_end) as end_date",
        f"slice(array_distinct(concat(array(reason), chronic)), 1, {DIAGNOSES}) as diagnoses",
        "case when death_date is not null and planned_end >= death_date then '20'"
        " when not is_medicare or detail_u < 0.55D then '01' when detail_u < 0.76D then '03'"
        " when detail_u < 0.97D then '06' else '07' end as disposition",
        f"kind = {ADMISSION} and reason in ({', '.join(repr(code) for code, _, _, elective in ADMISSION_REASONS if elective)})"
        " as is_elective",
    )


def _reason() -> str:
    def first(names: tuple[str, ...], otherwise: str) -> str:
        whens = " ".join(
            f"when {has(name)} and reason_u < {0.25 + 0.08 * i!r}D then '{_ACUTE[name]}'"
            for i, name in enumerate(names)
        )
        return f"case {whens} else {otherwise} end"

    admission = first(("heart_failure", "copd", "serious_mental_illness", "substance_use"),
                      choose("reason_ix", tuple(code for code, *_ in ADMISSION_REASONS)))  # fmt: skip
    emergency = first(("copd", "asthma", "serious_mental_illness", "substance_use", "heart_failure"),
                      choose("reason_ix", ED_REASONS))  # fmt: skip
    visit = choose("pmod(reason_ix, 8)", OFFICE_REASONS)
    return f"case kind when {ADMISSION} then {admission} when {EMERGENCY} then {emergency} else {visit} end"


_ACUTE = {
    "heart_failure": "I5033",
    "copd": "J441",
    "asthma": "J45901",
    "serious_mental_illness": "F250",
    "substance_use": "F10239",
}
ACUTE_DRG = {"I5033": "291", "J441": "190", "F250": "885", "F10239": "897"}


def _chronic_codes(new_coding_month: int | None) -> str:
    parts = []
    for bit, condition in enumerate(CONDITIONS):
        code = f"element_at(array({', '.join(map(repr, condition.codes))}), cast(pmod(member_no + {bit}, {len(condition.codes)}L) as int) + 1)"
        if new_coding_month is not None and condition.name in ("diabetes", "ckd"):
            newer = "E1169" if condition.name == "diabetes" else "N1830"
            code = f"if(m >= {new_coding_month}, '{newer}', {code})"
        parts.append(f"if((coded & {1 << bit}) <> 0, {code}, null)")
    return f"array_compact(array({', '.join(parts)}))"
