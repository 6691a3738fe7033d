"""What an analyst sees of a column, by its HIPAA class: Safe Harbor, 45 CFR 164.514(b)(2), as SQL for both engines.

Numbers that identify become pseudonyms (a keyed hash: equal in every table, so that joins hold; the key stays in the
state folder), dates of a person become their year, ages over 89 one group, ZIP codes their first three digits where
20,000 people or more live there; every other identifier is left out.

What is told by windows before a night (a count of 30 days) still tells when care was given, so that rows are fit for use
within the plan and not for publication; docs/sql.md says so.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from contracts.dictionary import ColumnEntry, TableEntry

# 17 three-digit areas of 20,000 people or fewer, 2000 census: HHS guidance on de-identification, section on ZIP codes.
SMALL_ZIP3 = (
    "036", "059", "063", "102", "203", "556", "692", "790", "821", "823", "830", "831", "878", "879", "884", "890", "893",
)  # fmt: skip
_NUMBERS = ("medical_record_number", "health_plan_beneficiary_number", "account_number", "other_unique_identifier")
_PSEUDONYM_DIGITS = 20
_DAYS = 30
_AGES = 10
_GREAT_AGE, _OLD = "^Age (9[0-9]|1[0-9][0-9])$", "Age 90 or over"
_AGO = "^(.*) ([0-9]+) days ago$"
_HASH = {"duckdb": "sha256({0})", "spark": "sha2({0}, 256)"}


def is_days_since(name: str) -> bool:
    """Whether a column counts the days since an event, and with the night beside it tells its date."""
    return name.startswith("days_since_") or name == "medication_out_of_supply_days"


@dataclass(frozen=True)
class Shown:
    """A column of a de-identified view: its name, type and meaning there, and the SQL that gives it."""

    name: str
    type: str
    description: str
    sql: str


def shown_columns(table: TableEntry, secret: bytes, engine: str, put: Callable[[str], str] = repr) -> tuple[Shown, ...]:
    """The columns of a table's de-identified view, in the table's order.

    Args:
        table: a table, not a view; views are made over de-identified tables.
        secret: this installation's key.
        engine: `duckdb` or `spark`.
        put: SQL of a half of a key, which is hexadecimal digits; by default they stand there as a text.
    """
    has_source = any(c.name == "data_source" for c in table.columns)
    keyed = partial(_keyed, engine=engine, put=put)
    found = (_shown(c, table, secret, keyed, has_source) for c in table.columns)
    return tuple(column for column in found if column is not None)


def view_columns(view: TableEntry) -> tuple[Shown, ...]:
    """The same for a view, whose columns are computed from de-identified tables already."""
    found = (_shown(c, view, b"", partial(_keyed, engine="duckdb", put=repr), True) for c in view.columns)
    return tuple(column for column in found if column is not None)


def shown_value(name: str, value: Any) -> Any:
    """What an analyst sees of one value of a column without a HIPAA class: as the view's SQL, for values read already."""
    if value is None:
        return None
    if name == "age":
        low = int(value) // _AGES * _AGES
        return "90 and over" if value >= 90 else f"{low} to {low + _AGES - 1}"
    if name.startswith("reason_"):
        if re.fullmatch(_GREAT_AGE, value):
            return _OLD
        ago = re.fullmatch(_AGO, value)
        return f"{ago[1]} {_days(int(ago[2]))} days ago" if ago else value
    return int(value) // _DAYS * _DAYS if is_days_since(name) else value


def _days(days: int) -> str:
    low = days // _DAYS * _DAYS
    return f"{low} to {low + _DAYS - 1}"


def _shown(
    column: ColumnEntry, table: TableEntry, secret: bytes, keyed: Callable[[str, str, str], str], has_source: bool
) -> Shown | None:
    name, text = column.name, column.description
    if column.phi == "none" or name in table.partition_by:
        if column.unit == "years" and name == "age":
            return Shown("age_band", "string", "Age in bands of ten years; 90 and over is one.", _age_band(name))
        if is_days_since(name):
            text = f"Rounded down to {_DAYS} days. {text}"
            return Shown(name, column.type, text, f"cast(floor({name} / {_DAYS}) * {_DAYS} as int)")
        if name.startswith("reason_"):
            return Shown(name, column.type, text, _reason(name))
        return Shown(name, column.type, text, name)
    if column.phi in _NUMBERS:
        key = hmac.new(secret, f"pseudonym:{name}".encode(), hashlib.sha256).hexdigest()
        source = "data_source, '|', " if has_source else ""
        return Shown(name, "string", f"Pseudonym, the same in every table. {text}", keyed(name, key, source))
    if column.phi == "date":
        if name == "birth_date":
            return None  # its year would tell who is over 89
        return Shown(
            name, column.type, f"Year only, as its first day. {text}", f"cast(date_trunc('year', {name}) as date)"
        )
    if column.phi == "geographic_subdivision" and name == "zip_code":
        small = ", ".join(f"'{z}'" for z in SMALL_ZIP3)
        sql = f"case when substr({name}, 1, 3) in ({small}) then '000' else substr({name}, 1, 3) end"
        return Shown("zip3_code", "string", "First three digits; 000 where few people live.", sql)
    return None


def _keyed(name: str, key: str, source: str, *, engine: str, put: Callable[[str], str]) -> str:
    """Two nested keyed hashes, as HMAC does; NULL stays NULL."""
    sha = _HASH[engine]
    inner = sha.format(f"concat({put(key[:32])}, {source}{name})")
    outer = sha.format(f"concat({put(key[32:])}, {inner})")
    return f"case when {name} is not null then substr({outer}, 1, {_PSEUDONYM_DIGITS}) end"


def _reason(name: str) -> str:
    """A reason without a great age or an exact day, which with the night beside it would be a date."""
    low = f"floor(try_cast(regexp_extract({name}, '{_AGO}', 2) as int) / {_DAYS}) * {_DAYS}"
    return (
        f"case when {name} like '% days ago' then concat(regexp_extract({name}, '{_AGO}', 1), ' ', "
        f"cast(cast({low} as int) as string), ' to ', cast(cast({low} + {_DAYS - 1} as int) as string), ' days ago') "
        f"else regexp_replace({name}, '{_GREAT_AGE}', '{_OLD}') end"
    )


def _age_band(name: str) -> str:
    low = f"floor({name} / {_AGES}) * {_AGES}"
    return (
        f"case when {name} >= 90 then '90 and over' when {name} is not null then "
        f"concat(cast(cast({low} as int) as string), ' to ', cast(cast({low} + {_AGES - 1} as int) as string)) end"
    )
