"""OpenLineage facets of a contract and of an audit, as plain dictionaries for whichever emitter sends them.

Facets of the OpenLineage specification 2-0-2: schema 1-2-0, dataQualityAssertions 1-1-0, documentation 1-1-0,
ownership 1-0-1, tags 1-0-0. They hold names, meanings and counts; never a value of a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from contracts.compile.rules import CompiledRule, rules_of
from contracts.model import Column, Phi, TableContract

PRODUCER = "urn:outreach-uplift:contracts"
_SPEC = "https://openlineage.io/spec/facets"
Facet = dict[str, Any]


class Judged(Protocol):
    """What an audit says of one rule, as `jobs.audit_result.RuleResult` does."""

    @property
    def name(self) -> str: ...
    @property
    def passed(self) -> bool: ...
    @property
    def is_evaluated(self) -> bool: ...
    @property
    def rows_broken(self) -> int: ...
    @property
    def rows_checked(self) -> int: ...
    @property
    def observed(self) -> float | None: ...


def dataset_facets(contract: TableContract) -> dict[str, Facet]:
    """What the contract alone says of its dataset: `schema`, `documentation`, `ownership`, `tags`."""
    return {
        "schema": schema_facet(contract),
        "documentation": _facet("1-1-0/DocumentationDatasetFacet", description=contract.description),
        "ownership": _facet(
            "1-0-1/OwnershipDatasetFacet", owners=[{"name": f"team:{contract.owner}", "type": "MAINTAINER"}]
        ),
        "tags": tags_facet(contract),
    }


def schema_facet(contract: TableContract) -> Facet:
    """Columns with types and meanings, in order."""
    fields = [
        {"name": c.name, "type": c.spark_type, "description": c.description, "ordinal_position": position}
        for position, c in enumerate(contract.columns, start=1)
    ]
    return _facet("1-2-0/SchemaDatasetFacet", fields=fields)


def tags_facet(contract: TableContract) -> Facet:
    """PHI class and unit per column that has one; the contract's version for the dataset."""
    tags = [{"key": "contract_version", "value": contract.version, "source": "CONTRACT"}]
    tags += [tag for column in contract.columns for tag in _column_tags(column)]
    return _facet("1-0-0/TagsDatasetFacet", tags=tags)


def _column_tags(column: Column) -> Iterable[dict[str, str]]:
    if column.phi is not Phi.NONE:
        yield {"key": "phi", "value": column.phi.value, "source": "CONTRACT", "field": column.name}
    if column.unit:
        yield {"key": "unit", "value": column.unit, "source": "CONTRACT", "field": column.name}


def assertions_facet(contract: TableContract, results: Iterable[Judged]) -> Facet:
    """Every rule that was judged: did it hold, what was expected, what was found.

    An input dataset facet of the specification: it belongs into `inputFacets` of the dataset that was read and judged.

    Args:
        contract: of the audited table.
        results: one per rule, e.g. `AuditResult.rules`; rules that could not be judged are left out.
    """
    rules = {rule.name: rule for rule in rules_of(contract)}
    judged = [_assertion(rules[result.name], result) for result in results if result.is_evaluated]
    return _facet("1-1-0/DataQualityAssertionsDatasetFacet", assertions=judged)


def _assertion(rule: CompiledRule, result: Judged) -> dict[str, Any]:
    found = {
        "assertion": rule.kind,
        "name": rule.name,
        "success": result.passed,
        "severity": rule.severity.value,
        "description": rule.description,
        "expected": rule.expected,
        "actual": _actual(rule, result),
        "params": {"tier": rule.tier.value, "rowsChecked": result.rows_checked, "rowsBroken": result.rows_broken},
    }
    if len(rule.columns) == 1:
        found["column"] = rule.columns[0]
    if rule.sql:
        found |= {"content": rule.sql, "contentType": "sql"}
    return found


def _actual(rule: CompiledRule, result: Judged) -> str:
    if rule.measure is None:
        return f"{result.rows_broken} of {result.rows_checked} rows break it"
    return "nothing to measure" if result.observed is None else f"{result.observed:g} {rule.measure.unit}"


def _facet(schema: str, **fields: Any) -> Facet:
    name = schema.rsplit("/", 1)[1]
    return {"_producer": PRODUCER, "_schemaURL": f"{_SPEC}/{schema}.json#/$defs/{name}", **fields}
