"""`outreach.realized_uplift` and `ops.drift`: did the lists do what was promised, do the models still know these members.

Both come after publication, so that neither delays tonight's list nor, should it fail, prevents it.
"""

from collections.abc import Iterator

import dagster as dg

from contracts.catalog import contract
from contracts.programs import programs
from dagster_project.assets.reported import materialized
from dagster_project.checks import check_specs
from dagster_project.manifest import described_spec
from dagster_project.partitions import night_of, nights
from dagster_project.policies import POOL, RETRY
from dagster_project.resources import LAKEHOUSE

_published = [dg.AssetKey(["outreach", name]) for name in ("priority", "program_summary")]
_outcomes = [dg.AssetKey(["core", name]) for name in ("eligibility", "member", "outcome_event")]
_learnt_from = [dg.AssetKey(["causal", name]) for name in ("cohort", "member_score")]
_UPLIFT, _DRIFT = contract("outreach.realized_uplift"), contract("ops.drift")


def _prediction_check(program: str) -> str:
    return f"prediction_holds__{program}"


@dg.multi_asset(
    name="follow_up",
    specs=[
        described_spec(_UPLIFT.name, deps=[*_published, *_outcomes], kinds={"spark", "delta"}).replace_attributes(
            partitions_def=nights
        )
    ],
    check_specs=[
        *check_specs([_UPLIFT], nights),
        *(
            dg.AssetCheckSpec(
                _prediction_check(key),
                asset=dg.AssetKey(_UPLIFT.asset_key),
                description=f"{program.title}: realised effects do not exclude the predicted ones in several months.",
                partitions_def=nights,
            )
            for key, program in programs().programs.items()
        ),
    ],
    pool=POOL,
    required_resource_keys={LAKEHOUSE},
    retry_policy=RETRY,
)
def follow_up(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Realised effects of the months of nights whose horizon and claims run-out are over."""
    from jobs.uplift import latest_judged, update_realized_uplift

    night = night_of(context)
    yield from materialized([update_realized_uplift(night.data_source, night.run_date, run_id=context.run_id)])
    latest = latest_judged(night.data_source)
    for key in programs().programs:
        row = latest.get(key)
        yield dg.AssetCheckResult(
            asset_key=dg.AssetKey(_UPLIFT.asset_key),
            check_name=_prediction_check(key),
            passed=row is None or not row["is_alarm"],
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                name: str(row[name]) if row else "no month has run out yet"
                for name in ("window_start", "realized_effect", "ci_lower", "ci_upper", "predicted_effect")
            },
        )


@dg.multi_asset(
    name="drift_watch",
    specs=[
        described_spec(
            _DRIFT.name,
            deps=[*_published, *_learnt_from, dg.AssetKey(["features", "member_feature"])],
            kinds={"spark", "delta"},
        ).replace_attributes(group_name="outreach", partitions_def=nights)
    ],
    check_specs=[
        *check_specs([_DRIFT], nights),
        dg.AssetCheckSpec(
            "members_are_those_of_training",
            asset=dg.AssetKey(_DRIFT.asset_key),
            description="No feature or score has moved on several of the last nights.",
            partitions_def=nights,
        ),
    ],
    pool=POOL,
    required_resource_keys={LAKEHOUSE},
    retry_policy=RETRY,
)
def drift_watch(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Features against the training's index dates, scores against the model version's first night."""
    from jobs.drift import drifted, update_drift

    night = night_of(context)
    yield from materialized([update_drift(night.data_source, night.run_date, run_id=context.run_id)])
    moved = [row for row in drifted(night.data_source, night.run_date) if row["is_alarm"]]
    yield dg.AssetCheckResult(
        asset_key=dg.AssetKey(_DRIFT.asset_key),
        check_name="members_are_those_of_training",
        passed=not moved,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"moved": ", ".join(f"{row['program']} {row['variable']}" for row in moved[:5]) or "nothing"},
    )
