"""`causal.member_score` and `outreach`: tonight's scores, then the list that people read."""

from collections.abc import Iterator

import dagster as dg

from contracts.catalog import contract
from contracts.views import VIEWS, View
from dagster_project.assets.reported import lineage_metadata, materialized
from dagster_project.checks import check_specs
from dagster_project.manifest import column_schema, described_spec
from dagster_project.partitions import night_of, nights
from dagster_project.policies import POOL, RETRY
from dagster_project.resources import LAKEHOUSE

_features = dg.AssetKey(["features", "member_feature"])
_scores = dg.AssetKey(["causal", "member_score"])
_models = dg.AssetKey(["causal", "model"])
_reads = [dg.AssetKey(["core", "consent"]), dg.AssetKey(["core", "outreach_contact"])]
_published = ("outreach.priority", "outreach.capacity_price", "outreach.program_summary")


@dg.multi_asset(
    name="scoring",
    specs=[
        described_spec(
            "causal.member_score", deps=[_features, _models, *_reads], kinds={"econml", "spark", "delta"}
        ).replace_attributes(group_name="outreach", partitions_def=nights)
    ],
    check_specs=check_specs([contract("causal.member_score")], nights),
    pool=POOL,
    required_resource_keys={LAKEHOUSE},
    retry_policy=RETRY,
)
def scoring(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Score every member with each program's champion, or with its fallback rule."""
    from jobs.night import score_night

    night = night_of(context)
    yield from materialized([score_night(night.data_source, night.run_date, run_id=context.run_id)])


@dg.multi_asset(
    name="publication",
    specs=[
        described_spec(name, deps=[_scores], kinds={"spark", "delta"}).replace_attributes(partitions_def=nights)
        for name in _published
    ],
    check_specs=check_specs([contract(name) for name in _published], nights),
    pool=POOL,
    required_resource_keys={LAKEHOUSE},
    retry_policy=RETRY,
    can_subset=False,
)
def publication(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Allocate capacity, audit, and replace the night's partition at once; unchanged rows write nothing."""
    from jobs.night import publish_night

    night = night_of(context)
    yield from materialized(publish_night(night.data_source, night.run_date, run_id=context.run_id))
    for name in VIEWS:
        context.log_event(dg.AssetMaterialization(dg.AssetKey(name.split(".")), metadata=lineage_metadata(name)))


def _view(view: View) -> dg.AssetSpec:
    return dg.AssetSpec(
        dg.AssetKey(view.name.split(".")),
        deps=[dg.AssetKey(table.split(".")) for table in _published],
        description=view.description,
        group_name="outreach",
        owners=[f"team:{view.owner}"],
        kinds={"view"},
        metadata={"dagster/column_schema": column_schema(view.columns), "dagster/table_name": view.name},
    )


views = [_view(view) for view in VIEWS.values()]
