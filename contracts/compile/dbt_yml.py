"""dbt's `schema.yml` of a layer, rendered from the contracts: columns, types, meanings, PHI class.

No dbt tests are rendered: the enforcement pass judges every rule anyway, with the row-level result that dbt cannot
give. dbt's own model contract (one more empty query per node) is off in a night, where the audit checks names and
types, and on with `--vars '{enforce_contracts: true}'`, as the dbt tests run it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from contracts.catalog import LAYERS, layer
from contracts.model import Column, Phi, TableContract

_HEADER = "# Rendered from contracts/ by `python -m contracts.compile dbt`; edit the contract, not this file.\n"
_ENFORCED = "{{ var('enforce_contracts', false) }}"


def dbt_files() -> Mapping[str, str]:
    """Rendered text by path below the repository, one file per layer that dbt writes."""
    written = {schema: [c for c in layer(schema) if c.writer == "dbt"] for schema in LAYERS}
    return {path_of(schema): render(contracts) for schema, contracts in written.items() if contracts}


def path_of(schema: str) -> str:
    """Where a layer's file stands, below the repository."""
    return f"dbt/models/{schema}/_{schema}__models.yml"


def render(contracts: Sequence[TableContract]) -> str:
    """One `schema.yml`."""
    document = {"version": 2, "models": [_model(contract) for contract in contracts]}
    return _HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _model(contract: TableContract) -> dict[str, Any]:
    return {
        "name": contract.table,
        "description": contract.description,
        "config": {
            "contract": {"enforced": _ENFORCED},
            "meta": {"owner": contract.owner, "contract_version": contract.version, "key": list(contract.key)},
        },
        "columns": [_column(column) for column in contract.columns],
    }


def _column(column: Column) -> dict[str, Any]:
    meta = {"phi": column.phi.value if column.phi is not Phi.NONE else None, "unit": column.unit}
    given = {name: value for name, value in meta.items() if value is not None}
    rendered = {"name": column.name, "data_type": column.spark_type, "description": column.description}
    return {**rendered, "config": {"meta": given}} if given else rendered
