"""`causal`: cohorts, models and the evidence for or against them."""

from collections.abc import Iterator

import dagster as dg

from contracts.catalog import contract
from contracts.programs import programs
from contracts.settings import settings
from dagster_project.assets.reported import materialized
from dagster_project.checks import check_specs
from dagster_project.manifest import described_spec
from dagster_project.partitions import night_of, nights
from dagster_project.policies import POOL, RETRY
from dagster_project.resources import LAKEHOUSE

TABLES = ("cohort", "cohort_flow", "oof_prediction", "evaluation", "gate_result", "equity", "balance", "model")
_reads = [dg.AssetKey(["core", name]) for name in ("eligibility", "member", "outcome_event", "outreach_contact")]


def _gate_checks() -> list[dg.AssetCheckSpec]:
    from causal.gates.registry import GATES

    return [
        dg.AssetCheckSpec(
            f"{key}__{gate}",
            asset=dg.AssetKey(["causal", "gate_result"]),
            description=f"{program.title}: gate {gate}.",
            partitions_def=nights,
        )
        for key, program in programs().programs.items()
        for gate in GATES
    ]


@dg.multi_asset(
    name="model_training",
    specs=[
        described_spec(
            f"causal.{name}", deps=[*_reads, dg.AssetKey(["features", "member_feature"])], kinds={"econml", "delta"}
        ).replace_attributes(group_name="training", partitions_def=nights)
        for name in TABLES
    ],
    check_specs=[*check_specs([contract(f"causal.{name}") for name in TABLES], nights), *_gate_checks()],
    pool=POOL,
    required_resource_keys={LAKEHOUSE},
    retry_policy=RETRY,
    can_subset=False,
)
def training(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Compute the features of all index dates, then train every program and record what its gates say."""
    from jobs.training import train_programs

    night = night_of(context)
    outcomes, audits = train_programs(
        night.data_source,
        night.run_date,
        run_id=context.run_id,
        seed=settings().seed,
        auto_approve=settings().auto_approve,
    )
    yield from materialized(audits, {f"{o.program}/verdict": f"{o.study.verdict}: {o.sentence}" for o in outcomes})
    for outcome in outcomes:
        for gate in outcome.study.gates:
            yield dg.AssetCheckResult(
                asset_key=dg.AssetKey(["causal", "gate_result"]),
                check_name=f"{outcome.program}__{gate.name}",
                passed=gate.status == "pass",
                severity=dg.AssetCheckSeverity.ERROR
                if gate.hard and gate.status == "fail"
                else dg.AssetCheckSeverity.WARN,
                description=gate.sentence,
                metadata={"status": gate.status, "value": gate.value, "threshold": gate.threshold},
            )
