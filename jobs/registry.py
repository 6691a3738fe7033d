"""Models in MLflow: one registered name per source and program, the alias `champion` serves, `challenger` came last.

Reading and writing of facts only; who may serve and who decided so is in `jobs.decisions`.
"""

from __future__ import annotations

import json
import logging
import pickle
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from contracts.errors import ModelUnavailableError, RegistryError
from contracts.settings import settings
from jobs.provenance import digest

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

CHAMPION, CHALLENGER = "champion", "challenger"
PREFIX = "outreach."
_SCORER = "scorer.pkl"


@dataclass(frozen=True)
class RegisteredModel:
    """A version in the registry and where its files lie.

    Attributes:
        name: registered name, `outreach.<data_source>.<program>`.
        version: number within the name.
        run_id: MLflow run of the training.
        folder: local folder of the run's artifacts.
        tags: facts logged at training: verdict, feature_version, library versions, ...
        created_at: when it was registered (UTC).
    """

    name: str
    version: int
    run_id: str
    folder: Path
    tags: dict[str, str]
    created_at: datetime

    @property
    def label(self) -> str:
        """What published rows carry as `model_version`."""
        return f"{self.name}/{self.version}"

    @property
    def data_source(self) -> str:
        """Ingestion source that it is for."""
        return self.name.split(".")[1]

    @property
    def program(self) -> str:
        """Program that it is for."""
        return self.name.split(".")[2]

    @property
    def verdict(self) -> str:
        """Verdict of its gates."""
        return self.tags["verdict"]

    @property
    def scorer_path(self) -> Path:
        """Local file with the pickled `causal.scorer.Scorer`."""
        return self.folder / "model" / _SCORER

    def document(self, stem: str) -> Any:
        """A JSON document that training stored beside the model (`gates`, `evaluation`, ...); None where it is gone."""
        path = self.folder / "evidence" / f"{stem}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            return None


def model_name(data_source: str, program: str) -> str:
    """Registered name of a program's model for one source."""
    return f"{PREFIX}{data_source}.{program}"


def _database() -> Path:
    return settings().mlflow_dir / "mlflow.db"


@contextmanager
def connected() -> Iterator[MlflowClient]:
    """The registry: SQLite and artifacts in the state folder, made on first use.

    Raises:
        RegistryError: the database is locked, damaged or of another version of MLflow.
    """
    import mlflow
    from alembic.util.exc import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for name, level in {
        "alembic": logging.WARNING,
        "mlflow": logging.WARNING,
        "mlflow.store": logging.CRITICAL,
    }.items():
        logging.getLogger(name).setLevel(level)  # what goes wrong in the store is raised as well, without its SQL
    settings().made_home()
    settings().mlflow_dir.mkdir(mode=0o700, exist_ok=True)
    try:
        _follow(_database(), (settings().mlflow_dir / "artifacts").as_uri())
        uri = f"sqlite:///{_database()}"
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        yield mlflow.MlflowClient()
    except (SQLAlchemyError, CommandError, sqlite3.Error) as error:
        raise _unavailable(error) from error
    except MlflowException as error:
        if error.error_code in ("TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR", "BAD_REQUEST"):
            raise _unavailable(error) from error
        raise


# Where MLflow notes absolute places of artifacts; no call of its own changes them.
_PLACES = {
    "experiments": ["artifact_location"],
    "runs": ["artifact_uri"],
    "model_versions": ["source", "storage_location"],
}


@cache
def _follow(database: Path, artifacts: str) -> None:
    """Let a registry whose state folder was moved, copied or restored elsewhere find its artifacts: once a process.

    A copy would otherwise read the original's models, and train into its folder.
    """
    if not database.exists():
        return
    with closing(sqlite3.connect(database)) as store, store:
        if not store.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
            return
        others = "SELECT DISTINCT artifact_location FROM experiments WHERE name LIKE ? AND artifact_location <> ?"
        for (other,) in store.execute(others, (f"{PREFIX}%", artifacts)).fetchall():
            for table, columns in _PLACES.items():
                for column in columns:
                    store.execute(
                        f"UPDATE {table} SET {column} = :to || substr({column}, length(:other) + 1) "
                        f"WHERE substr({column} || '/', 1, length(:other) + 1) = :other || '/'",
                        {"to": artifacts, "other": other},
                    )


def _unavailable(error: Exception) -> RegistryError:
    words = str(error)
    place = f"the file {_database()}"
    if "database is locked" in words:
        return RegistryError(
            "The model registry is locked by another process.",
            actual=f"{place} is held for writing",
            todo="wait until the training or command that holds it has ended, then run this again.",
        )
    if "revision" in words or "out-of-date database schema" in words:
        return RegistryError(
            "The model registry was written by another version of MLflow.",
            actual=place,
            todo="install the locked versions, or back the file up and run `mlflow db upgrade` on it.",
        )
    return RegistryError(
        f"The model registry cannot be used ({type(error).__name__}).",
        expected="an MLflow database in SQLite",
        actual=f"{place} is damaged, or cannot be read or written",
        todo="restore it from a backup, or move it away and train again; until then programs rank by their fallback rules.",
    )


def _is_empty() -> bool:
    """Whether nothing was ever registered; making an empty database would cost seconds."""
    return not _database().exists()


def _absent(error: Exception) -> bool:
    return getattr(error, "error_code", None) in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def register(
    name: str,
    scorer: Any,
    *,
    params: dict[str, Any],
    metrics: dict[str, float],
    tags: dict[str, str],
    documents: dict[str, Any],
) -> RegisteredModel:
    """Log one training and register its scorer as a new version, aliased `challenger`.

    The version appears in one transaction, after all of its files are in place: a training that is killed leaves
    the aliases as they were.

    Args:
        name: from `model_name`.
        scorer: a picklable `causal.scorer.Scorer`.
        params: settings of the training.
        metrics: finite numbers to plot over trainings.
        tags: facts that serving checks (verdict, feature_version, ...); the file's checksum is added.
        documents: JSON documents stored beside the model (gates, evaluation).
    """
    with connected() as registry:
        run = registry.create_run(_experiment(registry, name), tags=tags)
        run_id = run.info.run_id
        for key, value in params.items():
            registry.log_param(run_id, key, value)
        for key, number in metrics.items():
            registry.log_metric(run_id, key, number)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, _SCORER)
            path.write_bytes(pickle.dumps(scorer, protocol=pickle.HIGHEST_PROTOCOL))
            tags = {**tags, "scorer_sha256": digest(path)}
            registry.log_artifact(run_id, str(path), "model")
            for stem, document in documents.items():
                Path(folder, f"{stem}.json").write_text(json.dumps(document, indent=1, default=str))
                registry.log_artifact(run_id, str(Path(folder, f"{stem}.json")), "evidence")
        registry.set_terminated(run_id)
        if not registry.search_registered_models(f"name='{name}'"):
            registry.create_registered_model(name)
        source = f"{registry.get_run(run_id).info.artifact_uri}/model"
        version = registry.create_model_version(name, source, run_id, tags=tags)
        registry.set_registered_model_alias(name, CHALLENGER, version.version)
        return _resolved(version)


def _experiment(registry: MlflowClient, name: str) -> str:
    found = registry.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(registry.create_experiment(name, artifact_location=(settings().mlflow_dir / "artifacts").as_uri()))


def _resolved(version: Any) -> RegisteredModel:
    return RegisteredModel(
        name=version.name,
        version=int(version.version),
        run_id=str(version.run_id),
        folder=Path(url2pathname(urlsplit(str(version.source)).path)).parent,
        tags=dict(version.tags),
        created_at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
    )


def attach(model: RegisteredModel, path: Path, folder: str) -> None:
    """Add a file to the artifacts of a model's training; one of the same name is replaced."""
    with connected() as registry:
        registry.log_artifact(model.run_id, str(path), folder)


def champion(data_source: str, program: str) -> RegisteredModel | None:
    """The serving version, or None when none was promoted."""
    return aliased(model_name(data_source, program), CHAMPION)


def challenger(data_source: str, program: str) -> RegisteredModel | None:
    """The version trained last, or None when there is none beside the champion."""
    name = model_name(data_source, program)
    last, serves = aliased(name, CHALLENGER), aliased(name, CHAMPION)
    return None if last is None or (serves is not None and serves.version == last.version) else last


def latest(data_source: str, program: str) -> RegisteredModel | None:
    """The version trained last, whether it serves or not; None when none was ever trained."""
    return aliased(model_name(data_source, program), CHALLENGER)


def aliased(name: str, alias: str) -> RegisteredModel | None:
    """The version that an alias of a registered name points to, None when there is none."""
    from mlflow.exceptions import MlflowException

    if _is_empty():
        return None
    with connected() as registry:
        try:
            return _resolved(registry.get_model_version_by_alias(name, alias))
        except MlflowException as error:
            if _absent(error):
                return None
            raise


def point(name: str, version: int | None) -> None:
    """Let the champion's alias point to a version, or to none; one transaction."""
    with connected() as registry:
        if version is None:
            registry.delete_registered_model_alias(name, CHAMPION)
        else:
            registry.set_registered_model_alias(name, CHAMPION, str(version))


def versions(prefix: str = PREFIX) -> list[RegisteredModel]:
    """Every registered version, newest first within a name."""
    if _is_empty():
        return []
    with connected() as registry:
        found = [
            _resolved(version)
            for name in _names(registry, prefix)
            for version in registry.search_model_versions(f"name='{name}'")
        ]
    return sorted(found, key=lambda m: (m.name, -m.version))


def names(prefix: str = PREFIX) -> list[str]:
    """Every registered name, in order."""
    if _is_empty():
        return []
    with connected() as registry:
        return _names(registry, prefix)


def _names(registry: MlflowClient, prefix: str) -> list[str]:
    return sorted(
        model.name for model in registry.search_registered_models(max_results=1000) if model.name.startswith(prefix)
    )


def model_version(name: str, version: int) -> RegisteredModel:
    """One version by name and number.

    Raises:
        ModelUnavailableError: no such version.
    """
    from mlflow.exceptions import MlflowException

    missing = ModelUnavailableError(f"No model {name}/{version}.", todo="see `outreach models list`")
    if _is_empty():
        raise missing
    with connected() as registry:
        try:
            return _resolved(registry.get_model_version(name, str(version)))
        except MlflowException as error:
            if _absent(error):
                raise missing from error
            raise


def name_tags(name: str) -> dict[str, str]:
    """Tags of a registered name; empty when it does not exist."""
    from mlflow.exceptions import MlflowException

    if _is_empty():
        return {}
    with connected() as registry:
        try:
            return dict(registry.get_registered_model(name).tags)
        except MlflowException as error:
            if _absent(error):
                return {}
            raise


def set_name_tag(name: str, key: str, value: str) -> None:
    """Set one tag of a registered name; one transaction."""
    with connected() as registry:
        registry.set_registered_model_tag(name, key, value)


def set_version_tag(model: RegisteredModel, key: str, value: str) -> None:
    """Set one tag of a version; one transaction."""
    with connected() as registry:
        registry.set_model_version_tag(model.name, str(model.version), key, value)


def load_scorer(path: Path) -> Any:
    """Unpickle a scorer from the state folder (a trusted place: 0700, written by `register` only).

    Raises:
        ModelUnavailableError: the file is gone or damaged, or was written by incompatible library versions.
    """
    try:
        return pickle.loads(path.read_bytes())
    except Exception as error:  # a damaged pickle can raise anything
        raise ModelUnavailableError(
            f"The scorer of a registered model cannot be loaded ({type(error).__name__}).",
            todo="train again with the installed versions",
        ) from error
