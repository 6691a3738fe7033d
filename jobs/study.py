"""`outreach study run`: read the table a study names, run it, write `study.json`, `scores.parquet`, `report.html`."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import ConfigError
from contracts.study import load_study
from jobs.study_data import read_data
from jobs.study_report.render import render_report

_RESULTS = "study.json", "scores.parquet", "report.html"


@dataclass(frozen=True)
class StudyFiles:
    """What was written, and the verdict per arm."""

    facts: Path
    scores: Path
    report: Path
    verdict: Mapping[str, str]


def _silent(text: str) -> None:
    """Nobody watches."""


def run_study_file(path: Path, out: Path, seed: int = 0, say: Callable[[str], None] = _silent) -> StudyFiles:
    """Run one study.

    Args:
        path: the study's YAML; `data` in it is relative to this file.
        out: folder for the results, made if missing.
        seed: root seed.
        say: told what begins.

    Raises:
        ConfigError: the study or its data are malformed; the message names the field.
    """
    from causal.study import run_study

    spec = load_study(path)
    _make_folder(out)
    _spare_inputs(path, path.parent / spec.data if spec.data else None, out)
    say("reading the data")
    frame = read_data(spec, path.parent)
    with warnings.catch_warnings():
        # A reader of verdicts can do nothing about what libraries announce of their next versions.
        warnings.simplefilter("ignore", FutureWarning)
        result = run_study(frame, spec, seed, on_step=lambda arm, step: say(f"{arm} · {step.replace('_', ' ')}"))
    say("writing the results")
    facts, scores, report = (out / name for name in _RESULTS)
    files = StudyFiles(facts, scores, report, dict(result.facts["verdict"]))
    _replace(files.facts, json.dumps(result.facts, indent=2, allow_nan=False, ensure_ascii=False).encode())
    partial = files.scores.with_suffix(".partial")
    result.scores.to_parquet(partial, index=False)
    os.replace(partial, files.scores)
    _replace(files.report, render_report(result.facts).encode())
    return files


def _make_folder(out: Path) -> None:
    """Before hours are spent on a result that could not be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise ConfigError(
            f"`--out`: the folder {out.name} cannot be written to.", actual=error.strerror, todo="name another folder."
        ) from None
    if folders := [name for name in _RESULTS if (out / name).is_dir()]:
        raise ConfigError(f"`--out`: {out.name} has a folder of the name {folders[0]}.", todo="name another folder.")


def _spare_inputs(study: Path, data: Path | None, out: Path) -> None:
    """No result may take the place of what it was made from."""
    for name in _RESULTS:
        for field, given in (("the study", study), ("`data`", data)):
            if given is not None and (out / name).exists() and given.exists() and (out / name).samefile(given):
                raise ConfigError(f"`--out`: {name} would replace {field}.", todo="name another folder.")


def _replace(path: Path, content: bytes) -> None:
    """Write beside and rename, so that a reader never sees half a file."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    os.replace(partial, path)
