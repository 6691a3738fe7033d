"""A program's channels as Spark SQL: which are open to a member, and what an offer through each is worth."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

from contracts.compile.literals import sql_string
from contracts.programs import Program, Programs


def by_key(column: str, values: Mapping[str, str], otherwise: str) -> str:
    """`case column when key then value ... else otherwise end`; values are SQL."""
    cases = " ".join(f"when {sql_string(key)} then {value}" for key, value in values.items())
    return f"case {column} {cases} else {otherwise} end" if values else otherwise


def open_channels_sql(configured: Programs, program: Program, refused: str, language: str) -> str:
    """The program's channels, in its order, that a member has not refused and in which a language is spoken.

    Args:
        refused: SQL of an array of refused channels, `all` among them for every channel; never NULL.
        language: SQL of the member's language; NULL, not known, is served by every channel.
    """
    found = []
    for name in program.channels:
        spoken = configured.languages(program.key, name)
        understood = (
            "true" if spoken is None else f"coalesce({language} in ({', '.join(map(sql_string, spoken))}), true)"
        )
        found.append(f"if(not {is_refused_sql(name, refused)} and {understood}, {sql_string(name)}, null)")
    return f"array_compact(array({', '.join(found)}))"


def is_refused_sql(channel: str, refused: str) -> str:
    """Whether a channel is among the refused."""
    return f"arrays_overlap({refused}, array({sql_string(channel)}, 'all'))"


def benefit_sql(program: Program, effect: str = "cate") -> str:
    """The effect as a benefit: positive is good."""
    return f"(-{effect})" if program.outcome.better == "lower" else f"({effect})"


def ranked_benefit_sql(program: Program) -> str:
    """The benefit that the program ranks by: expected, or at the end of the effect's 95 % interval that promises least
    (NULL without an interval)."""
    if program.rank_by == "expected_value":
        return benefit_sql(program)
    return benefit_sql(program, "cate_upper" if program.outcome.better == "lower" else "cate_lower")


def may_harm_sql(program: Program) -> str:
    """Whether the chance of a harmful effect is above what the program accepts; so it is without an interval.

    The estimate and its 95 % interval are taken for a normal distribution of the member's effect.
    """
    if program.largest_chance_of_harm is None:
        return "false"
    normal = NormalDist()
    steps = normal.inv_cdf(1 - program.largest_chance_of_harm) / (2 * normal.inv_cdf(0.975))
    return f"not coalesce({benefit_sql(program)} >= {steps!r}D * (cate_upper - cate_lower), false)"


def net_value_sql(program: Program, channel: str, benefit: str) -> str:
    """Dollars that an offer through a channel brings: what it keeps of the benefit, less its cost."""
    how = program.channels[channel]
    return f"cast({benefit} * {how.effect_share * program.outcome.usd_per_unit!r}D - {how.cost_usd!r}D as double)"


def best_value_sql(program: Program, benefit: str, allowed: str = "allowed_channels") -> str:
    """The net value through the best open channel; through the best of all where none is open."""
    values = {name: net_value_sql(program, name, benefit) for name in program.channels}
    best_open = ", ".join(f"if(array_contains({allowed}, {sql_string(n)}), {v}, null)" for n, v in values.items())
    return f"coalesce(array_max(array({best_open})), array_max(array({', '.join(values.values())})))"


def offers_sql(programs: Mapping[str, Program], value: Mapping[str, Mapping[str, str]], barred: str) -> str:
    """An array of `(channel, value, expected_usd)`, one per channel that is open to the row's member.

    Args:
        programs: by key; a row of another program gets an empty array.
        value: SQL of what the program ranks by, per program and channel.
        barred: SQL boolean: no channel is open.
    """
    cases = {}
    for key, program in programs.items():
        structs = ", ".join(
            f"named_struct('channel', {sql_string(name)}, 'value', cast({value[key][name]} as double),"
            f" 'expected_usd', {net_value_sql(program, name, benefit_sql(program))})"
            for name in program.channels
        )
        cases[key] = f"filter(array({structs}), o -> array_contains(allowed_channels, o.channel) and not {barred})"
    return by_key(
        "program", cases, "cast(array() as array<struct<channel: string, value: double, expected_usd: double>>)"
    )
