"""Reports are assets, downstream of what they print: one of every night, one of every month."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from contracts.settings import settings
from dagster_project.assets.pages import night_report
from dagster_project.definitions import defs
from dagster_project.partitions import months, nights
from dagster_project.schedules import monthly_report


def test_report_comes_after_what_it_prints() -> None:
    (spec,) = night_report.specs
    assert spec.key == dg.AssetKey(["outreach", "night_report"])
    assert {dep.asset_key.to_user_string() for dep in spec.deps} == {
        "outreach/priority", "outreach/capacity_price", "outreach/program_summary",
    }  # fmt: skip
    assert spec.partitions_def == nights
    assert spec.group_name == "outreach", "the nightly job selects by group"


@pytest.mark.parametrize(
    ("now", "month"),
    [("2026-12-02T06:00", "2026-11-01"), ("2027-01-02T06:00", "2026-12-01"), ("2028-03-02T06:00", "2028-02-01")],
)
def test_a_months_page_is_asked_for_when_the_month_is_over(now: str, month: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(settings().timezone))
    asked = list(monthly_report(dg.build_schedule_context(scheduled_execution_time=at)))
    assert [dict(request.partition_key.keys_by_dimension) for request in asked] == [
        {"month": month, "source": source} for source in settings().nightly_sources
    ]
    assert month in months.get_partitions_def_for_dimension("month").get_partition_keys(current_time=at)
    assert len({request.run_key for request in asked}) == len(asked)


def test_the_nightly_job_does_not_draw_the_month() -> None:
    night, month = (
        defs.resolve_job_def(name).asset_layer.executable_asset_keys for name in ("nightly", "month_report")
    )
    assert month == {dg.AssetKey(["outreach", "model_report"])}
    assert not month & night
