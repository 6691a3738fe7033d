"""Medical claims in the Tuva input-layer layout: claims of an encounter, their versions, their lines, their money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.simulate.clinic import ADMISSION_REASONS
from jobs.simulate.config import SimulationConfig
from jobs.simulate.delivery import MONEY_FACTOR, ORIGINAL, adjustment_type, lag_days, version_delay, versions
from jobs.simulate.draws import Draws, case, num
from jobs.simulate.encounters import ACUTE_DRG, ADMISSION, DIAGNOSES, EMERGENCY, OFFICE, OUTPATIENT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

DRG_OF = {**{code: drg for code, drg, _, _ in ADMISSION_REASONS}, **ACUTE_DRG}
WEIGHT_OF = {**{code: weight for code, _, weight, _ in ADMISSION_REASONS}, "I5033": 1.35, "J441": 1.1, "F250": 1.0, "F10239": 0.7}  # fmt: skip
_KEY = ("member_no", "m", "kind", "slot", "ascii(part)")


def medical_claims(visits: DataFrame, config: SimulationConfig) -> DataFrame:
    """One row per delivered version of a claim line, columns as in the Tuva input layer plus `adjustment_type_code`."""
    draws = Draws(config.seed)
    claims = _claims(visits, draws, config)
    return _lines(claims, draws, config)


def _claims(visits: DataFrame, draws: Draws, config: SimulationConfig) -> DataFrame:
    """One row per claim version.

    Parts: F facility, P professional, S post-acute, N the notice of a stay. Plans hear of a discharge within days, by
    authorisations and admission feeds, and weeks before its claim; here it comes as a non-payment claim (bill type 110).
    """
    parts = (
        f"case kind when {EMERGENCY} then array('F', 'P')"
        f" when {ADMISSION} then if(disposition in ('03', '06'), array('N', 'F', 'P', 'S'), array('N', 'F', 'P'))"
        f" when {OUTPATIENT} then array('F') else array('P') end"
    )
    frame = visits.selectExpr("*", f"explode({parts}) as part")
    median = f"if(part = 'P', {num(config.lag.professional_median_days)}, {num(config.lag.institutional_median_days)})"
    frame = frame.selectExpr(
        "*",
        "concat('C', lpad(cast(member_no as string), 9, '0'), lpad(cast(m as string), 3, '0'), cast(kind as string),"
        " lpad(cast(slot as string), 2, '0'), part) as claim_id",
        "if(part = 'S', date_add(end_date, if(disposition = '03', 20, 30)), end_date) as claim_end_date",
        "if(part = 'S', end_date, start_date) as claim_start_date",
        f"if(part = 'N', 1 + {draws.integer(2, 'notice', *_KEY)}, {lag_days(draws, config.lag, median, *_KEY)}) as lag",
        f"explode(if(part = 'N', array({ORIGINAL}), {versions(draws, config.lag, *_KEY)})) as version",
        f"exp(0.45D * {draws.normal('price', *_KEY)} - 0.1D) as price",
        f"{draws.uniform('claim', *_KEY)} as claim_u",
        f"case when part = 'P' then if(kind = {OFFICE}, 1 + {draws.integer(3, 'lines', *_KEY)}, if(kind = {ADMISSION}, 2, 1))"
        f" when part in ('N', 'S') then 1 when kind = {ADMISSION} then 4 + {draws.integer(3, 'lines', *_KEY)}"
        f" when kind = {EMERGENCY} then 2 + {draws.integer(3, 'lines', *_KEY)} else 1 + {draws.integer(3, 'lines', *_KEY)} end as n_lines",
    )
    return frame.selectExpr("*", f"date_add(claim_end_date, lag + {version_delay(draws, *_KEY)}) as file_date").where(
        f"file_date <= date'{config.end_date}'"
    )


def _lines(claims: DataFrame, draws: Draws, config: SimulationConfig) -> DataFrame:
    frame = claims.selectExpr("*", "explode(sequence(1, n_lines)) as line")
    frame = frame.selectExpr("*", f"{_revenue()} as revenue", f"{_hcpcs()} as hcpcs", f"{_allowed()} as allowed_value")
    frame = frame.selectExpr(
        "*",
        f"cast(cast(allowed_value as decimal(12,2)) * ({MONEY_FACTOR}) as decimal(12,2)) as allowed_amount",
        "if(is_medicare, 0.86, 0.82) as paid_share",
    )
    dirty = draws.uniform("dirty", *_KEY, "version", "line")
    bad = f"{dirty} < {num(config.dirty_share)}"
    institutional = "part <> 'P'"
    stay = f"(kind = {ADMISSION} and part in ('F', 'N')) or (part = 'S' and disposition = '03')"
    return frame.selectExpr(
        "claim_id",
        "line as claim_line_number",
        "if(part = 'P', 'professional', 'institutional') as claim_type",
        "member_id as person_id",
        "member_id",
        "if(is_medicare, 'Medicare', 'Cascadia Health') as payer",
        "plan",
        "claim_start_date",
        "claim_end_date",
        "claim_start_date as claim_line_start_date",
        "claim_end_date as claim_line_end_date",
        f"if({stay}, claim_start_date, null) as admission_date",
        f"if({stay}, if({bad}, date_sub(claim_start_date, 2), claim_end_date), null) as discharge_date",
        f"if({stay}, if(part = 'S', '4', '1'), null) as admit_source_code",
        f"if({stay}, if(part = 'S' or is_elective, '3', '1'), null) as admit_type_code",
        f"if({institutional}, if({stay} and part <> 'S', disposition, '01'), null) as discharge_disposition_code",
        f"if(part = 'P', case kind when {EMERGENCY} then '23' when {ADMISSION} then '21'"
        " else case when claim_u < 0.07D then '02' when claim_u < 0.12D then '20' else '11' end end, null)"
        " as place_of_service_code",
        f"case when part = 'P' then null when part = 'S' then if(disposition = '03', '211', '329')"
        f" when part = 'N' then '110' when kind = {ADMISSION} then '111' else '131' end as bill_type_code",
        f"if(kind = {ADMISSION} and part = 'F', 'ms-drg', null) as drg_code_type",
        f"if(kind = {ADMISSION} and part = 'F', {case('reason', {k: repr(v) for k, v in DRG_OF.items()})}, null) as drg_code",
        "revenue as revenue_center_code",
        f"if({stay}, cast(greatest(datediff(claim_end_date, claim_start_date), 1) as double), 1D) as service_unit_quantity",
        "hcpcs as hcpcs_code",
        "clinician_npi as rendering_npi",
        "practice_npi as billing_npi",
        f"if({institutional}, hospital_npi, null) as facility_npi",
        "date_sub(file_date, 2) as paid_date",
        "cast(allowed_amount * paid_share as decimal(12,2)) as paid_amount",
        "allowed_amount",
        "cast(allowed_amount * 2.6 as decimal(12,2)) as charge_amount",
        f"if(part <> 'S' and kind <> {ADMISSION} and {bad}, 'icd-99', 'icd-10-cm') as diagnosis_code_type",
        *(f"get(diagnoses, {i}) as diagnosis_code_{i + 1}" for i in range(DIAGNOSES)),
        "1 as in_network_flag",
        f"{adjustment_type()} as adjustment_type_code",
        "file_date",
    )


def _revenue() -> str:
    """Revenue centre per line of an institutional claim; the first line says what the claim is."""
    stay = "case line when 1 then '0120' when 2 then '0250' when 3 then '0300' when 4 then if(is_elective, '0360', if(claim_u < 0.75D, '0450', '0320')) when 5 then '0270' else '0730' end"
    emergency = "case line when 1 then '0450' when 2 then '0301' when 3 then '0324' else '0250' end"
    outpatient = "case line when 1 then if(claim_u < 0.5D, '0300', if(claim_u < 0.8D, '0320', '0510')) when 2 then '0301' else '0636' end"
    return (
        f"case when part = 'P' then null when part = 'S' then if(disposition = '03', '0022', '0551')"
        f" when kind = {ADMISSION} then {stay} when kind = {EMERGENCY} then {emergency} else {outpatient} end"
    )


def _hcpcs() -> str:
    office = "case line when 1 then case when claim_u < 0.45D then '99213' when claim_u < 0.85D then '99214' else '99203' end when 2 then '36415' else '80053' end"
    return (
        f"case when part = 'S' then if(disposition = '06', 'G0299', null)"
        f" when kind = {ADMISSION} then if(part = 'P', if(line = 1, '99223', '99232'), null)"
        f" when kind = {EMERGENCY} then if(part = 'P', '99284', case line when 1 then if(claim_u < 0.5D, '99283', '99284') when 2 then '80053' when 3 then '71046' end)"
        f" when kind = {OUTPATIENT} then case line when 1 then if(claim_u < 0.5D, '85025', if(claim_u < 0.8D, '72148', '99213')) when 2 then '80061' else 'J1100' end"
        f" else {office} end"
    )


def _allowed() -> str:
    """Allowed amount of a line in dollars: commercial prices are a multiple of Medicare's (RAND hospital price studies)."""
    weight = case("reason", {code: num(w) for code, w in WEIGHT_OF.items()}, "1D")
    stay = f"13200D * {weight} * case line when 1 then 0.62D when 2 then 0.11D when 3 then 0.08D when 4 then 0.12D else 0.05D end"
    emergency = "case line when 1 then 520D when 2 then 90D when 3 then 140D else 60D end"
    outpatient = "case line when 1 then 520D when 2 then 70D else 330D end"
    office = "case line when 1 then 118D when 2 then 9D else 14D end"
    hospital = "if(is_medicare, 1D, 2.1D)"
    doctor = "if(is_medicare, 1D, 1.35D)"
    return (
        f"price * case when part = 'N' then 0D when part = 'S' then if(disposition = '03', 9500D, 2600D)"
        f" when kind = {ADMISSION} then if(part = 'F', {stay} * {hospital}, if(line = 1, 420D, 700D) * {doctor})"
        f" when kind = {EMERGENCY} then if(part = 'F', {emergency} * {hospital}, 190D * {doctor})"
        f" when kind = {OUTPATIENT} then {outpatient} * {hospital} else {office} * {doctor} end"
    )
