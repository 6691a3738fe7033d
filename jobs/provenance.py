"""What a model was made with, and whether the same is in place where it is to score.

A pickled model under other library versions may load and give other numbers; one trained on other definitions answers
another question. Neither raises an error, so equality is demanded, and the sentence says what differs.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from contracts.catalog import contract
from contracts.features import version as feature_version
from contracts.programs import Program, programs

# Everything that runs when a member is scored. DoWhy is not among them: it judges a model and is not part of it.
SCORING_LIBRARIES = ("econml", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy")
# Modules of what a pickled scorer is made of, and of what that calls when it scores.
SCORING_MODULES = (
    "causal.encoding", "causal.horseshoe", "causal.lasso", "causal.learners.basis", "causal.learners.bayes",
    "causal.learners.forests", "causal.learners.judged", "causal.learners.little_bags", "causal.learners.point",
    "causal.learners.recalibrated", "causal.learners.relative", "causal.learners.screen", "causal.reasons",
    "causal.regression", "causal.scorer", "causal.support",
)  # fmt: skip
# What the model reads when it scores, and what its outcome and its arms were read from.
MODEL_CONTRACTS = ("features.member_feature", "causal.cohort", "core.outcome_event", "core.outreach_contact")
_MOST_NAMED = 3


def provenance(program: Program) -> dict[str, str]:
    """Tags of a model trained here and now."""
    return {
        "feature_version": feature_version(),
        "program_version": program_version(program),
        "python": _python(),
        "scoring_code": scoring_code(),
        **{f"contract_{name}": contract(name).version for name in MODEL_CONTRACTS},
        **{f"library_{name}": _installed(name) for name in SCORING_LIBRARIES},
    }


def program_version(program: Program) -> str:
    """Twelve hex digits over what defines the question: who, what is offered when, which outcome.

    Capacity, cost and dollar value are not part of it: they are applied to the estimates each night.
    """
    outcome = program.outcome
    defining = [
        program.eligibility, program.min_lookback_days, program.grace_days, program.washout_days, program.runout_days,
        outcome.event_types, outcome.measure, outcome.horizon_days, outcome.better,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(defining).encode()).hexdigest()[:12]


@cache
def scoring_code() -> str:
    """Twelve hex digits over the code of SCORING_MODULES; comments, docstrings and layout do not count."""
    found = hashlib.sha256()
    for name in SCORING_MODULES:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        found.update(code_only(Path(spec.origin).read_text(encoding="utf-8")).encode())
    return found.hexdigest()[:12]


def code_only(source: str) -> str:
    """What a Python source does: its syntax tree without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.dump(tree)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def differences(tags: Mapping[str, str], program: str) -> list[str]:
    """What differs between a model's training and this process, each as a phrase; empty: nothing.

    A model without these tags was trained before they were kept and differs in all of them.
    """
    known = programs().programs.get(program)
    if known is None:
        return ["its program is no longer configured"]
    now = provenance(known)
    found = []
    if tags.get("feature_version") != now["feature_version"]:
        found.append("the feature definitions changed")
    if tags.get("program_version") != now["program_version"]:
        found.append("the program's eligibility, timing or outcome changed")
    for name in MODEL_CONTRACTS:
        if (then := tags.get(f"contract_{name}")) != now[f"contract_{name}"]:
            found.append(f"the contract of {name} was {then or 'not recorded'} and is {now[f'contract_{name}']}")
    return found + software_differences(tags)


def software_differences(tags: Mapping[str, str]) -> list[str]:
    """Libraries, and Python, whose version in this process is not that of the training, and our own code."""
    names = {"python": _python(), **{f"library_{name}": _installed(name) for name in SCORING_LIBRARIES}}
    found = [
        f"{tag.removeprefix('library_')} was {tags.get(tag, 'not recorded')} and is {here}"
        for tag, here in names.items()
        if tags.get(tag) != here
    ]
    return found if tags.get("scoring_code") == scoring_code() else ["the code that scores changed", *found]


def is_software(tag: str) -> bool:
    """Whether a model's tag is one of those that `software_differences` reads."""
    return tag.startswith("library_") or tag in ("python", "scoring_code")


def unfit_file(path: Path, expected_digest: str | None) -> str | None:
    """Why a model's file cannot be trusted; None when it is the one that was registered."""
    try:
        found = digest(path)
    except FileNotFoundError:
        return "its file is missing"
    except OSError as error:
        return f"its file cannot be read ({type(error).__name__})"
    return None if found == expected_digest else "its file is not the one that was registered (checksum differs)"


def listed(phrases: list[str]) -> str:
    """A few phrases as one: `a; b; c and 2 more differences`."""
    shown = "; ".join(phrases[:_MOST_NAMED])
    more = len(phrases) - _MOST_NAMED
    return shown if more <= 0 else f"{shown} and {more} more difference{'s' if more > 1 else ''}"


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
