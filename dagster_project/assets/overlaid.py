"""`staging.overlay__*`: simulated outreach laid over sources of real members that bring none of their own."""

from collections.abc import Iterator

import dagster as dg

from contracts.catalog import contract
from dagster_project.assets.reported import materialized
from dagster_project.checks import check_specs
from dagster_project.manifest import dbt_specs, described_spec
from dagster_project.partitions import night_of
from dagster_project.policies import POOL, RETRY
from dagster_project.resources import LAKEHOUSE

TABLES = ("staging.overlay__outreach_contact", "staging.overlay__prevented_claim")
_tables = [contract(name) for name in TABLES]
_members = [spec.key for spec in dbt_specs("staging") if spec.key.path[-1].startswith(("stg_desynpuf", "stg_synthea"))]


@dg.multi_asset(
    name="overlay",
    specs=[described_spec(name, deps=_members, kinds={"spark", "delta"}) for name in TABLES],
    check_specs=check_specs(_tables),
    pool=POOL,
    required_resource_keys={LAKEHOUSE},
    retry_policy=RETRY,
    can_subset=False,
)
def overlay(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Overlay outreach on the night's source where that source has none; others are left as they are."""
    from jobs.transform import overlay_source

    yield from materialized(overlay_source(night_of(context).data_source, run_id=context.run_id))
