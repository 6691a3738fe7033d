"""The report is an asset of every night, downstream of what it prints."""

from __future__ import annotations

import dagster as dg

from dagster_project.assets.reported_html import night_report
from dagster_project.partitions import nights


def test_report_comes_after_what_it_prints() -> None:
    (spec,) = night_report.specs
    assert spec.key == dg.AssetKey(["outreach", "night_report"])
    assert {dep.asset_key.to_user_string() for dep in spec.deps} == {
        "outreach/priority", "outreach/capacity_price", "outreach/program_summary",
    }  # fmt: skip
    assert spec.partitions_def == nights
    assert spec.group_name == "outreach", "the nightly job selects by group"
