"""Eligibility spans as delivered (open at first, again when closed), refusals of contact, and the contacts made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.simulate.config import SimulationConfig
from jobs.simulate.draws import Draws, num
from jobs.simulate.outreach import CHOSEN, LISTED, OFFERED
from jobs.simulate.programs import PROGRAMS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_OPEN = "date'9999-12-31'"


def eligibility(people: DataFrame, config: SimulationConfig) -> DataFrame:
    """One row per delivered version of a span; the Tuva layout plus `language`."""
    draws = Draws(config.seed)
    first = f"date'{config.first_month}'"
    spans = (
        "array(named_struct('no', 1, 'from', start_month, 'to', if(has_gap, gap_month, end_month)),"
        " if(has_gap, named_struct('no', 2, 'from', gap_month + gap_length, 'to', end_month), null))"
    )
    frame = people.selectExpr(
        "*",
        "gap_month is not null and gap_month > greatest(start_month, 0) and gap_month + gap_length < end_month as has_gap",
    ).selectExpr("*", f"explode(array_compact({spans})) as span")
    frame = frame.selectExpr(
        "*",
        f"add_months({first}, span.from) as span_start",
        f"date_sub(add_months({first}, least(span.to, 3000)), 1) as span_end",
    ).where("death_date is null or span_start <= death_date")
    lag = f"cast({num(5)} + 20D * {draws.exponential('span lag', 'member_no', 'span.no')} as int)"
    retro = f"if({draws.uniform('retro', 'member_no', 'span.no')} < 0.1D, 75, 0)"
    known = {
        "opened": f"greatest({first}, date_add(span_start, {draws.integer(12, 'opening', 'member_no', 'span.no')} - 3))",
        "closed": f"date_add(span_end, {lag} + {retro})",
        "died": f"if(death_date between span_start and span_end, date_add(death_date, 10 + {lag}), null)",
        "hospice": f"if(hospice_month >= 0, add_months({first}, hospice_month), null)",
    }
    frame = frame.selectExpr("*", *(f"{sql} as {name}_at" for name, sql in known.items()))
    hospice = "hospice_at is not null and hospice_at <= at"
    versions = (
        "array(named_struct('kind', 'opened', 'at', opened_at),"
        " if(hospice_at > opened_at and hospice_at < coalesce(died_at, closed_at), named_struct('kind', 'hospice', 'at', hospice_at), null),"
        " if(died_at is null and closed_at > opened_at, named_struct('kind', 'closed', 'at', closed_at), null),"
        " if(died_at is not null, named_struct('kind', 'died', 'at', greatest(died_at, date_add(opened_at, 1))), null))"
    )
    frame = frame.selectExpr("*", f"explode(array_compact({versions})) as version").selectExpr(
        "*", "version.kind as kind", "version.at as at"
    )
    dirty = f"{draws.uniform('dirty span', 'member_no', 'span.no', 'unix_date(at)')}"
    return frame.where(f"at <= date'{config.end_date}'").selectExpr(
        "member_id as person_id",
        "member_id",
        "member_id as subscriber_id",
        "sex as gender",
        "race",
        "ethnicity",
        "language",
        f"if({dirty} < {num(config.dirty_share / 2)}, null, birth_date) as birth_date",
        "if(kind = 'died', death_date, null) as death_date",
        "if(kind = 'died', 1, 0) as death_flag",
        "span_start as enrollment_start_date",
        f"case when {dirty} between {num(config.dirty_share / 2)} and {num(config.dirty_share)} then date_sub(span_start, 30)"
        f" when kind = 'closed' then span_end when kind = 'died' then death_date else {_OPEN} end as enrollment_end_date",
        "if(is_medicare, 'Medicare', 'Cascadia Health') as payer",
        "if(is_medicare, 'medicare', 'commercial') as payer_type",
        "plan",
        "if(is_medicare, if(is_disabled, '1', '0'), null) as original_reason_entitlement_code",
        "if(is_dual, '02', 'NA') as dual_status_code",
        "if(is_medicare, if(is_disabled, '20', '10'), null) as medicare_status_code",
        "'18' as subscriber_relation",
        "state",
        "zip_code",
        f"if({hospice}, 1, 0) as hospice_flag",
        "at as file_date",
    )


def outreach_contacts(outcomes: DataFrame, config: SimulationConfig) -> DataFrame:
    """One row per assignment, delivered when the attempt is over (1-7 days later)."""
    draws = Draws(config.seed)
    offers = ", ".join(
        f"if(offer_{p.short} > 0, named_struct('program', '{p.key}', 'team', '{p.team}', 'offer', offer_{p.short}, "
        f"'is_reached', reached_{p.short}), null)"
        for p in PROGRAMS
    )
    frame = outcomes.where(" or ".join(f"offer_{p.short} > 0" for p in PROGRAMS)).selectExpr(
        "member_no", "member_id", "m", "month_start", f"explode(array_compact(array({offers}))) as o"
    )
    key = ("member_no", "m", "length(o.program)")
    channel = draws.uniform("channel", *key)
    miss = draws.uniform("miss", *key)
    offered = f"o.offer in {OFFERED}"
    return frame.selectExpr(
        "concat(substr(o.program, 1, 3), '-', substr(member_id, 2), '-', lpad(cast(m as string), 3, '0')) as contact_id",
        "member_id",
        "o.program as program",
        f"if({offered}, case when {channel} < 0.75D then 'phone' when {channel} < 0.85D then 'text'"
        f" when {channel} < 0.95D then 'letter' else 'visit' end, null) as channel",
        f"if({offered}, o.team, null) as team",
        "month_start as assigned_date",
        f"case o.offer when {CHOSEN} then 'care_manager' when {LISTED} then 'policy' else 'pilot' end as assigned_by",
        f"{offered} as is_offered",
        f"if(o.offer in ({CHOSEN}, {LISTED}), cast(null as double), 0.5D) as assignment_probability",
        f"if({offered}, o.is_reached, null) as is_reached",
        f"if({offered}, case when o.is_reached then 'reached' when {miss} < 0.3D then 'declined'"
        f" when {miss} < 0.9D then 'no_answer' else 'wrong_number' end, null) as disposition",
        f"date_add(month_start, if({offered}, 1 + {draws.integer(7, 'attempt', *key)}, 1)) as file_date",
    ).where(f"file_date <= date'{config.end_date}'")


def consents(people: DataFrame, config: SimulationConfig) -> DataFrame:
    """Statements on contact: some agree in the first month, a few refuse later, by channel or altogether."""
    draws = Draws(config.seed)
    month = "add_months(date'{0}', {1})"
    agreed = f"{draws.uniform('agrees', 'member_no')} < 0.25D"
    text = f"{draws.uniform('no texts', 'member_no')} < 0.03D"
    first = month.format(config.first_month, "greatest(start_month, 0)")
    refusal = month.format(config.first_month, "refusal_month")
    rows = (
        f"array(if({agreed}, named_struct('channel', 'all', 'yes', true, 'at', {first}), null),"
        f" if({text}, named_struct('channel', 'text', 'yes', false, 'at', date_add({first}, 40)), null),"
        f" if(refusal_month > greatest(start_month, 0), named_struct('channel', 'all', 'yes', false, 'at', {refusal}), null))"
    )
    frame = people.selectExpr("member_id", "member_no", f"explode(array_compact({rows})) as c")
    return frame.selectExpr(
        "member_id",
        "'all' as program",
        "c.channel as channel",
        "c.yes as is_consented",
        "c.at as effective_date",
        "c.at as file_date",
    ).where(f"file_date <= date'{config.end_date}'")
