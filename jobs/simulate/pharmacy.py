"""Pharmacy claims: which drugs are refilled in a month, and each fill as delivered."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.simulate.clinic import has
from jobs.simulate.config import SimulationConfig
from jobs.simulate.delivery import MONEY_FACTOR, adjustment_type, version_delay, versions
from jobs.simulate.draws import Draws, case, num

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CLASSES = ("diabetes", "ras_antagonist", "statin", "inhaler", "antidepressant", "anticoagulant", "opioid", "other")
_KEY = ("member_no", "m", "class_no", "slot")


@cache
def drugs() -> dict[str, tuple[tuple[str, float], ...]]:
    """(NDC, dollars a fill) per class, from `ndc.csv`."""
    found: dict[str, list[tuple[str, float]]] = {}
    with (Path(__file__).with_name("ndc.csv")).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["drug_class"], []).append((row["ndc"], float(row["fill_usd"])))
    return {name: tuple(items) for name, items in found.items()}


def pharmacy_claims(outcomes: DataFrame, config: SimulationConfig) -> DataFrame:
    """One row per delivered version of a fill, columns as in the Tuva input layer plus `adjustment_type_code`."""
    draws = Draws(config.seed)
    frame = outcomes.selectExpr(
        "member_no", "member_id", "m", "month_start", "month_days", "is_medicare", "death_date", "plan", "cond",
        "prescriber_npi", "pharmacy_npi", f"explode({_fills(draws)}) as fill",
    )  # fmt: skip
    frame = frame.selectExpr("*", "cast(fill / 10 as int) as class_no", "fill % 10 as slot")
    day = f"least(1 + cast(8D * {draws.uniform('refill habit', 'member_no', 'class_no')} as int) + {draws.integer(3, 'refill day', *_KEY)}, month_days)"
    loose = f"1 + cast({draws.uniform('loose day', *_KEY)} * month_days as int)"
    frame = frame.selectExpr(
        "*",
        f"date_add(month_start, if(class_no < 6, {day}, {loose}) - 1) as dispensing_date",
        f"{_pick(draws)} as drug",
        "if(class_no >= 6, if(pmod(member_no + slot, 3L) = 0, 10, 30), 30) as days_supply",
        f"explode({versions(draws, config.lag, *_KEY)}) as version",
        f"exp(0.25D * {draws.normal('fill price', *_KEY)}) as price",
        f"1 + {draws.integer(config.lag.pharmacy_longest_days, 'pharmacy lag', *_KEY)} as lag",
    )
    frame = frame.selectExpr(
        "*",
        f"date_add(dispensing_date, lag + {version_delay(draws, *_KEY)}) as file_date",
        "split(drug, ':')[0] as ndc_code",
        f"cast(cast(cast(split(drug, ':')[1] as double) * price * if(is_medicare, 1D, 1.1D) as decimal(12,2)) * ({MONEY_FACTOR})"
        " as decimal(12,2)) as allowed_amount",
    ).where(f"file_date <= date'{config.end_date}' and (death_date is null or dispensing_date <= death_date)")
    if config.shifts.missing_feed_month is not None:
        frame = frame.where(f"m <> {config.shifts.missing_feed_month}")
    bad = f"{draws.uniform('dirty fill', *_KEY, 'version')} < {num(config.dirty_share)}"
    return frame.selectExpr(
        "concat('R', lpad(cast(member_no as string), 9, '0'), lpad(cast(m as string), 3, '0'), lpad(cast(fill as string), 2, '0')) as claim_id",
        "1 as claim_line_number",
        "member_id as person_id",
        "member_id",
        "if(is_medicare, 'Medicare', 'Cascadia Health') as payer",
        "plan",
        "prescriber_npi as prescribing_provider_npi",
        "pharmacy_npi as dispensing_provider_npi",
        "dispensing_date",
        "ndc_code",
        "cast(days_supply * if(class_no in (2, 4), 1, 2) as double) as quantity",
        f"if({bad}, -days_supply, days_supply) as days_supply",
        "cast(pmod(12 - m, 12) as int) as refills",
        "date_sub(file_date, 1) as paid_date",
        "cast(allowed_amount * 0.8 as decimal(12,2)) as paid_amount",
        "allowed_amount",
        "cast(allowed_amount * 1.3 as decimal(12,2)) as charge_amount",
        "1 as in_network_flag",
        f"{adjustment_type()} as adjustment_type_code",
        "file_date",
    )


def _fills(draws: Draws) -> str:
    """ARRAY<INT> of 10 × class number + slot, one per fill of the month."""
    uniform = {name: draws.uniform(f"fill {name}", "member_no", "m") for name in CLASSES[3:]}
    taken = {
        "diabetes": "fill_diabetes = 1",
        "ras_antagonist": "fill_ras_antagonist = 1",
        "statin": "fill_statin = 1",
        "inhaler": f"({has('copd')} or {has('asthma')}) and {uniform['inhaler']} < 0.5D",
        "antidepressant": f"{has('depression')} and {uniform['antidepressant']} < 0.6D",
        "anticoagulant": f"({has('stroke')} or {has('heart_failure')}) and pmod(member_no, 10L) < 4L and {uniform['anticoagulant']} < 0.8D",
        "opioid": f"({has('arthritis')} or {has('cancer')}) and {uniform['opioid']} < 0.07D",
    }
    parts = [
        f"if(is_enrolled and member_no <> 1 and {sql}, {10 * CLASSES.index(name)}, null)" for name, sql in taken.items()
    ]
    rate = "(if(is_medicare, 0.75D, 0.36D) + 0.12D * n_cond)"
    for slot, factor in enumerate((0.75, 0.5, 0.25)):
        draw = draws.uniform("fill other", "member_no", "m", str(slot))
        parts.append(f"if(is_enrolled and member_no <> 1 and {draw} < {rate} * {num(factor)}, {70 + slot}, null)")
    return f"array_compact(array({', '.join(parts)}))"


def _pick(draws: Draws) -> str:
    """`ndc:dollars`: a member keeps the drug of a class; specialty drugs are rare."""
    options: dict[object, str] = {}
    for number, name in enumerate(CLASSES):
        items = [f"'{ndc}:{price}'" for ndc, price in drugs()[name]]
        pick = draws.uniform(f"drug {name}", "member_no", "slot")
        if name == "other":
            special = items.pop()
            ordinary = f"element_at(array({', '.join(items)}), cast({pick} * {len(items)} as int) + 1)"
            options[number] = f"if({draws.uniform('specialty', *_KEY)} < 0.016D, {special}, {ordinary})"
        else:
            options[number] = f"element_at(array({', '.join(items)}), cast({pick} * {len(items)} as int) + 1)"
    return case("class_no", options)
