"""The registry when it is whole, locked, damaged and empty; and what serves a program in each case."""

from __future__ import annotations

import os
import pickle
import pickletools
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effect_worlds import effect_world
from registry_world import NAME, PROGRAM, SOURCE, Registry
from sqlalchemy import event
from sqlalchemy.engine import Engine

from causal.learners.base import LearnerData, LearnerOptions
from causal.learners.registry import REGISTRY
from causal.nuisance import Nuisances
from causal.options import TrainOptions
from causal.train import train_study
from contracts.errors import ExitCode, ModelUnavailableError, RegistryError
from contracts.programs import program
from contracts.settings import settings
from dagster_project.instance import dagster_home
from jobs import provenance
from jobs.decisions import Actor, approve, promote, roll_back
from jobs.fitness import unfit
from jobs.registry import attach, champion, latest, load_scorer, model_version, versions
from jobs.serving import serving

MARIA = Actor("Maria", "person", "maria")


def serve(registry: Registry, verdict: str = "publish", **made: object) -> object:
    model = registry.train(verdict, **made)
    approve(model, MARIA, "read the card")
    promote(model, MARIA)
    return model


def test_without_a_database_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path))
    settings.cache_clear()
    try:
        assert (versions(), champion(SOURCE, PROGRAM)) == ([], None)
        assert not settings().mlflow_dir.exists(), "a look at models made a database"
        with pytest.raises(ModelUnavailableError):
            model_version(NAME, 1)
    finally:
        settings.cache_clear()


def test_a_version_keeps_its_facts(registry: Registry) -> None:
    made = registry.train("fallback")
    found = model_version(NAME, 1)
    assert found == made
    assert (found.data_source, found.program, found.verdict, found.label) == (SOURCE, PROGRAM, "fallback", f"{NAME}/1")
    assert found.document("gates")[0]["name"] == "design"
    assert found.document("nothing") is None
    assert load_scorer(found.scorer_path).learner == "bayes_r"
    with pytest.raises(ModelUnavailableError, match="No model"):
        model_version(NAME, 2)


def test_a_fit_champion_serves_by_its_verdict(registry: Registry) -> None:
    model = serve(registry)
    found = serving(SOURCE, PROGRAM)
    assert (found.verdict, found.sentence, found.model_version) == ("publish", "The gates say publish.", model.label)
    assert not found.is_alarming


@pytest.mark.parametrize(
    ("verdict", "wanted", "said"),
    [
        ("publish", "fallback", "waits for approval"),
        ("fallback", "fallback", "The gates say fallback"),
        ("blocked", "blocked", "The gates say blocked"),
    ],
)
def test_without_a_champion(registry: Registry, verdict: str, wanted: str, said: str) -> None:
    assert serving(SOURCE, PROGRAM).sentence == "No model has been trained yet."
    registry.train(verdict)
    found = serving(SOURCE, PROGRAM)
    assert (found.verdict, found.model, found.is_alarming) == (wanted, None, False)
    assert said in found.sentence


@pytest.mark.parametrize("verdict", ["publish", "fallback", "blocked"])
def test_after_a_rollback_to_none_the_rule_ranks_whatever_is_trained(registry: Registry, verdict: str) -> None:
    """A blocked training says that an estimate cannot be trusted; the rule that a person chose needs none."""
    model = serve(registry)
    roll_back(NAME, MARIA, "harm suspected in the case of Jo", to="none")
    registry.train(verdict)
    found = serving(SOURCE, PROGRAM)
    assert (found.verdict, found.model, found.is_alarming) == ("fallback", None, False)
    assert "the last was taken off on" in found.sentence
    assert "Jo" not in found.sentence, "a reason may tell of people"
    approve(model, MARIA, "it was not harm")
    promote(model, MARIA)
    assert serving(SOURCE, PROGRAM).model_version == model.label


def test_a_night_before_the_training_is_not_scored_by_it(registry: Registry) -> None:
    registry.train()
    before, on_it = date(2026, 5, 31), date(2026, 6, 1)
    assert serving(SOURCE, PROGRAM, before).sentence == "No model has been trained yet."
    assert "waits for approval" in serving(SOURCE, PROGRAM, on_it).sentence
    model = serve(registry)
    assert serving(SOURCE, PROGRAM, on_it).model_version == model.label
    found = serving(SOURCE, PROGRAM, before)
    assert (found.verdict, found.model, found.is_alarming) == ("fallback", None, False)
    assert found.sentence == f"{model.label} learnt from what was known on 2026-06-01, after this night."


def test_a_missing_or_damaged_file_is_a_fallback_with_its_reason(registry: Registry) -> None:
    model = serve(registry)
    model.scorer_path.write_bytes(model.scorer_path.read_bytes()[:-7])
    cut = serving(SOURCE, PROGRAM)
    model.scorer_path.unlink()
    gone = serving(SOURCE, PROGRAM)
    assert [found.verdict for found in (cut, gone)] == ["fallback", "fallback"]
    assert [found.model for found in (cut, gone)] == [None, None]
    assert "checksum differs" in cut.sentence
    assert "missing" in gone.sentence
    assert cut.is_alarming
    assert gone.is_alarming


@pytest.mark.parametrize("library", provenance.SCORING_LIBRARIES)
def test_another_library_version_is_a_fallback(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    serve(registry)
    installed = provenance._installed
    monkeypatch.setattr(provenance, "_installed", lambda name: "99.0" if name == library else installed(name))
    found = serving(SOURCE, PROGRAM)
    assert (found.verdict, found.is_alarming) == ("fallback", True)
    assert f"{library} was {installed(library)} and is 99.0" in found.sentence


def test_other_scoring_code_is_a_fallback(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(registry)
    monkeypatch.setattr(provenance, "scoring_code", lambda: "0" * 12)
    found = serving(SOURCE, PROGRAM)
    assert (found.verdict, found.is_alarming) == ("fallback", True)
    assert "the code that scores changed" in found.sentence


def test_scoring_code_is_what_is_run_and_not_how_it_is_told() -> None:
    source = '"""A."""\n\nclass B:\n    """B."""\n\n    def c(self, x):\n        """C."""\n        return x + 1  # D\n'
    told_otherwise = "# E\nclass B:\n  def c(self, x):\n    return (x\n      + 1)\n"
    assert provenance.code_only(source) == provenance.code_only(told_otherwise)
    assert provenance.code_only(source) != provenance.code_only(source.replace("x + 1", "x + 2"))
    assert provenance.code_only(source) != provenance.code_only(source.replace("B:", "F:"))


def test_scoring_code_covers_all_that_a_scorer_is_made_of() -> None:
    """A scorer as training makes it, and models of all learners."""
    trial = effect_world("smooth", 600, seed=1, outcome="binary", assignment="observational").trial
    gates = frozenset({"refutation", "placebo_outcome", "stability"})
    options = TrainOptions(learners=("bayes_r",), n_trees=8, threads=1, skip_gates=gates)
    made = [train_study(trial, options).scorer]
    Z, half = made[0].encoder.transform(trial.X), np.full(trial.n, 0.5)
    data = LearnerData(Z, trial.t, trial.y, trial.weight, trial.cluster, Nuisances(half, half, half), "binary")
    made += [learner.fit(data, LearnerOptions(seed=1, n_trees=8)) for learner in REGISTRY.values()]
    told = [arg for one in made for _, arg, _ in pickletools.genops(pickle.dumps(one)) if isinstance(arg, str)]
    modules = {name for name in told if name.startswith("causal.")}
    assert {"causal.scorer", "causal.regression", "causal.learners.forests"} <= modules
    assert modules <= set(provenance.SCORING_MODULES)


def test_other_definitions_are_a_fallback(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    model = serve(registry)
    monkeypatch.setattr(provenance, "feature_version", lambda: "new")
    assert unfit(model) == "the feature definitions changed"
    monkeypatch.undo()


def test_a_model_from_before_versions_were_kept_does_not_score(registry: Registry) -> None:
    kept = registry.train()
    old = type(kept)(**{**vars(kept), "tags": {"verdict": "publish", "scorer_sha256": kept.tags["scorer_sha256"]}})
    assert "not recorded" in (unfit(old) or "")


def test_capacity_and_price_do_not_make_another_question() -> None:
    now = program(PROGRAM)
    priced = now.model_copy(update={"capacity_per_night": 1, "channels": {"letter": now.channels["phone"]}})
    other = now.model_copy(update={"washout_days": now.washout_days + 1})
    longer = now.model_copy(update={"outcome": now.outcome.model_copy(update={"horizon_days": 7})})
    assert provenance.program_version(priced) == provenance.program_version(now)
    assert len({provenance.program_version(p) for p in (now, other, longer)}) == 3


def test_many_differences_stay_one_sentence() -> None:
    assert provenance.listed(["a", "b"]) == "a; b"
    assert provenance.listed(list("abcd")) == "a; b; c and 1 more difference"
    assert provenance.listed(list("abcde")) == "a; b; c and 2 more differences"


@pytest.fixture
def impatient() -> Iterator[None]:
    """MLflow waits 20 s for a lock, and nobody can tell it otherwise; a test need not."""

    def shorter(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        return statement.replace("busy_timeout = 20000", "busy_timeout = 50"), parameters

    event.listen(Engine, "before_cursor_execute", shorter, retval=True)
    yield
    event.remove(Engine, "before_cursor_execute", shorter)


def test_a_locked_registry_says_so(registry: Registry, impatient: None) -> None:
    serve(registry)
    holder = sqlite3.connect(settings().mlflow_dir / "mlflow.db")
    holder.execute("begin exclusive")
    try:
        with pytest.raises(RegistryError, match="locked by another process") as locked:
            champion(SOURCE, PROGRAM)
        assert locked.value.exit_code == ExitCode.REGISTRY_UNAVAILABLE
        assert "select" not in str(locked.value).lower(), "the error shows SQL"
        found = serving(SOURCE, PROGRAM)
        assert (found.verdict, found.model, found.is_alarming) == ("fallback", None, True)
        assert "locked" in found.sentence
    finally:
        holder.rollback()
        holder.close()
    assert serving(SOURCE, PROGRAM).verdict == "publish"


def test_a_damaged_registry_says_so_and_the_night_goes_on(registry: Registry) -> None:
    (settings().mlflow_dir / "mlflow.db").write_bytes(b"no database" * 500)
    with pytest.raises(RegistryError, match="cannot be used") as damaged:
        latest(SOURCE, PROGRAM)
    assert "backup" in str(damaged.value)
    found = serving(SOURCE, PROGRAM)
    assert (found.verdict, found.is_alarming) == ("fallback", True)
    assert "registry cannot be used" in found.sentence


def test_a_scorer_that_cannot_be_unpickled_names_no_data(tmp_path: Path) -> None:
    path = tmp_path / "scorer.pkl"
    for content in (b"", b"\x80\x05garbage", b"cos\nsystem_that_is_not\n."):
        path.write_bytes(content)
        with pytest.raises(ModelUnavailableError, match="cannot be loaded"):
            load_scorer(path)


def test_a_copied_state_folder_has_models_of_its_own(
    registry: Registry, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow notes absolute places: a copy served the original's files, and trained into its folder."""
    serve(registry)
    copy = tmp_path_factory.mktemp("copy") / "50%_of it"
    shutil.copytree(registry.home, copy)
    monkeypatch.setenv("OUTREACH_HOME", str(copy))
    settings.cache_clear()
    found = champion(SOURCE, PROGRAM)
    assert found is not None
    assert found.folder.is_relative_to(copy)
    assert load_scorer(found.scorer_path) is not None
    before = {path for path in registry.home.rglob("*") if path.is_file()}
    second = registry.train()
    assert second.version == 2
    assert second.folder.is_relative_to(copy)
    attach(second, Path(second.folder, "evidence", "gates.json"), "card")
    assert Path(second.folder, "card", "gates.json").exists()
    assert {path for path in registry.home.rglob("*") if path.is_file()} == before


def test_dagster_follows_its_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its event log stood at an absolute place; what a person added to the file stays."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path / "first"))
    settings.cache_clear()
    try:
        made = Path(dagster_home(), "dagster.yaml")
        assert f'base_dir: "{tmp_path}/first/dagster/history/runs"' in made.read_text()
        made.write_text(made.read_text() + "python_logs:\n  managed_python_loggers: [jobs]\n")
        shutil.copytree(tmp_path / "first", tmp_path / "second")
        monkeypatch.delenv("DAGSTER_HOME")
        monkeypatch.setenv("OUTREACH_HOME", str(tmp_path / "second"))
        settings.cache_clear()
        moved = Path(dagster_home(), "dagster.yaml")
        assert moved.read_text() == made.read_text().replace("/first/", "/second/")
        assert "managed_python_loggers" in moved.read_text()
    finally:
        os.environ.pop("DAGSTER_HOME", None)
        settings.cache_clear()
