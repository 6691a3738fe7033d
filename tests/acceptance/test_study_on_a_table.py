"""`outreach study` on a table of the warehouse, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

from plan import Plan

STUDY = """
name: offers
table: {table}
treatment: {{column: is_offered, control: false, treated: [true]}}
outcome: {{column: outcome, better: lower}}
covariates: {{include: [program, followup_days]}}
cluster: member_id
learners: [constant]
"""


def test_a_study_reads_a_table_and_names_one_that_is_not_there(plan: Plan, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.format(table="causal.cohort"))
    plan.run("study", "run", str(study), "--out", str(tmp_path / "out"), expect={0})
    facts = json.loads((tmp_path / "out" / "study.json").read_text())
    assert facts["n"] == len(plan.sql("select * from c", c="causal.cohort"))
    assert set(facts["verdict"]) == {"True"}
    study.write_text(STUDY.format(table="causal.nothing"))
    refused = plan.run("study", "run", str(study), "--out", str(tmp_path / "out"), expect={2})
    assert "`table`" in refused.stderr
    assert "Traceback" not in refused.stderr
