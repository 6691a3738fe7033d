"""`staging`, `core`, `features`: dbt writes a layer, then one pass per table enforces its contract before the next."""

from collections.abc import Iterator

import dagster as dg

from contracts.catalog import layer
from dagster_project.assets.reported import materialized
from dagster_project.checks import check_specs
from dagster_project.manifest import dbt_specs
from dagster_project.partitions import night_of, nights
from dagster_project.policies import POOL, RETRY
from dagster_project.resources import LAKEHOUSE


def _dbt_layer(name: str, partitions: dg.PartitionsDefinition | None = None) -> dg.AssetsDefinition:
    """One step per layer: dbt's start-up is paid once, and a table is never read before its contract was enforced."""
    specs = [spec.replace_attributes(partitions_def=partitions) if partitions else spec for spec in dbt_specs(name)]
    built = {tuple(spec.key.path) for spec in specs}
    tables = [table for table in layer(name) if table.asset_key in built]

    @dg.multi_asset(
        name=f"{name}_tables",
        specs=specs,
        check_specs=check_specs(tables, partitions),
        pool=POOL,
        required_resource_keys={LAKEHOUSE},
        retry_policy=RETRY,
        can_subset=False,
    )
    def build(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        from jobs.transform import build_layer

        night = night_of(context)
        yield from materialized(build_layer(name, night.data_source, night.run_date, run_id=context.run_id))

    return build


staging_tables = _dbt_layer("staging")
core_tables = _dbt_layer("core")
feature_tables = _dbt_layer("features", nights)
