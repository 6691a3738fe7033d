"""What `outreach models` shows: versions, one version, and a challenger beside what serves. Plain data, ready for JSON."""

from __future__ import annotations

from datetime import date, datetime
from itertools import groupby
from typing import Any

from contracts.catalog import contract
from contracts.compile.literals import sql_string
from contracts.errors import ModelUnavailableError, UserError
from contracts.programs import programs
from jobs.decisions import Decision, objection, trail
from jobs.delta import table_exists
from jobs.fitness import unfit
from jobs.model_card.standing import standing
from jobs.provenance import is_software
from jobs.registry import CHALLENGER, CHAMPION, RegisteredModel, aliased, model_version, names, versions
from jobs.session import spark_session

MEASURES = ("autoc", "qini", "top_fraction_effect", "blp_slope")
_RECENT = 5


def find(text: str, version: int | None = None, *, prefer: tuple[str, ...] = (CHAMPION, CHALLENGER)) -> RegisteredModel:
    """The version that a person means.

    Args:
        text: a registered name, `name/version`, or a program's key where only one source has a model of it.
        version: number; overrides one in `text`.
        prefer: aliases to look for, in order, when no version is named.

    Raises:
        ModelUnavailableError: nothing, or more than one thing, has that name.
    """
    stem, _, number = text.partition("/")
    name = registered_name(stem)
    if version is None and number:
        if not number.isdigit():
            raise ModelUnavailableError(f"`{number}` is not a version of {name}.", expected="a number")
        version = int(number)
    if version is not None:
        return model_version(name, version)
    for alias in prefer:
        if (found := aliased(name, alias)) is not None:
            return found
    raise ModelUnavailableError(f"{name} has no {' or '.join(prefer)}.", todo="see `outreach models list`.")


def registered_name(text: str) -> str:
    """A registered name from itself or from a program's key.

    Raises:
        ModelUnavailableError: nothing, or more than one thing, has that name.
    """
    known = names()
    if text in known:
        return text
    fitting = [name for name in known if name.split(".")[-1] == text]
    if len(fitting) == 1:
        return fitting[0]
    if not known:
        raise ModelUnavailableError("No model has been trained yet.", todo="run `outreach train`.")
    what = f"More than one source has a model of {text}." if fitting else f"No model is called {text}."
    raise ModelUnavailableError(what, expected=f"one of {', '.join(fitting or known)}")


def known_program(key: str) -> str:
    """The key, if it is of a program as configured or of one that a model was trained for.

    Raises:
        UserError: it is neither.
    """
    known = dict.fromkeys([*programs().programs, *(name.split(".")[-1] for name in names())])
    if key not in known:
        raise UserError(f"No program is called {key}.", expected=", ".join(known))
    return key


def listing(*, source: str | None = None, program: str | None = None, everything: bool = False) -> list[dict[str, Any]]:
    """One row per version, newest first within a name: the last few of each and the champion, or all of them."""
    rows = []
    for name, group in groupby(versions(), key=lambda model: model.name):
        found = [m for m in group if source in (None, m.data_source) and program in (None, m.program)]
        if not found:
            continue
        champion = aliased(name, CHAMPION)
        serving = champion.version if champion else None
        decided = trail(name)
        for place, model in enumerate(found):
            role = "champion" if model.version == serving else "challenger" if place == 0 else None
            if everything or place < _RECENT or role:
                rows.append(
                    {**_row(model), "role": role, **_approval(decided.approval(model.version)), **_fitness(model, role)}
                )
    return rows


def _row(model: RegisteredModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "version": model.version,
        "data_source": model.data_source,
        "program": model.program,
        "verdict": model.verdict,
        "learner": model.tags.get("learner"),
        "trained_as_of": model.tags.get("trained_as_of"),
    }


def _approval(approval: Decision | None) -> dict[str, Any]:
    if approval is None:
        return {"approved_by": None, "approved_at": None, "approval_kind": None}
    return {
        "approved_by": approval.actor, "approved_at": approval.decided_at.isoformat(timespec="seconds"),
        "approval_kind": approval.actor_kind,
    }  # fmt: skip


def _fitness(model: RegisteredModel, role: str | None) -> dict[str, Any]:
    """Whether the two versions that matter may score; reading every old file would take long."""
    return {"unfit": unfit(model) if role else None}


def description(model: RegisteredModel) -> dict[str, Any]:
    """Everything known of one version without its members: tags, gates, held-out effects, decisions."""
    now = standing(model)
    return {
        **_row(model),
        "registered_at": model.created_at.isoformat(timespec="seconds"),
        "standing": now.words,
        "unfit": now.unfit,
        "objection": None if now.serves else objection(model),
        "verdict_sentence": model.tags.get("verdict_sentence"),
        **_approval(now.approval),
        "gates": model.document("gates") or [],
        "held_out": [row for row in model.document("evaluation") or [] if row["metric"] in MEASURES],
        "decisions": [decision_row(decision) for decision in now.decisions],
        "made_with": {key: value for key, value in sorted(model.tags.items()) if _is_provenance(key)},
    }


def _is_provenance(tag: str) -> bool:
    return is_software(tag) or tag.startswith("contract_") or tag in ("feature_version", "program_version", "seed")


def decision_row(decision: Decision) -> dict[str, Any]:
    """A decision for people and scripts."""
    return {
        "decision_id": decision.decision_id, "action": decision.action, "version": decision.version,
        "previous_version": decision.previous, "actor": decision.actor, "actor_kind": decision.actor_kind,
        "login": decision.login, "note": decision.note, "decided_at": decision.decided_at.isoformat(timespec="seconds"),
        "outcome": decision.outcome,
    }  # fmt: skip


def comparison(name: str, version: int | None, nights: int) -> dict[str, Any]:
    """A challenger beside what serves: gates, held-out effects, and the nights on which both scored.

    Args:
        name: registered name.
        version: to compare with what serves; None: the one trained last, if it does not serve.
        nights: how many nights at most, latest first.
    """
    serving = aliased(name, CHAMPION)
    other = model_version(name, version) if version is not None else aliased(name, CHALLENGER)
    if other is not None and serving is not None and other.version == serving.version:
        other = None
    found: dict[str, Any] = {
        "name": name,
        "champion": serving.label if serving else None,
        "challenger": other.label if other else None,
    }
    if other is None:
        return {**found, "objection": None, "gates": [], "held_out": [], "nights": []}
    return {
        **found,
        "objection": objection(other),
        "gates": _side_by_side(serving, other, "gates", ("name",), ("status", "sentence")),
        "held_out": _side_by_side(serving, other, "evaluation", ("rule", "metric"), ("value", "ci_low", "ci_high")),
        "nights": shadow_nights(other, nights),
    }


def _side_by_side(
    serving: RegisteredModel | None, other: RegisteredModel, stem: str, keys: tuple[str, ...], shown: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Rows of a document of both versions, matched by `keys`; of the held-out effects only the main measures."""

    def rows(model: RegisteredModel | None) -> dict[tuple[Any, ...], dict[str, Any]]:
        document = (model.document(stem) if model else None) or []
        kept = [row for row in document if "metric" not in row or row["metric"] in MEASURES]
        return {tuple(row[key] for key in keys): {field: row.get(field) for field in shown} for row in kept}

    ours, theirs = rows(serving), rows(other)
    return [
        {**dict(zip(keys, key, strict=True)), "champion": ours.get(key), "challenger": theirs.get(key)}
        for key in dict.fromkeys([*theirs, *ours])
    ]


def shadow_nights(challenger: RegisteredModel, count: int) -> list[dict[str, Any]]:
    """Rows of `causal.shadow_comparison` of one challenger, latest first."""
    spark = spark_session()
    if not table_exists(spark, "causal.shadow_comparison"):
        return []
    columns = ", ".join(contract("causal.shadow_comparison").column_names)
    rows = spark.sql(f"""
        select {columns} from causal.shadow_comparison where challenger_version = {sql_string(challenger.label)}
        order by run_date desc limit {int(count)}""").collect()
    return [{key: _plain(value) for key, value in row.asDict().items()} for row in rows]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value
