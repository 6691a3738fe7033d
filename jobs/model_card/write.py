"""Write a card at training, and draw it again after every decision on the model."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.errors import ModelUnavailableError
from contracts.programs import Program
from contracts.settings import settings
from jobs.model_card.collect import TrainingRows, card_facts
from jobs.model_card.facts import CardFacts, read_facts, to_json
from jobs.model_card.render import render_html, render_markdown
from jobs.model_card.standing import standing
from jobs.registry import attach
from jobs.report.write import replace_file

if TYPE_CHECKING:
    from jobs.registry import RegisteredModel

_ARTIFACTS, _FACTS = "card", "card.json"


def card_folder(model: RegisteredModel) -> Path:
    """Where a model's card lies: `<home>/reports/models/<name>/<version>/`."""
    return settings().reports_dir / "models" / model.name / str(model.version)


def write_card(program: Program, model: RegisteredModel, scorer: Any, rows: TrainingRows) -> Path:
    """Collect the facts of a training, keep them with the model in MLflow, and draw the card; returns the page."""
    facts = card_facts(program, model, scorer, rows)
    _attach(model, _FACTS, to_json(facts))
    return _draw(model, facts)


def redraw_card(model: RegisteredModel) -> Path:
    """Draw a card again with the decisions as they are now; returns the page.

    Raises:
        ModelUnavailableError: no card was made when the model was trained.
    """
    try:
        facts = read_facts(model.folder / _ARTIFACTS / _FACTS)
    except (OSError, ValueError) as error:
        raise ModelUnavailableError(
            f"{model.label} has no card that can be read ({type(error).__name__}).",
            todo="cards are made at training; train again.",
        ) from error
    return _draw(model, facts)


def _draw(model: RegisteredModel, facts: CardFacts) -> Path:
    now = standing(model)
    folder = card_folder(model)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in {"card.md": render_markdown(facts, now), "card.html": render_html(facts, now)}.items():
        replace_file(folder / name, text)
        _attach(model, name, text)
    return folder / "card.html"


def _attach(model: RegisteredModel, name: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_text(text, encoding="utf-8")
        attach(model, path, _ARTIFACTS)
