"""Every table by its one name: asset key, Delta table, dbt model, contract and lineage dataset all derive from here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from contracts import tables
from contracts.errors import ConfigError
from contracts.model import TableContract, declared, resolve

LAYERS = ("raw", "staging", "core", "features", "causal", "outreach", "ops", "truth")


@cache
def catalog() -> Mapping[str, TableContract]:
    """All contracts by `schema.table`, ordered by layer.

    Raises:
        ConfigError: two contracts claim one name, or a schema is not a layer.
    """
    for module in iter_modules(tables.__path__):
        import_module(f"{tables.__name__}.{module.name}")
    found: dict[str, TableContract] = {}
    for model in declared():
        if not model.__module__.startswith(f"{tables.__name__}."):
            continue  # a contract that a test or a benchmark declares for itself is no table of the project
        contract = resolve(model)
        if contract.schema not in LAYERS:
            raise ConfigError(f"Contract {contract.name} is in no layer.", expected=", ".join(LAYERS))
        if contract.name in found:
            raise ConfigError(f"Two contracts claim {contract.name}.", todo="rename one of them")
        found[contract.name] = contract
    return MappingProxyType(dict(sorted(found.items(), key=lambda item: LAYERS.index(item[1].schema))))


def contract(name: str) -> TableContract:
    """The contract of `schema.table`.

    Raises:
        ConfigError: no such table.
    """
    try:
        return catalog()[name]
    except KeyError:
        raise ConfigError(f"No table is called {name}.", todo="`outreach contracts list` names them.") from None


def layer(schema: str) -> tuple[TableContract, ...]:
    """The contracts of one layer, in order of declaration."""
    return tuple(c for c in catalog().values() if c.schema == schema)
