"""One Open Data Contract Standard 3.1 file per table: https://bitol.io, `DataContract` v3.1.0.

The files are committed under `contracts/odcs/`: they are what others read, and what `outreach contracts diff` compares
with. Rules are `quality` entries under their own names, with the Spark SQL that the enforcement runs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from contracts.catalog import catalog
from contracts.compile.rules import CompiledRule, rules_of
from contracts.compile.survey import fill_in
from contracts.model import Check, Column, Measure, Phi, Survey, TableContract

FOLDER = "contracts/odcs"
_HEADER = "# Rendered from contracts/ by `python -m contracts.compile odcs`; edit the contract, not this file.\n"
_LOGICAL = {
    "string": "string", "int": "integer", "bigint": "integer", "double": "number", "decimal(12,2)": "number",
    "boolean": "boolean", "date": "date", "timestamp": "timestamp", "array<string>": "array",
}  # fmt: skip
_DIMENSION = {
    "not_null": "completeness", "unique": "uniqueness", "reference": "consistency", "freshness": "timeliness",
    "row_count": "coverage", "expression": "consistency", "measure": "accuracy", "trend": "consistency",
    "quarantine_share": "conformity",
}  # fmt: skip


@cache
def odcs_files() -> Mapping[str, str]:
    """Rendered text by path below the repository, one file per table."""
    return {path_of(contract.name): render(contract) for contract in catalog().values()}


def path_of(table: str) -> str:
    """Where a table's file stands, below the repository."""
    return f"{FOLDER}/{table}.odcs.yaml"


def render(contract: TableContract) -> str:
    """The contract as YAML."""
    return _HEADER + yaml.safe_dump(
        document(contract), sort_keys=False, allow_unicode=True, width=120, default_flow_style=None
    )


def document(contract: TableContract) -> dict[str, Any]:
    """The contract as an ODCS document."""
    made: dict[str, Any] = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": contract.name,
        "name": contract.name,
        "version": contract.version,
        "status": "deprecated" if contract.is_deprecated else "active",
        "domain": contract.schema,
        "description": {"purpose": contract.description},
        "team": {"name": contract.owner},
        "schema": [_table(contract)],
        "customProperties": [
            _custom("writer", contract.writer),
            _custom("quarantineLimit", contract.quarantine_limit),
            *([_custom("quarantineFrom", contract.quarantine_from)] if contract.quarantine_from > 1 else []),
            _custom("brokenKey", contract.broken_key.value),
        ],
    }
    if contract.max_age_days is not None:
        made["slaProperties"] = [
            {
                "property": "freshness", "value": contract.max_age_days, "unit": "d", "element": f"{contract.table}.known_at",
                "description": "Days from the newest `known_at` of a source to the night.",
            }
        ]  # fmt: skip
    return made


def _table(contract: TableContract) -> dict[str, Any]:
    rules = rules_of(contract)
    made = {
        "id": contract.table,
        "name": contract.table,
        "physicalName": contract.name,
        "logicalType": "object",
        "physicalType": "table",
        "description": contract.description,
        "dataGranularityDescription": f"One row per {', '.join(contract.key)}." if contract.key else "No key.",
        "properties": [_property(column, contract, rules) for column in contract.columns],
        "quality": [_quality(rule, contract) for rule in rules if not rule.is_of_one_column],
    }
    relationships = [_relationship(rule, contract) for rule in rules if rule.reference is not None]
    return {**made, "relationships": relationships} if relationships else made


def _property(column: Column, contract: TableContract, rules: tuple[CompiledRule, ...]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": column.name,
        "name": column.name,
        "logicalType": _LOGICAL[column.spark_type],
        "physicalType": column.spark_type,
        "description": column.description,
    }
    if not column.nullable:
        made["required"] = True
    if column.name in contract.key:
        made |= {"primaryKey": True, "primaryKeyPosition": contract.key.index(column.name) + 1}
    if column.name in contract.partition_by:
        made |= {"partitioned": True, "partitionKeyPosition": contract.partition_by.index(column.name) + 1}
    if column.spark_type.startswith("array"):
        made["items"] = {"logicalType": "string", "physicalType": "string"}
    made["classification"] = "internal" if column.phi is Phi.NONE else "phi"
    known = [("phiClass", None if column.phi is Phi.NONE else column.phi.value), ("unit", column.unit)]
    if custom := [_custom(name, value) for name, value in known if value is not None]:
        made["customProperties"] = custom
    if quality := [_quality(r, contract) for r in rules if r.is_of_one_column and r.columns == (column.name,)]:
        made["quality"] = quality
    return made


def _relationship(rule: CompiledRule, contract: TableContract) -> dict[str, Any]:
    assert rule.reference is not None
    theirs = rule.reference.table.split(".")[1]
    file = Path(path_of(rule.reference.table)).name
    mine = [f"{contract.table}.{name}" for name in rule.reference.columns]
    others = [f"{file}#/schema/{theirs}/properties/{name}" for name in rule.reference.to_columns]
    if len(mine) == 1:
        return {"type": "foreignKey", "from": mine[0], "to": others[0]}
    return {"type": "foreignKey", "from": mine, "to": others}


def _quality(rule: CompiledRule, contract: TableContract) -> dict[str, Any]:
    """One rule: what it asks in ODCS's own words where it has some, else as SQL."""
    return {
        "name": rule.name,
        "description": rule.description,
        **_asked(rule, contract),
        "severity": rule.severity.value,
        "dimension": _DIMENSION.get(rule.kind, "conformity"),
        "tags": [rule.tier.value],
        "customProperties": [_custom("kind", rule.kind), *_arguments(rule.check)],
    }


def _asked(rule: CompiledRule, contract: TableContract) -> dict[str, Any]:
    if rule.kind == "not_null" and rule.name != "key__not_null":
        return {"type": "library", "metric": "nullValues", "mustBe": 0, "unit": "rows"}
    if rule.kind == "unique":
        keys = {"properties": list(rule.columns)}
        return {"type": "library", "metric": "duplicateValues", "arguments": keys, "mustBe": 0, "unit": "rows"}
    if rule.kind == "in_set" and rule.check is not None:
        values = {"validValues": _plain(dict(rule.check.arguments)["allowed_values"])}
        return {"type": "library", "metric": "invalidValues", "arguments": values, "mustBe": 0, "unit": "rows"}
    if rule.reference is not None:
        return _sql(_orphan_query(rule), {"mustBe": 0}, "rows")
    if rule.measure is not None:
        return _measured(rule, rule.measure, contract)
    return _sql(f"SELECT count(*) FROM ${{table}} WHERE {rule.sql}", {"mustBe": 0}, "rows")


def _measured(rule: CompiledRule, measure: Measure, contract: TableContract) -> dict[str, Any]:
    if rule.kind == "row_count":
        return {"type": "library", "metric": "rowCount", **_bounds(measure), "unit": "rows"}
    if rule.kind == "measure":
        survey = next(survey for survey in contract.surveys if measure in survey.measures)
        return _sql(_survey_query(survey, measure), _bounds(measure), measure.unit)
    return {"type": "custom", "engine": "outreach", "implementation": {"kind": rule.kind, **_bounds(measure)}}


def _survey_query(survey: Survey, measure: Measure) -> str:
    asked = " ".join(fill_in(survey, "${table}", lambda name: name).split())
    return f"SELECT {measure.name} FROM ({asked})"


def _orphan_query(rule: CompiledRule) -> str:
    assert rule.reference is not None
    pairs = list(zip(rule.reference.columns, rule.reference.to_columns, strict=True))
    on = " AND ".join(f"r.`{mine}` = t.`{theirs}`" for mine, theirs in pairs)
    given = " AND ".join(f"r.`{mine}` IS NOT NULL" for mine, _ in pairs)
    return f"SELECT count(*) FROM ${{table}} AS r LEFT ANTI JOIN {rule.reference.table} AS t ON {on} WHERE {given}"


def _bounds(measure: Measure) -> dict[str, Any]:
    low, high = measure.low, measure.high
    if low is not None and high is not None:
        return {"mustBe": low} if low == high else {"mustBeBetween": [low, high]}
    return {"mustBeLessOrEqualTo": high} if low is None else {"mustBeGreaterOrEqualTo": low}


def _sql(query: str, bounds: Mapping[str, Any], unit: str) -> dict[str, Any]:
    return {"type": "sql", "query": query, **bounds, "unit": unit}


def _arguments(check: Check | None) -> list[dict[str, Any]]:
    if check is None:
        return []
    return [_custom("arguments", {name: _plain(value) for name, value in check.arguments})]


def _plain(value: Any) -> Any:
    """A check's argument as YAML holds it: dates as ISO text, sets in a stable order."""
    if isinstance(value, tuple | list | set | frozenset):
        return sorted((_plain(one) for one in value), key=str)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return (
        value if value is None or isinstance(value, bool | int | float | str) else str(getattr(value, "pattern", value))
    )


def _custom(name: str, value: Any) -> dict[str, Any]:
    return {"property": name, "value": value}
