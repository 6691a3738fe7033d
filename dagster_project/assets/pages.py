"""Pages as assets: the night's report that a program manager opens, and the month's on models."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from dagster_project.partitions import months, night_of, nights
from dagster_project.policies import POOL, RETRY
from dagster_project.resources import LAKEHOUSE

_KEY = dg.AssetKey(["outreach", "night_report"])
_MONTH = dg.AssetKey(["outreach", "model_report"])


@dg.multi_asset(
    name="night_report",
    specs=[
        dg.AssetSpec(
            _KEY,
            deps=[dg.AssetKey(["outreach", name]) for name in ("priority", "capacity_price", "program_summary")],
            description="One self-contained HTML page per night and source: aggregates only, small counts hidden.",
            group_name="outreach",
            owners=["team:care-management"],
            kinds={"html"},
            partitions_def=nights,
        )
    ],
    pool=POOL,
    required_resource_keys={LAKEHOUSE},
    retry_policy=RETRY,
)
def night_report(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Draw the night's report and refresh the index of all nights."""
    from jobs.ledger import step
    from jobs.report.write import write_report

    night = night_of(context)
    with step("report"):
        page = write_report(night.data_source, night.run_date)
    yield dg.MaterializeResult(
        asset_key=_KEY,
        metadata={
            "report": dg.MetadataValue.url(page.as_uri()),
            "index": dg.MetadataValue.url((page.parents[2] / "index.html").as_uri()),
            "bytes": page.stat().st_size,
        },
    )


@dg.multi_asset(
    name="model_report",
    specs=[
        dg.AssetSpec(
            _MONTH,
            deps=[
                *(
                    dg.AssetKey(["causal", name])
                    for name in ("model", "gate_result", "evaluation", "shadow_comparison")
                ),
                *(dg.AssetKey(["outreach", name]) for name in ("program_summary", "realized_uplift")),
            ],
            description="One page per month and source on models: trained, decided, challengers beside what serves, realised.",
            group_name="reports",
            owners=["team:care-management"],
            kinds={"html"},
            partitions_def=months,
        )
    ],
    pool=POOL,
    required_resource_keys={LAKEHOUSE},
    retry_policy=RETRY,
)
def model_report(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Draw a month's page on models and refresh the index."""
    from jobs.ledger import step
    from jobs.report.month import write_month

    keys = context.partition_key.keys_by_dimension
    with step("month report"):
        page = write_month(keys["source"], date.fromisoformat(keys["month"]))
    yield dg.MaterializeResult(
        asset_key=_MONTH, metadata={"report": dg.MetadataValue.url(page.as_uri()), "bytes": page.stat().st_size}
    )
