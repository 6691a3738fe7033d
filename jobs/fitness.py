"""May this model score here and now: its file whole, its libraries and definitions those of its training."""

from __future__ import annotations

from jobs.provenance import differences, listed, unfit_file
from jobs.registry import RegisteredModel


def unfit(model: RegisteredModel) -> str | None:
    """Why a model may not score, as a phrase without a full stop; None when it may."""
    if (why := unfit_file(model.scorer_path, model.tags.get("scorer_sha256"))) is not None:
        return why
    found = differences(model.tags, model.program)
    return listed(found) if found else None
