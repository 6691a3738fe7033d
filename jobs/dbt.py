"""Run the dbt project against the lakehouse's one endpoint, and read back what it did.

dbt runs in a process of its own: it holds global state, and its Spark session must not be this process's. Its
artifacts and logs stay in the state folder; errors name the model and Spark's error class, never a row.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock

from contracts.errors import EngineError, OutreachError
from contracts.settings import Settings, settings
from jobs.engine.paths import engine_paths
from jobs.engine.state import engine_process, read_state

PROJECT = Path(__file__).resolve().parents[1] / "dbt"
THREADS = 4
_LOOK_SECONDS = 2.0  # between looks at the engine's process, a few microseconds each
_FAILED = ("error", "fail", "runtime error")
_ERROR_CLASS = re.compile(r"\[([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+)*)\]")


class DbtError(OutreachError):
    """A model or the project failed to build; the message names it, the log in the state folder says why."""


@dataclass(frozen=True)
class NodeResult:
    """One dbt node of a run: `name` is `schema.table` for models, seconds are wall time, rows where Spark tells.

    `unique_id` is dbt's own name; started_at and ended_at (UTC) are None for a node that was skipped.
    """

    name: str
    resource_type: str
    status: str
    seconds: float
    rows: int | None
    unique_id: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class DbtResult:
    """What one dbt command did."""

    command: str
    run_id: str
    nodes: tuple[NodeResult, ...]
    seconds: float

    @property
    def failed(self) -> tuple[NodeResult, ...]:
        return tuple(node for node in self.nodes if node.status in _FAILED)


def run_dbt(
    select: str, vars: dict[str, Any] | None = None, *, run_id: str, command: str = "run", full_refresh: bool = False
) -> DbtResult:
    """Run one dbt command (`run`, `build`, `test`, `seed`) on a selection.

    Seeds that core needs are loaded first when their files changed or this warehouse never had them.

    Args:
        select: dbt's node selection, e.g. `path:models/core`.
        vars: dbt variables, e.g. `data_source` and `as_of_dates`.
        run_id: of the run that asks; ends up in the result.
        full_refresh: rebuild incremental tables from nothing.

    Raises:
        DbtError: a node failed, nothing was selected, or dbt could not start.
        EngineError: there is no Spark endpoint, or the embedded engine ended meanwhile.
    """
    if command != "seed":
        ensure_seeds(run_id=run_id)
    arguments = ["--select", *select.split(), "--vars", json.dumps(vars or {}, sort_keys=True)]
    if full_refresh:
        arguments.append("--full-refresh")
    result = _checked(_invoke(command, arguments, run_id))
    if not result.nodes:
        raise DbtError(f"dbt {command} built nothing.", expected="a selection that names models", actual=select)
    return result


def seeds_marker(config: Settings) -> Path:
    """What was loaded last, as a digest."""
    return config.home / "dbt" / "seeds.sha256"


def ensure_seeds(*, run_id: str) -> bool:
    """Load the reference seeds when this warehouse lacks their present content; whether anything was loaded."""
    state = settings()
    digest = sha256(state.warehouse_url.encode())
    for path in sorted((PROJECT / "seeds").glob("*")):
        digest.update(path.name.encode() + path.read_bytes())
    marker = seeds_marker(state)
    if marker.exists() and marker.read_text() == digest.hexdigest():
        return False
    _checked(_invoke("seed", ["--full-refresh"], run_id))
    marker.write_text(digest.hexdigest())
    return True


def project_digest() -> str:
    """SHA-256 of the project's own files: the same files give the same SQL and the same graph."""
    digest = sha256()
    for path in sorted(PROJECT.rglob("*")):
        if path.suffix in (".sql", ".yml", ".csv") and path.is_file() and not {"target", "logs"} & set(path.parts):
            digest.update(str(path.relative_to(PROJECT)).encode() + path.read_bytes())
    return digest.hexdigest()


def parse_project() -> Path:
    """Parse the project without a Spark endpoint; the path of its manifest."""
    _invoke("parse", [], "parse", remote={"SPARK_REMOTE": "sc://localhost"})
    return target() / "manifest.json"


def static_docs() -> str:
    """dbt's documentation as one HTML page, made without a Spark endpoint: column types are the contracts'.

    Where this checkout lies on the machine is taken out: the page may be sent on.
    """
    parse_project()
    flags = ["--static", "--no-compile", "--empty-catalog"]
    _checked(_invoke("docs", ["generate", *flags], "docs", remote={"SPARK_REMOTE": "sc://localhost"}))
    return (target() / "static_index.html").read_text(encoding="utf-8").replace(str(PROJECT), "dbt")


def target() -> Path:
    """Where dbt leaves its artifacts: manifest, results, compiled SQL."""
    return settings().home / "dbt" / "target"


def _invoke(command: str, arguments: list[str], run_id: str, remote: dict[str, str] | None = None) -> DbtResult:
    """Start dbt and wait; its artifacts are read under the same lock that kept others from writing them."""
    home = settings().made_home() / "dbt"
    home.mkdir(exist_ok=True)
    argv = [
        sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "--log-path", str(home / "logs"),
        "--no-send-anonymous-usage-stats", "--no-version-check", "--quiet", command, *arguments, "--target-path", str(target()),
        "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT),
    ]  # fmt: skip
    if command not in ("parse", "docs"):
        argv += ["--threads", str(THREADS)]
    with FileLock(home / "run.lock"):
        artifact = target() / "run_results.json"
        artifact.unlink(missing_ok=True)
        began = time.monotonic()
        done = _watched(argv, _environment(remote), needs_engine=remote is None and settings().spark_remote is None)
        seconds = time.monotonic() - began
        nodes = _nodes(artifact)
    result = DbtResult(command, run_id, nodes, seconds)
    if done.returncode != 0 and not result.failed:
        raise DbtError(
            f"dbt {command} could not run.",
            expected="exit code 0",
            actual=f"exit code {done.returncode}{_classes(done.stdout + done.stderr)}",
            todo=f"read {home / 'logs' / 'dbt.log'}",
        )
    return result


def _watched(argv: list[str], env: dict[str, str], *, needs_engine: bool) -> subprocess.CompletedProcess[str]:
    """Run dbt to its end, which comes at once where the embedded engine ends: dbt itself would try to reach it for long.

    Raises:
        EngineError: the engine's process is gone.
    """
    engine = read_state(engine_paths(settings()).state) if needs_engine else None

    def is_orphan() -> bool:
        return needs_engine and engine_process(engine) is None

    with subprocess.Popen(
        argv, env=env, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            while True:
                try:
                    out, err = child.communicate(timeout=_LOOK_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    if is_orphan():
                        raise _engine_gone() from None
        except BaseException:
            child.kill()
            raise
    if child.returncode != 0 and is_orphan():
        raise _engine_gone()
    return subprocess.CompletedProcess(argv, child.returncode, out, err)


def _engine_gone() -> EngineError:
    return EngineError(
        "The embedded Spark engine ended while dbt was at work.",
        actual="its process is gone",
        todo="`outreach engine logs` shows why (most often too little memory); then run this again.",
    )


def _environment(remote: dict[str, str] | None) -> dict[str, str]:
    if remote is None:
        from jobs.session import remote_env

        remote = remote_env()
    return {**os.environ, **remote, "DBT_PARTIAL_PARSE": "true"}


def _nodes(artifact: Path) -> tuple[NodeResult, ...]:
    if not artifact.exists():
        return ()
    results = json.loads(artifact.read_text(encoding="utf-8"))["results"]
    return tuple(_node(entry) for entry in results)


def _node(entry: dict[str, Any]) -> NodeResult:
    kind, _, *rest = entry["unique_id"].split(".")
    relation = (entry.get("relation_name") or rest[0]).replace("`", "")
    rows = entry.get("adapter_response", {}).get("rows_affected")
    status = entry["status"]
    if status in _FAILED:
        status = status if status != "runtime error" else "error"
        relation += _classes(entry.get("message") or "")
    times = {part["name"]: part for part in entry.get("timing", ())}.get("execute", {})
    return NodeResult(
        relation,
        kind,
        status,
        float(entry["execution_time"]),
        rows if isinstance(rows, int) else None,
        entry["unique_id"],
        _moment(times.get("started_at")),
        _moment(times.get("completed_at")),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))


def _classes(text: str) -> str:
    """Spark's error classes in a message, e.g. ` [TABLE_OR_VIEW_NOT_FOUND]`; the text around them may hold data."""
    found = sorted(set(_ERROR_CLASS.findall(text)))
    return f" [{', '.join(found)}]" if found else ""


def _checked(result: DbtResult) -> DbtResult:
    if result.failed:
        raise DbtError(
            f"dbt {result.command} failed on {len(result.failed)} of {len(result.nodes)} nodes.",
            expected="every node to build",
            actual="; ".join(node.name for node in result.failed),
            todo=f"read {settings().home / 'dbt' / 'logs' / 'dbt.log'}",
        )
    return result
