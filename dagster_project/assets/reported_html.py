"""`outreach.night_report`: the page that a program manager opens, made from what was published."""

from collections.abc import Iterator

import dagster as dg

from dagster_project.partitions import night_of, nights
from dagster_project.policies import POOL, RETRY
from dagster_project.resources import LAKEHOUSE

_KEY = dg.AssetKey(["outreach", "night_report"])


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
