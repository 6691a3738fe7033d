"""`contracts` ← `causal` ← `jobs` ← `dagster_project`: each imports only what stands left of it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ORDER = ("contracts", "causal", "jobs", "dagster_project")
FORBIDDEN = {
    "contracts": {"pyspark", "delta", "econml", "dowhy", "dagster", "dagster_dbt", "mlflow", "dbt"},
    "causal": {"pyspark", "delta", "dagster", "dagster_dbt", "mlflow", "dbt"},
    "jobs": {"dagster", "dagster_dbt"},
    "dagster_project": set(),
}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", ORDER)
def test_no_import_against_the_direction(package: str) -> None:
    right = set(ORDER[ORDER.index(package) + 1 :]) | FORBIDDEN[package]
    files = sorted((ROOT / package).rglob("*.py"))
    assert files, f"{package} has no modules: is the checkout complete?"
    broken = {str(path.relative_to(ROOT)): sorted(imported(path) & right) for path in files if imported(path) & right}
    assert not broken, (
        f"{package} may import only from {ORDER[: ORDER.index(package)]} and outside {sorted(right)}: {broken}"
    )


def test_no_drawer_for_everything() -> None:
    drawers = [p for p in ROOT.rglob("*.py") if p.stem in {"utils", "helpers", "common"} and ".venv" not in p.parts]
    assert not drawers, f"give these files a purpose and its name: {drawers}"


def test_dbt_and_docker_are_no_packages() -> None:
    assert not [p for name in ("dbt", "docker") for p in (ROOT / name).rglob("__init__.py")], (
        "they would shadow dbt and docker"
    )
