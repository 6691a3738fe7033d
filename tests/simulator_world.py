"""The simulator's own people, offers, outcomes and truth, as trials without an engine: its Spark SQL, run by DuckDB.

`jobs.simulate` states everything as SQL expressions over data frames; here the same functions get a frame that hands
each expression, in DuckDB's words, to DuckDB. Draws come from another hash, so single members differ from the
simulator's while every formula is shared. Features are what complete claims would show of the months before
(`_FEATURES`), without reporting lag, prices or codes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal, cast

import duckdb
import numpy as np
import pandas as pd
import sqlglot

from causal.trial import Placebo, Trial, make_trial
from jobs.simulate.clinic import BIT
from jobs.simulate.config import Effects, SimulationConfig
from jobs.simulate.months import member_months
from jobs.simulate.outreach import CHOSEN, NONE, PILOT_CONTROL, PILOT_OFFERED, with_offers, with_outcomes
from jobs.simulate.population import members
from jobs.simulate.programs import ADHERENCE, ED, MAINTENANCE, TRANSITIONS
from jobs.simulate.truth import potential_outcomes

Design = Literal["pilot", "chosen"]

# 63 random bits where Spark has 64: the functions that read them are told below.
_MACROS = (
    "create macro xxhash64"
    + ", ".join(
        f"({', '.join('abcde'[:n])}) as cast(hash(hash({', '.join('abcde'[:n])})) >> 1 as bigint)" for n in range(1, 6)
    ),
    "create macro shiftrightunsigned(a, n) as (a >> (n - 1))",
    "create macro pmod(a, n) as ((a % n) + n) % n",
    "create macro add_months(d, n) as cast(d + to_months(cast(n as int)) as date)",
    "create macro months_between(a, b) as (year(a) - year(b)) * 12 + month(a) - month(b) + (day(a) - day(b)) / 31.0",
    "create macro date_sub(d, n) as cast(d - to_days(cast(n as int)) as date)",
    "create macro date_add(d, n) as cast(d + to_days(cast(n as int)) as date)",
    "create macro datediff(a, b) as (cast(a as date) - cast(b as date))",
    "create macro array_compact(a) as list_filter(a, lambda x: x is not null)",
    "create macro bit_count_of(a) as bit_count(cast(a as bigint))",
)


@cache
def _in_duckdb(expression: str) -> str:
    """One select item of Spark SQL in DuckDB's words."""
    text = re.sub(r"\bbit_count\(", "bit_count_of(", expression)
    found = sqlglot.parse_one(f"select {text}", read="spark").sql(dialect="duckdb")
    return found.removeprefix("SELECT ")


class Frame:
    """The few verbs of a data frame that the simulator uses; every step is a table, as lazily as DuckDB likes."""

    def __init__(self, db: duckdb.DuckDBPyConnection, sql: str) -> None:
        self.db, self.sql = db, sql

    @property
    def columns(self) -> list[str]:
        return list(self.db.sql(f"select * from ({self.sql}) limit 0").columns)

    def withColumnRenamed(self, old: str, new: str) -> Frame:
        return Frame(self.db, f"select * rename ({old} as {new}) from ({self.sql})")

    def selectExpr(self, *expressions: str) -> Frame:
        return Frame(self.db, f"select {', '.join(map(_in_duckdb, expressions))} from ({self.sql})")

    def where(self, condition: str) -> Frame:
        return Frame(self.db, f"select * from ({self.sql}) where {_in_duckdb(condition)}")

    def kept(self, name: str) -> Frame:
        """Worked out once; later steps start from rows."""
        self.db.execute(f"create or replace table {name} as {self.sql}")
        return Frame(self.db, f"select * from {name}")


class _Session:
    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db

    def range(self, first: int, last: int, step: int, parts: int) -> Frame:
        return Frame(self.db, f"select range as id from range({first}, {last}, {step})")


def _window(expression: str, first: int, last: int) -> str:
    """Sum over the months `first` to `last` before."""
    return f"coalesce(sum({expression}) over (partition by member_no order by m range between {first} preceding and {last} preceding), 0)"


def _area_rate(column: str) -> str:
    return (
        f"coalesce(sum({column}) over (partition by area order by m range between 12 preceding and 1 preceding), 0)"
        " / greatest(count(*) over (partition by area order by m range between 12 preceding and 1 preceding), 1)"
    )


_MISSED = f"30 * (n_drugs - ({' + '.join(f'fill_{name}' for name in MAINTENANCE)}))"
_COUNTS = {
    "ed_visit": "n_ed",
    "acute_admission": "n_adm",
    "office_visit": "n_office",
    "outpatient_visit": "n_outpatient",
}
# Named as the nightly features that they stand for, so that a program's placebos find their columns.
_FEATURES = {
    "age": "age",
    "is_female": "cast(sex = 'female' as int)",
    "is_other_language": "cast(language <> 'en' as int)",
    "is_medicare": "cast(is_medicare as int)",
    "is_dual": "cast(is_dual as int)",
    "is_disability_entitled": "cast(is_disabled as int)",
    "is_high_deductible": "cast(plan like '%high deductible' as int)",
    "months_enrolled_count": "months_seen",
    **{f"{name}_{days}d_count": _window(column, months, 1)
       for name, column in _COUNTS.items() for days, months in ((30, 1), (90, 3), (365, 12))},
    "ed_visit_91_to_180d_count": _window("n_ed", 6, 4),
    "acute_admission_91_to_180d_count": _window("n_adm", 6, 4),
    "fill_365d_count": _window(" + ".join(f"fill_{name}" for name in MAINTENANCE), 12, 1),
    **{f"pdc_{name}_180d": f"if(on_{name.split('_')[0]}, {_window(f'fill_{name}', 6, 1)} / 6, null)" for name in MAINTENANCE},
    "maintenance_class_count": "n_drugs",
    "medication_gap_180d_days": _window(_MISSED, 6, 1),
    "medication_gap_181_to_360d_days": _window(_MISSED, 12, 7),
    **{f"has_{name}": f"cast((cond & {1 << bit}) <> 0 as int)" for name, bit in BIT.items()},
    "chronic_condition_count": "n_cond",
    "area_primary_care_365d_rate": _area_rate("n_office"),
    "area_ed_365d_rate": _area_rate("n_ed"),
}  # fmt: skip
BY_KEY = {program.key: program for program in (ED, TRANSITIONS, ADHERENCE)}


@dataclass(frozen=True)
class People:
    """Features, and truth of the index date: `effect`, `expected_y0`, `is_harmed_slice`; one row per person-trial."""

    X: pd.DataFrame
    truth: pd.DataFrame


@dataclass(frozen=True)
class SimulatedPlan:
    """A health plan's member-months with features and truth, in one DuckDB."""

    config: SimulationConfig
    db: duckdb.DuckDBPyConnection

    def trial(self, program: str, design: Design, rows: int | None = None) -> tuple[Trial, People]:
        """Every finished person-trial of the pilot, or of care managers' own choice (at most `rows`, by member).

        The members' outcomes are those under the offers made; who leaves the plan before the horizon is left out.
        """
        s = BY_KEY[program].short
        arms = (PILOT_OFFERED, PILOT_CONTROL) if design == "pilot" else (CHOSEN, NONE)
        found = self._rows(
            program,
            f"t.realized_y1 is not null and offer_{s} in {arms}",
            f"cast(offer_{s} = {arms[0]} as int) as offered",
        )
        if rows is not None and len(found) > rows:
            share = rows / len(found)
            draw = np.random.default_rng(self.config.seed).random(int(found["member_no"].max()) + 1)
            found = found[draw[found["member_no"]] < share].reset_index(drop=True)
        X, t = found[list(_FEATURES)], found["offered"].to_numpy()
        trial = make_trial(
            X,
            t,
            np.where(t == 1, found["realized_y1"], found["realized_y0"]).astype(float),
            "lower",
            cluster=found["member_no"].to_numpy(),
            known_propensity=0.5 if design == "pilot" else None,
            placebos=_placebos(program, X),
            arm=program,
        )
        return trial, People(X, found[["effect", "expected_y0", "is_harmed_slice"]])

    def night(self, program: str) -> People:
        """Everybody eligible on the first day after the history."""
        found = self._rows(program, f"o.m = {self.config.months}", "0 as offered")
        return People(found[list(_FEATURES)], found[["effect", "expected_y0", "is_harmed_slice"]])

    def past(self, program: str) -> People:
        """All eligible member-months of the history, whoever was offered: what effects there are to learn."""
        found = self._rows(program, f"o.m < {self.config.months}", "0 as offered")
        return People(found[list(_FEATURES)], found[["effect", "expected_y0", "is_harmed_slice"]])

    def _rows(self, program: str, where: str, more: str) -> pd.DataFrame:
        return cast(
            pd.DataFrame,
            self.db.execute(f"""
                select o.member_no, {", ".join(f"o.{name}" for name in _FEATURES)}, {more}, t.effect, t.expected_y0,
                    t.realized_y0, t.realized_y1, t.is_harmed_slice
                from history o join truth t on t.member_id = o.member_id and t.index_date = o.month_start
                    and t.program = '{program}'
                where t.is_eligible and {where} order by o.member_no, o.m""").df(),
        )


def _placebos(program: str, X: pd.DataFrame) -> dict[str, Placebo]:
    """The program's own placebo outcomes that these features can tell."""
    from contracts.programs import programs

    found = {}
    for past in programs().programs[program].placebos:
        if {past.feature, *past.less} <= set(X):
            values = X[past.feature].to_numpy(dtype=float) - sum(X[part].to_numpy(dtype=float) for part in past.less)
            overlapping = re.compile(past.overlapping)
            found[past.name] = Placebo(values, tuple(name for name in X if overlapping.match(name)))
    return found


def simulated_plan(members_count: int, seed: int, **changes: Any) -> SimulatedPlan:
    """Make a plan of 30 months; `changes` are of `SimulationConfig` (`effects` of `Effects`)."""
    if "effects" in changes:
        changes["effects"] = Effects(**changes["effects"])
    config = SimulationConfig(members=members_count, end_date=date(2026, 11, 25), seed=seed, **changes)
    db = duckdb.connect()
    db.execute("set threads = 1")
    for macro in _MACROS:
        db.execute(macro)
    # The simulator's functions take anything with the verbs of a data frame.
    people: Any = members(cast(Any, _Session(db)), config)
    months: Any = member_months(people.kept("people"), config)
    offers: Any = with_offers(months.kept("months"), config)
    outcomes: Any = with_outcomes(offers.kept("offers"), config).where("is_enrolled").kept("outcomes")
    for name in ("people", "months", "offers"):
        db.execute(f"drop table {name}")
    cast(Any, potential_outcomes(outcomes, config, "simulated")).kept("truth")
    features = ", ".join(f"{sql} as {name}" for name, sql in _FEATURES.items())
    flags = "member_no, member_id, m, month_start, offer_ed, offer_toc, offer_med"
    eligible = " or ".join(f"eligible_{program.short}" for program in BY_KEY.values())
    db.execute(
        f"create table history as select * exclude (kept) from"
        f" (select {flags}, {features}, {eligible} as kept from outcomes) where kept"
    )
    db.execute("drop table outcomes")
    return SimulatedPlan(config, db)
