"""The notebooks as a reader runs them, on the plan as it was published; no engine is asked."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from plan import NIGHT, ROOT, Plan

FOLDER = ROOT / "notebooks"


@pytest.mark.parametrize("name", ["read_scored_tables", "read_uplift_report", "diagnose_model"])
def test_notebook_runs(plan: Plan, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OUTREACH_HOME", str(plan.home))
    monkeypatch.setenv("OUTREACH_ROLE", "analyst")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(FOLDER)}}).execute()
    shown = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    assert sum("data" in out and "text/html" in out["data"] for out in shown) >= 3, "tables are missing"
    assert not [out for out in shown if out.get("name") == "stderr"], "a cell warns"
    text = str(shown)
    assert not [m for m in plan.night(NIGHT)["member_id"].unique() if m in text], (
        "an analyst is shown a member's number"
    )
    if name == "read_scored_tables":
        rows = plan.night(NIGHT)
        calling = set(rows["program"][rows["decision"].isin(["outreach", "explore"])])
        (first,) = [cell for cell in notebook.cells if "qualify" in cell.source]
        assert {key for key in calling if key in str(first.outputs)} == calling, "a program's first calls are missing"
