"""Fixtures that every kind of test may use: a state folder of its own for the session, and the engine in it.

Set `OUTREACH_TEST_HOME` to keep the folder and its engine between sessions while developing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from plan import Plan
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from registry_world import Registry

ROOT = Path(__file__).resolve().parents[1]
REAL_DATA = ROOT.parent / "shared" / "data"

_KEPT = os.environ.get("OUTREACH_TEST_HOME")
_HOME = Path(_KEPT) if _KEPT else Path(tempfile.mkdtemp(prefix="outreach-test-"))

# Before any module of the project reads its settings: a test never touches the user's own state folder or endpoint.
os.environ["OUTREACH_HOME"] = str(_HOME)
os.environ.setdefault("OUTREACH_ENGINE_MEMORY", "2g")
os.environ.pop("SPARK_REMOTE", None)
os.environ.pop("DAGSTER_HOME", None)


def _group(nodeid: str) -> str:
    """What one worker of `make test` takes whole: all that needs the plan, all that needs the engine, else one file."""
    path = nodeid.split("::")[0]
    kind, file = path.split("/")[1:3]
    if kind in ("acceptance", "browser") and not file.startswith("test_simulator"):
        return "plan"
    return "engine" if kind in ("acceptance", "contract", "dbt", "integration") or "contract_rules" in file else path


class _Groups(LoadScopeScheduling):
    """One plan and one engine, each on a worker; files of pure tests go to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Workers share the tests by `_group`."""
    return _Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The groups that take longest come first, so that the workers end together; of one engine, the real files last.

    With them in its tables, a build of core takes minutes: the test of two clocks took ten instead of one.
    """
    order = {"plan": 0, "engine": 1, "tests/causal/test_simulated_trials.py": 2}
    items.sort(key=lambda item: (order.get(_group(item.nodeid), 3), "test_staging_real" in item.nodeid))


@pytest.fixture(scope="session")
def home() -> Path:
    """The session's state folder."""
    return _HOME


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty state folder of the test's own."""
    from contracts.settings import settings

    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


@pytest.fixture(scope="session")
def spark() -> object:
    """A session on the engine that all tests of this run share."""
    from jobs.session import spark_session

    return spark_session("tests")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real inputs beside the checkout; tests that need it are skipped, saying so, where it is missing."""
    if not REAL_DATA.is_dir():
        pytest.skip("the folder of real inputs (../shared/data) is not beside this checkout")
    return REAL_DATA


@pytest.fixture(scope="session")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plan]:
    """A plan of 1,500 members, simulated, trained and published once for all tests that look at a night."""
    made = Plan(tmp_path_factory.mktemp("plan"))
    try:
        made.demo()
        yield made
    finally:
        made.run("engine", "stop")


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without a model: making one takes seconds, so that it is made once and copied."""
    import mlflow

    path = tmp_path_factory.mktemp("registry") / "mlflow.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{path}", registry_uri=f"sqlite:///{path}").search_registered_models()
    return path


@pytest.fixture
def registry(own_home: Path, empty_registry: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A state folder with an empty registry; nothing in it starts an engine."""
    from registry_world import Registry

    from contracts.settings import settings

    monkeypatch.delenv("OUTREACH_AUTO_APPROVE", raising=False)
    settings.cache_clear()
    settings().mlflow_dir.mkdir()
    shutil.copy(empty_registry, settings().mlflow_dir / "mlflow.db")
    return Registry(own_home)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the engine that this session started, and remove its state folder."""
    from contracts.settings import settings

    if _KEPT:
        return
    if settings().engine_dir.exists():
        from jobs.engine.lifecycle import stop_engine
        from jobs.session import close_session

        close_session()
        stop_engine(settings())
    shutil.rmtree(_HOME, ignore_errors=True)
