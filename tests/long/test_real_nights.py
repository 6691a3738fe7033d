"""Nights over the real files, with outreach laid over their members, and one run again: a good half of `make test-long`.

Not a part of `make test`: but for the night that is run again, it shows nothing about one change that the simulated plan
does not show sooner.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from plan import Plan

NIGHTS = {"desynpuf": ("desynpuf", "2010-01-01", 20_000), "synthea_csv": ("synthea_3_3_0", "2026-09-01", 645)}


@pytest.fixture(scope="module")
def plan(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plan]:
    made = Plan(tmp_path_factory.mktemp("real"))
    try:
        yield made
    finally:
        made.run("engine", "stop", expect={0})


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("source", NIGHTS)
def test_a_list_is_published_and_says_how_it_was_ranked(plan: Plan, real_data: Path, source: str) -> None:
    folder, night, members = NIGHTS[source]
    plan.run("ingest", "--source", source, str(real_data / folder), expect={0})
    done = plan.run("nightly", "--source", source, "--date", night, expect={0, 10, 11})
    assert f"Published: {source}, night of {night}" in done.stdout
    rows = plan.sql(f"select * from p where data_source = '{source}'", p="outreach.priority")
    assert 0.5 * members < rows["member_id"].nunique() <= members
    assert (rows["decision"] == "outreach").sum() > 20, "nobody is called"
    assert not rows.duplicated(["program", "member_id"]).any()
    unknown = plan.sql(
        f"""select count(*) as n from p join f using (data_source, member_id) where data_source = '{source}'
            and f.as_of_date = p.run_date and not f.is_claims_complete and p.decision in ('outreach', 'explore', 'holdout')""",
        p="outreach.priority", f="features.member_feature",
    )  # fmt: skip
    assert unknown["n"][0] == 0, "a member whose claims were paid elsewhere is ranked as if healthy"
    # Files without medicines or emergency visits, or with 645 people, cannot show what helps whom; the night says so.
    assert set(rows["verdict"]) <= {"publish", "fallback", "blocked"}
    ranked = rows.query("decision == 'outreach' and verdict == 'fallback'")
    assert ranked["reason_1"].str.contains("no estimate of effect may be used tonight").all()
    gates = plan.sql(f"select * from g where data_source = '{source}'", g="causal.gate_result")
    assert gates["sentence"].str.len().min() > 20
    assert set(gates["status"]) <= {"pass", "fail", "inconclusive"}
    contacts = plan.sql(
        f"select is_offered, assignment_probability from c where data_source = '{source}'", c="core.outreach_contact"
    )
    assert contacts["assignment_probability"].notna().any(), "no randomised pilot was laid over the members"
    assert contacts["is_offered"].sum() > 100


@pytest.mark.timeout(3600)
def test_the_same_night_again_writes_nothing_new(plan: Plan) -> None:
    """Killed between core and publication and run once more, it finds what the undisturbed night found."""
    source = "synthea_csv"
    night = ("nightly", "--source", source, "--date", NIGHTS[source][1])
    published = ("outreach.priority", "outreach.capacity_price", "outreach.program_summary")
    before, versions = _listed(plan, source), {name: plan.delta(name).version() for name in published}
    assert not before.empty, "the night before was not published"
    plan.kill(*night, after="contracts core")
    pd.testing.assert_frame_equal(_listed(plan, source), before)
    assert f"Published: {source}" in plan.run(*night).stdout
    pd.testing.assert_frame_equal(_listed(plan, source), before)
    assert {name: plan.delta(name).version() for name in published} == versions


def _listed(plan: Plan, source: str) -> pd.DataFrame:
    return plan.sql(
        f"select * from p where data_source = '{source}' order by program, member_id", p="outreach.priority"
    )
