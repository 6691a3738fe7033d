"""Lineage of dbt's models, seeds and tests: from its artifacts, columns from the SQL that it compiled.

`python -m jobs.lineage.dbt_models TARGET` compiles the project without a Spark endpoint, as if no table were there yet.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from contracts.compile.rules import Scope
from contracts.model import Severity, Tier
from contracts.settings import settings
from jobs.audit_result import AuditResult, RuleResult, Verdict
from jobs.dbt import PROJECT, DbtError, DbtResult, NodeResult, project_digest, target
from jobs.lineage import naming, record
from jobs.lineage.columns import ColumnLineage, How, Source, of_query
from jobs.lineage.work import JobLineage, Read, Work

LAYERS = ("staging", "core", "features")
# Any night gives the same lineage; without one the features' SQL has no dates in it.
_VARS = {"data_source": "tuva", "as_of_dates": ["2026-01-01"]}


def job_name(table: str) -> str:
    """The job of the model that makes a table."""
    return f"dbt.{table}"


@record.counted
def tell(result: DbtResult) -> None:
    """Say to the open step what dbt did: each model, seed and test is a job that it ran."""
    layers = [layer for layer in LAYERS if any(node.name.startswith(f"{layer}.") for node in result.nodes)]
    jobs = {job.job: job for layer in layers for job in layer_jobs(layer)} | {j.job: j for j in seed_jobs()}
    queries = {job_name(table): sql for layer in layers for table, sql in compiled(layer).items()}
    tested = _tested(result.nodes)
    for node in result.nodes:
        if node.started_at is None or node.ended_at is None:
            continue
        if node.resource_type in ("test", "unit_test"):
            work = _test_work(node, tested.get(node.unique_id, ()))
        else:
            work = jobs[job_name(node.name)].work()
            work.sql = queries.get(work.job)
        record.ran(work, node.started_at, node.ended_at)


def layer_jobs(layer: str, folder: Path | None = None) -> list[JobLineage]:
    """The jobs of one layer's models, from the SQL of their last build.

    Args:
        layer: `staging`, `core` or `features`.
        folder: dbt's target folder; default that of the nights.
    """
    queries = compiled(layer, folder)
    return [
        JobLineage(job_name(table), lineage.tables, {table: lineage}, f"dbt model {table}")
        for table, lineage in ((table, _parsed(sql).without(table)) for table, sql in queries.items())
    ]


def compiled(layer: str, folder: Path | None = None) -> dict[str, str]:
    """Compiled SQL of one layer's models, by table."""
    models = (folder or target()) / "compiled" / "outreach" / "models" / layer
    return {f"{layer}.{path.stem}": path.read_text(encoding="utf-8") for path in sorted(models.rglob("*.sql"))}


@cache
def _parsed(sql: str) -> ColumnLineage:
    return of_query(sql)


def seed_jobs() -> list[JobLineage]:
    """The jobs that load the reference tables from files of the repository."""
    found = []
    for table, columns in naming.seed_tables().items():
        file = naming.seed(table.removeprefix("core."))
        same = {name: frozenset({Source(file, name, How.IDENTITY)}) for name in columns}
        lineage = ColumnLineage(same, tables=frozenset({file}))
        found.append(JobLineage(job_name(table), frozenset({file}), {table: lineage}, f"dbt seed {table}"))
    return found


def _tested(nodes: Iterable[NodeResult]) -> Mapping[str, tuple[str, ...]]:
    """Which tables each test of a run is about, from the manifest."""
    if not any(node.resource_type in ("test", "unit_test") for node in nodes):
        return {}
    manifest = json.loads((target() / "manifest.json").read_text(encoding="utf-8"))
    known = {**manifest["nodes"], **manifest.get("unit_tests", {}), **manifest["sources"]}
    return {
        name: tuple(f"{known[one]['schema']}.{known[one]['name']}" for one in node["depends_on"]["nodes"])
        for name, node in known.items()
        if node["resource_type"] in ("test", "unit_test")
    }


def _test_work(node: NodeResult, tables: Iterable[str]) -> Work:
    """A dbt test as an audit of the tables that it reads; no message of dbt's, which may hold rows."""
    broken = 0 if node.status == "pass" else max(node.rows or 1, 1)
    rule = RuleResult(
        name=node.unique_id.split(".")[2],
        kind=f"dbt_{node.resource_type}",
        scope=Scope.TABLE,
        severity=Severity.WARN if node.status == "warn" else Severity.ERROR,
        tier=Tier.LOGICAL,
        rows_broken=broken,
        rows_checked=broken,
        verdict=Verdict.FAILED if broken else Verdict.PASSED,
        description=f"dbt test {node.name}",
    )
    work = Work(f"dbt.test.{rule.name}", rule.description)
    for table in tables:
        work.read(Read(table, audit=AuditResult(node.unique_id, table, "", broken, 0, (rule,), "")))
    return work


def compile_offline() -> Path:
    """Compile the project without an endpoint, once per state of its files; the target folder.

    Raises:
        DbtError: the project does not compile.
    """
    folder = settings().home / "dbt" / "offline" / project_digest()[:16]
    if (folder / "manifest.json").exists():
        return folder
    settings().made_home()
    folder.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "jobs.lineage.dbt_models", str(folder)]
    environment = {**os.environ, "SPARK_REMOTE": "sc://localhost:1"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DbtError(
            "The dbt project does not compile.",
            actual=f"exit code {done.returncode}",
            todo=f"read {folder / 'logs' / 'dbt.log'}",
        )
    return folder


def _compile(folder: Path) -> int:
    """Compile in this process, where dbt finds no table: so every model is as on its first night."""
    from dbt.adapters.spark.impl import SparkAdapter
    from dbt.cli.main import dbtRunner

    def none_there(*_: object, **__: object) -> list[object]:
        return []

    setattr(SparkAdapter, "list_relations_without_caching", none_there)  # noqa: B010
    argv = [
        "--no-use-colors", "--log-path", str(folder / "logs"), "--no-send-anonymous-usage-stats", "--no-version-check",
        "--quiet", "compile", "--no-populate-cache", "--no-introspect", "--project-dir", str(PROJECT),
        "--profiles-dir", str(PROJECT), "--target-path", str(folder), "--vars", json.dumps(_VARS),
    ]  # fmt: skip
    return 0 if dbtRunner().invoke(argv).success else 1


if __name__ == "__main__":
    sys.exit(_compile(Path(sys.argv[1])))
