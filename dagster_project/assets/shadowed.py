"""`causal.shadow_*`: the challengers' scores of a night that is out already, and what they would have changed."""

from collections.abc import Iterator

import dagster as dg

from contracts.catalog import contract
from dagster_project.assets.reported import materialized
from dagster_project.checks import check_specs
from dagster_project.manifest import described_spec
from dagster_project.partitions import night_of, nights
from dagster_project.policies import POOL, RETRY
from dagster_project.resources import LAKEHOUSE

TABLES = ("causal.shadow_score", "causal.shadow_comparison")
_tables = [contract(name) for name in TABLES]
_checks = check_specs(_tables, nights)
# After everything that people read tonight, so that a slow challenger delays none of it.
_after = [
    dg.AssetKey(["causal", "member_score"]),
    dg.AssetKey(["outreach", "priority"]),
    dg.AssetKey(["outreach", "night_report"]),
]


@dg.multi_asset(
    name="shadow_scoring",
    specs=[
        described_spec(name, deps=_after, kinds={"econml", "spark", "delta"}).replace_attributes(
            group_name="outreach", partitions_def=nights, skippable=True
        )
        for name in TABLES
    ],
    check_specs=_checks,
    pool=POOL,
    required_resource_keys={LAKEHOUSE},
    retry_policy=RETRY,
    can_subset=False,
)
def shadow_scoring(
    context: dg.AssetExecutionContext,
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Score the night with every challenger and compare; what fails here is on record and fails nothing else."""
    from jobs.shadow import shadow_night

    night = night_of(context)
    audits = shadow_night(night.data_source, night.run_date, run_id=context.run_id)
    if any(audit.blocked for audit in audits):
        context.log.error("A table of the shadow broke its contract and was not written.")
    yield from materialized(audits, must_pass=False)
    written = {audit.table for audit in audits}
    for check in _checks:
        if ".".join(check.asset_key.path) not in written:
            yield dg.AssetCheckResult(
                asset_key=check.asset_key,
                check_name=check.name,
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description="Not looked at: no challenger was scored. See ops.alert.",
            )
