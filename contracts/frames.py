"""The same rules on a pandas frame, without Spark: by Pandera's own backend, rules across columns by DuckDB.

For frames in Python programs and notebooks, and as the reference that the Spark pass is held against.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import sqlglot

from contracts.compile.rules import Scope, rules_of
from contracts.errors import ContractError
from contracts.model import Severity, TableContract

Broken = Mapping[str, "np.ndarray[Any, np.dtype[np.bool_]]"]


def broken_rows(contract: TableContract, frame: pd.DataFrame) -> Broken:
    """Per row rule, and for `key__unique`, a mask of the rows that break it, under the names of the contract's rules.

    Of rows with one key, the first counts as the one that stays. References, surveys and limits need more than a frame
    and are not judged.

    Args:
        contract: whose rules.
        frame: with the contract's columns, as Arrow types (`pd.ArrowDtype`).

    Raises:
        ContractError: a column is missing, or of another type.
    """
    _refuse_other_types(contract, frame)
    found = {**_column_rules(contract, frame), **_cross_column_rules(contract, frame)}
    if contract.key:
        key = list(contract.key)
        found["key__not_null"] = frame[key].isna().any(axis=1).to_numpy(dtype=bool)
        found["key__unique"] = frame.duplicated(key, keep="first").to_numpy(dtype=bool)
    judged = [rule.name for rule in rules_of(contract) if rule.scope in (Scope.ROW, Scope.KEY)]
    return {name: found[name] for name in judged}


def require(contract: TableContract, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame, unless a row breaks a rule of severity `error`.

    Raises:
        ContractError: with the names of the rules and the numbers of rows; never a value.
    """
    broken = broken_rows(contract, frame)
    errors = [rule.name for rule in rules_of(contract) if rule.name in broken and rule.severity is Severity.ERROR]
    if found := {name: int(broken[name].sum()) for name in errors if broken[name].any()}:
        raise ContractError(
            f"The frame breaks the contract of {contract.name} {contract.version}.",
            actual=", ".join(f"{name}: {count} of {len(frame)} rows" for name, count in found.items()),
            todo=f"see `outreach contracts show {contract.name}` for what the rules ask.",
        )
    return frame


def _refuse_other_types(contract: TableContract, frame: pd.DataFrame) -> None:
    fields = contract.model.to_schema().columns
    other = [
        f"{name} {frame[name].dtype if name in frame else 'missing'} instead of {field.dtype.type}"
        for name, field in fields.items()
        if name not in frame or frame[name].dtype != field.dtype.type
    ]
    if other:
        raise ContractError(
            f"The frame does not have the columns of {contract.name}.",
            actual="; ".join(other),
            todo="cast them: frame.astype(...) or pyarrow's to_pandas(types_mapper=pd.ArrowDtype).",
        )


def _column_rules(contract: TableContract, frame: pd.DataFrame) -> dict[str, Any]:
    """By Pandera's own checks, in the order in which the compiler names them."""
    names = iter(rule.name for rule in rules_of(contract) if rule.is_of_one_column)
    found: dict[str, Any] = {}
    for column, field in contract.model.to_schema().columns.items():
        if not field.nullable:
            found[next(names)] = frame[column].isna().to_numpy(dtype=bool)
        for check in field.checks:
            holds = check(frame[column]).check_output  # without the rows that are NULL: they pass
            found[next(names)] = ~holds.reindex(frame.index, fill_value=True).to_numpy(dtype=bool)
    return found


def _cross_column_rules(contract: TableContract, frame: pd.DataFrame) -> dict[str, Any]:
    if not contract.rules:
        return {}
    columns = [f"NOT coalesce({_in_duckdb(rule.sql)}, true)" for rule in contract.rules]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.create_function("luhn_check", _luhn_check, ["VARCHAR"], "BOOLEAN")
        connection.register("rows", pa.Table.from_pandas(frame[list(contract.column_names)], preserve_index=False))
        answer = connection.execute(f"SELECT {', '.join(columns)} FROM rows").fetchall()
    masks = np.array(answer, dtype=bool).reshape(len(frame), len(contract.rules))
    return {rule.name: masks[:, i] for i, rule in enumerate(contract.rules)}


def _in_duckdb(sql: str) -> str:
    return sqlglot.transpile(sql, read="spark", write="duckdb")[0]


def _luhn_check(digits: str) -> bool:
    """ISO/IEC 7812, as Spark's function of this name."""
    doubled = [int(digit) * (1 + i % 2) for i, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
