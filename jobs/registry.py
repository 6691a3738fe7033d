"""Models in MLflow: one registered name per source and program, the alias `champion` serves, `challenger` waits."""

from __future__ import annotations

import json
import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.errors import ModelUnavailableError
from contracts.settings import settings

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True)
class RegisteredModel:
    """A version in the registry and where its scorer lies.

    Attributes:
        name: registered name, `outreach.<data_source>.<program>`.
        version: number within the name.
        scorer_path: local file with the pickled `causal.scorer.Scorer`.
        tags: facts logged at training: verdict, feature_version, seed, ...
    """

    name: str
    version: int
    scorer_path: Path
    tags: dict[str, str]

    @property
    def label(self) -> str:
        """What published rows carry as `model_version`."""
        return f"{self.name}/{self.version}"


def model_name(data_source: str, program: str) -> str:
    """Registered name of a program's model for one source."""
    return f"outreach.{data_source}.{program}"


def client() -> MlflowClient:
    """The registry: SQLite and artifacts in the state folder."""
    import logging

    import mlflow

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    home = settings().mlflow_dir
    home.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    mlflow.set_registry_uri(f"sqlite:///{home / 'mlflow.db'}")
    return mlflow.MlflowClient()


def _experiment(registry: MlflowClient, name: str) -> str:
    found = registry.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(registry.create_experiment(name, artifact_location=(settings().mlflow_dir / "artifacts").as_uri()))


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

    Args:
        name: from `model_name`.
        scorer: a picklable `causal.scorer.Scorer`.
        params: settings of the training.
        metrics: finite numbers to plot over trainings; others are left out by MLflow's own rule, so pass finite ones.
        tags: facts that serving checks (verdict, feature_version, ...).
        documents: JSON documents stored beside the model (gates, evaluation).
    """
    registry = client()
    run = registry.create_run(_experiment(registry, name), tags=tags)
    run_id = run.info.run_id
    for key, value in params.items():
        registry.log_param(run_id, key, value)
    for key, number in metrics.items():
        registry.log_metric(run_id, key, number)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "scorer.pkl")
        path.write_bytes(pickle.dumps(scorer, protocol=pickle.HIGHEST_PROTOCOL))
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


def _resolved(version: Any) -> RegisteredModel:
    folder = str(version.source).removeprefix("file://")
    return RegisteredModel(version.name, int(version.version), Path(folder, "scorer.pkl"), dict(version.tags))


def promote(model: RegisteredModel, by: str) -> None:
    """Make a version the champion, recording who or what decided.

    Raises:
        ModelUnavailableError: its gates blocked it.
    """
    if model.tags.get("verdict") == "blocked":
        raise ModelUnavailableError(
            f"{model.label} was blocked by its gates.", todo="train again; see causal.gate_result"
        )
    registry = client()
    registry.set_model_version_tag(model.name, str(model.version), "promoted_by", by)
    registry.set_registered_model_alias(model.name, CHAMPION, str(model.version))


def champion(data_source: str, program: str) -> RegisteredModel | None:
    """The serving version, or None when none was promoted."""
    return _by_alias(model_name(data_source, program), CHAMPION)


def challenger(data_source: str, program: str) -> RegisteredModel | None:
    """The version trained last, or None when none was trained."""
    return _by_alias(model_name(data_source, program), CHALLENGER)


def versions(name_prefix: str = "outreach.") -> list[RegisteredModel]:
    """Every registered version, newest first within a name."""
    registry = client()
    names = sorted(m.name for m in registry.search_registered_models() if m.name.startswith(name_prefix))
    found = [_resolved(v) for name in names for v in registry.search_model_versions(f"name='{name}'")]
    return sorted(found, key=lambda m: (m.name, -m.version))


def champion_versions() -> dict[str, int]:
    """Version that serves, by registered name."""
    found = client().search_registered_models()
    return {m.name: int(m.aliases[CHAMPION]) for m in found if CHAMPION in m.aliases}


def model_version(name: str, version: int) -> RegisteredModel:
    """One version by name and number.

    Raises:
        ModelUnavailableError: no such version.
    """
    from mlflow.exceptions import MlflowException

    try:
        return _resolved(client().get_model_version(name, str(version)))
    except MlflowException as error:
        raise ModelUnavailableError(f"No model {name}/{version}.", todo="see `outreach models list`") from error


def _by_alias(name: str, alias: str) -> RegisteredModel | None:
    from mlflow.exceptions import MlflowException

    try:
        return _resolved(client().get_model_version_by_alias(name, alias))
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def load_scorer(path: Path) -> Any:
    """Unpickle a scorer from the state folder (a trusted place: 0700, written by `register` only).

    Raises:
        ModelUnavailableError: the file is gone or was written by incompatible library versions.
    """
    try:
        return pickle.loads(path.read_bytes())
    except (OSError, pickle.UnpicklingError, AttributeError, ModuleNotFoundError) as error:
        raise ModelUnavailableError(
            f"The scorer of a registered model cannot be loaded ({type(error).__name__}).",
            todo="train again with the installed versions",
        ) from error
