"""The dbt models that the asset graph is made of, read from a manifest parsed anew when the dbt project changed."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dagster import AssetSpec, TableSchema

    from contracts.model import Column


@cache
def models() -> Mapping[str, Sequence[str]]:
    """Per table that dbt builds, the tables it is built from.

    Kept beside dbt's own artifacts while the project's files and the packages are the same: to parse the project takes
    seconds, and to import dagster-dbt, and dbt with it, takes every process two.
    """
    from jobs.dbt import project_digest

    path = settings().home / "dbt" / "models.json"
    read_by = sha256(Path(__file__).read_bytes()).hexdigest()
    state = " ".join((project_digest(), read_by, version("dbt-core"), version("dagster-dbt")))
    found = _kept_models(path, state)
    if found is None:
        from jobs.report.write import replace_file

        found = _read_models()
        replace_file(path, json.dumps({"of": state, "models": found}))
    return found


def _kept_models(path: Path, state: str) -> Mapping[str, Sequence[str]] | None:
    """What was kept of this state of the project; None when it is of another, or cannot be read."""
    try:
        kept = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return kept["models"] if kept.get("of") == state else None


def _read_models() -> Mapping[str, Sequence[str]]:
    """From a manifest parsed now: the one that is there may be of other files."""
    import dagster as dg
    from dagster_dbt import DagsterDbtTranslator, build_dbt_asset_specs

    from jobs.dbt import parse_project

    class Translator(DagsterDbtTranslator):
        """Keys are table names; everything else comes from the contract."""

        def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
            return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    manifest = json.loads(parse_project().read_text())
    specs = build_dbt_asset_specs(manifest=manifest, dagster_dbt_translator=Translator())
    return {".".join(spec.key.path): [".".join(dep.asset_key.path) for dep in spec.deps] for spec in specs}


def dbt_specs(layer: str) -> Sequence[AssetSpec]:
    """Asset specs of one layer's dbt models: key `[schema, table]`, deps from the manifest, words from the contracts."""
    import dagster as dg

    from contracts.catalog import catalog

    return [
        described_spec(name, deps=[dg.AssetKey(dep.split(".")) for dep in deps], kinds={"dbt", "spark", "delta"})
        for name, deps in models().items()
        if name.startswith(f"{layer}.") and name in catalog()
    ]


def described_spec(name: str, deps: Sequence[Any] = (), **attributes: Any) -> AssetSpec:
    """The asset spec of a table from its contract: description, owner, columns with types, units and PHI classes."""
    import dagster as dg

    from contracts.catalog import contract

    table = contract(name)
    return dg.AssetSpec(
        dg.AssetKey(table.asset_key),
        deps=list(deps),
        description=table.description,
        owners=[f"team:{table.owner}"],
        group_name=table.schema,
        metadata={
            "dagster/column_schema": column_schema(table.columns),
            "dagster/table_name": table.name,
            "key": ", ".join(table.key),
            "contract_version": table.version,
        },
        **attributes,
    )


def column_schema(columns: Iterable[Column]) -> TableSchema:
    """Columns as Dagster shows them: type, meaning, and as tags their PHI class and unit."""
    import dagster as dg

    from contracts.model import Phi

    def tags(column: Column) -> dict[str, str]:
        found = {"phi": "" if column.phi is Phi.NONE else column.phi.value, "unit": column.unit or ""}
        return {name: value for name, value in found.items() if value}

    return dg.TableSchema(
        columns=[dg.TableColumn(c.name, c.spark_type, description=c.description, tags=tags(c)) for c in columns]
    )
