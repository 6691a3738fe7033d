"""Reporting a night's checks of a wide table: our event log against Dagster's own, in one run: `make bench-event_log`."""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path

import dagster as dg

CHECKS, COLUMNS, SOURCES = 400, 250, 4
NIGHTS = dg.DailyPartitionsDefinition("2026-01-01")
# As long as that of `features.member_feature`.
LINEAGE = dg.TableColumnLineage(
    {
        f"column_{i}": [
            dg.TableColumnDep(asset_key=dg.AssetKey(["core", "medical_claim"]), column_name=f"source_{j}")
            for j in range(SOURCES)
        ]
        for i in range(COLUMNS)
    }
)
OURS = "event_log_storage: {{module: dagster_project.event_log, class: KeptOpenEventLogStorage, config: {{base_dir: {home}/history/runs}}}}\n"


@dg.multi_asset(
    name="reported",
    specs=[dg.AssetSpec("table", partitions_def=NIGHTS)],
    check_specs=[dg.AssetCheckSpec(f"rule_{i}", asset="table") for i in range(CHECKS)],
)
def reported():
    yield dg.MaterializeResult("table", metadata={"dagster/column_lineage": LINEAGE})
    for i in range(CHECKS):
        yield dg.AssetCheckResult(asset_key=dg.AssetKey("table"), check_name=f"rule_{i}", passed=True)


def seconds(config: str) -> float:
    """Wall time of one run with `CHECKS` checks on a new instance."""
    with tempfile.TemporaryDirectory() as home:
        Path(home, "dagster.yaml").write_text("telemetry: {enabled: false}\n" + config.format(home=home))
        job = dg.Definitions(
            assets=[reported], jobs=[dg.define_asset_job("report", executor_def=dg.in_process_executor)]
        ).resolve_job_def("report")
        with dg.DagsterInstance.from_config(home) as instance:
            started = time.perf_counter()
            quiet = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}
            assert job.execute_in_process(instance=instance, run_config=quiet, partition_key="2026-01-02").success
            return time.perf_counter() - started


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    theirs, ours = seconds(""), seconds(OURS)
    print(f"{CHECKS} checks: Dagster's event log {theirs:.1f} s, ours {ours:.1f} s, {theirs / ours:.1f} times faster")
