"""Who may serve, and who decided so: approve, promote, roll back. Every decision stays on record.

The trail of a model is kept as numbered tags of its registered name, in the database that holds the aliases, and
appended to `ops.model_decision`. What serves changes by one transaction, the move of the alias `champion`. A decision
is written before the move as `intended` and after it as `done`; a command that is killed in between leaves the old
champion or the new one, and the next reader of the trail settles from the alias which of them it is.
"""

from __future__ import annotations

import getpass
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from filelock import FileLock, Timeout

from contracts.errors import RefusedError, RegistryError, UserError
from contracts.settings import settings
from jobs.fitness import unfit
from jobs.registry import (
    CHAMPION,
    RegisteredModel,
    aliased,
    model_version,
    name_tags,
    names,
    point,
    set_name_tag,
    set_version_tag,
)

Action = Literal["approve", "promote", "rollback"]
Outcome = Literal["intended", "done", "interrupted"]
AUTO_APPROVAL = "auto-approval"
_TAG = "decision."
_PATIENCE_SECONDS = 30.0
# Far more than a sentence, and far less than what a tag of the registry may hold.
_LONGEST_NOTE, _LONGEST_NAME = 2000, 200


@dataclass(frozen=True)
class Actor:
    """Who decides: a person with the login used, or the settings (`kind` auto)."""

    name: str
    kind: Literal["person", "auto"]
    login: str | None


@dataclass(frozen=True)
class Decision:
    """One entry of a model's trail.

    Attributes:
        decision_id: unique over all models and registries.
        name: registered name.
        number: place in the trail, from 1.
        version: decided on; None: no model is to serve.
        previous: version that served before, None when none did.
        verdict: of the version's gates; `none` where there is no version.
        outcome: `intended` until the alias has moved; approvals move nothing and are done at once.
        is_recorded: appended to `ops.model_decision`.
    """

    decision_id: str
    name: str
    number: int
    action: Action
    version: int | None
    previous: int | None
    verdict: str
    actor: str
    actor_kind: Literal["person", "auto"]
    login: str | None
    note: str
    decided_at: datetime
    outcome: Outcome
    is_recorded: bool = False

    @property
    def _tag(self) -> str:
        return f"{_TAG}{self.number:06d}"

    def write(self) -> Decision:
        """Write the entry as it is now."""
        entry = {**asdict(self), "decided_at": self.decided_at.isoformat()}
        set_name_tag(self.name, self._tag, json.dumps(entry))
        return self


@dataclass(frozen=True)
class Trail:
    """The decisions on one registered name, in order, and what they amount to."""

    decisions: tuple[Decision, ...]

    def approval(self, version: int) -> Decision | None:
        """The approval that a version has; None when it never had one, or was rolled back from since."""
        found = None
        for decision in self._done():
            if decision.action == "approve" and decision.version == version:
                found = decision
            elif decision.action == "rollback" and decision.previous == version:
                found = None
        return found

    def served(self) -> list[int]:
        """Versions that served and were not rolled back from, oldest first."""
        stack: list[int] = []
        for decision in self._done():
            if decision.action == "promote" and decision.version is not None:
                stack.append(decision.version)
            elif decision.action == "rollback":
                # A version can have served more than once; what was rolled back from is gone from every place.
                stack = [version for version in stack if version != decision.previous]
                while decision.version is not None and stack and stack[-1] != decision.version:
                    stack.pop()
        return stack

    def taken_off(self) -> Decision | None:
        """The rollback to no model that holds now; None where a model was put in place since, or never was one."""
        moves = [decision for decision in self._done() if decision.action != "approve"]
        return moves[-1] if moves and moves[-1].version is None else None

    def _done(self) -> list[Decision]:
        return [decision for decision in self.decisions if decision.outcome == "done"]


def person(name: str | None = None) -> Actor:
    """The person at the keyboard, under the name given or the login's."""
    login = getpass.getuser()
    return Actor((name or login).strip() or login, "person", login)


def trail(name: str) -> Trail:
    """The decisions on a registered name; those that a killed command left open are shown as the alias tells."""
    entries = sorted((key, value) for key, value in name_tags(name).items() if key.startswith(_TAG))
    serving = aliased(name, CHAMPION)
    current = serving.version if serving else None
    return Trail(tuple(_settled(_parsed(value), current) for _, value in entries))


def _parsed(entry: str) -> Decision:
    fields: dict[str, Any] = json.loads(entry)
    return Decision(**{**fields, "decided_at": datetime.fromisoformat(fields["decided_at"])})


def _settled(decision: Decision, current: int | None) -> Decision:
    if decision.outcome != "intended":
        return decision
    return replace(decision, outcome="done" if decision.version == current else "interrupted")


@contextmanager
def _deciding(name: str) -> Iterator[Trail]:
    """The trail of a name while no other command changes it; what a killed command left open is settled first.

    Raises:
        RegistryError: another command holds the registry for too long.
    """
    settings().made_home()
    settings().mlflow_dir.mkdir(mode=0o700, exist_ok=True)
    try:
        with FileLock(settings().mlflow_dir / "decisions.lock", timeout=_PATIENCE_SECONDS, mode=0o600):
            entries = {key: value for key, value in name_tags(name).items() if key.startswith(_TAG)}
            found = trail(name)
            for decision in found.decisions:
                if _parsed(entries[decision._tag]).outcome == "intended":
                    decision.write()
            yield found
    except Timeout as error:
        raise RegistryError(
            "Another command is changing which model serves.", todo="wait until it has ended, then run this again."
        ) from error


def approve(model: RegisteredModel, actor: Actor, note: str) -> Decision:
    """Record that someone answers for a version; it may be promoted from then on.

    Raises:
        UserError: no note, or one that cannot be kept.
        RefusedError: its gates blocked it.
    """
    _refuse_unwritable(actor, note)
    if not note.strip():
        raise UserError("An approval needs a note.", expected="what it rests on, in a sentence", todo="pass --note.")
    _refuse_blocked(model)
    with _deciding(model.name) as found:
        decision = _decision(found, model.name, "approve", model, actor, note).write()
        when = f"{decision.decided_at:%Y-%m-%d %H:%M} UTC"
        set_version_tag(model, "approved", f"by {actor.name} ({actor.kind}) at {when}: {decision.note}")
    return decision


def promote(model: RegisteredModel, actor: Actor, note: str = "") -> Decision | None:
    """Make an approved version the champion that serves from the next night on; None when it serves already.

    Raises:
        UserError: a note that cannot be kept.
        RefusedError: its gates blocked it, or would only rank by the fallback rule while a valid champion serves; it
            may not score here; or nobody approved it.
    """
    _refuse_unwritable(actor, note)
    with _deciding(model.name) as found:
        serving = aliased(model.name, CHAMPION)
        if serving is not None and serving.version == model.version:
            return None
        _refuse(model, serving, found, asked=actor.kind == "person" and not settings().auto_approve)
        return _move(_decision(found, model.name, "promote", model, actor, note))


def objection(model: RegisteredModel) -> str | None:
    """What stands against promoting a version now; None when nothing does."""
    try:
        _refuse(model, aliased(model.name, CHAMPION), trail(model.name), asked=not settings().auto_approve)
    except RefusedError as error:
        return str(error)
    return None


def roll_back(name: str, actor: Actor, reason: str, to: int | Literal["previous", "none"] = "previous") -> Decision:
    """Take the champion off and put back one that served before it; its own approval ends with that.

    Args:
        name: registered name.
        actor: who decides.
        reason: why, for the record.
        to: a version that served before; `previous`; or `none`, so that the program's fallback rule ranks.

    Raises:
        UserError: no reason given, or one that cannot be kept, or nothing to roll back to.
        RefusedError: the version to go back to may not score here.
    """
    _refuse_unwritable(actor, reason)
    if not reason.strip():
        raise UserError("A rollback needs a reason.", expected="why, in a sentence", todo="pass --reason.")
    with _deciding(name) as found:
        target = _rollback_target(name, found, to)
        if target is not None and (why := unfit(target)) is not None:
            raise RefusedError(
                f"{target.label} may not score here: {why}.",
                todo="train again, or roll back with `--to none`, so that the fallback rule ranks meanwhile.",
            )
        return _move(_decision(found, name, "rollback", target, actor, reason))


def approve_and_promote_unasked(model: RegisteredModel) -> bool:
    """Where the settings allow it, approve and promote without a person, and say so; returns whether it serves now."""
    if unasked_objection(model) is not None:
        return False
    actor = Actor(AUTO_APPROVAL, "auto", None)
    approve(model, actor, "OUTREACH_AUTO_APPROVE is set: no person was asked.")
    promote(model, actor, "Gates allow it.")
    return True


def unasked_objection(model: RegisteredModel) -> str | None:
    """What stands against approving and promoting a version without a person; None when nothing does."""
    serving = aliased(model.name, CHAMPION)
    try:
        _refuse_blocked(model)
        _refuse_taken_off(model, trail(model.name))
        _refuse_fallback(model, serving)
        _refuse_older(model, serving)
    except RefusedError as error:
        return str(error)
    return None


def pending(all_names: Sequence[str] | None = None) -> list[Decision]:
    """Settled decisions that are not in `ops.model_decision` yet, oldest first."""
    found = [d for name in (all_names or names()) for d in trail(name).decisions]
    return sorted((d for d in found if not d.is_recorded), key=lambda d: (d.decided_at, d.name, d.number))


def _refuse_unwritable(actor: Actor, note: str) -> None:
    """A text that cannot be stored would be met by every night that appends it, long after the command ended."""
    for what, text, longest in (
        ("The note or reason", note, _LONGEST_NOTE),
        ("The name of who decides", actor.name, _LONGEST_NAME),
        ("The login", actor.login or "", _LONGEST_NAME),
    ):
        try:
            text.encode()
        except UnicodeEncodeError:  # the shell passed bytes of another encoding
            raise UserError(
                f"{what} has a character that cannot be kept.",
                expected="text in UTF-8",
                todo="type it again in a terminal that is set to UTF-8.",
            ) from None
        if len(text) > longest:
            raise UserError(
                f"{what} is too long to be kept.", expected=f"at most {longest:,} characters", actual=f"{len(text):,}"
            )


def _decision(
    found: Trail, name: str, action: Action, model: RegisteredModel | None, actor: Actor, note: str
) -> Decision:
    serving = aliased(name, CHAMPION)
    return Decision(
        decision_id=uuid.uuid4().hex,
        name=name,
        number=max((d.number for d in found.decisions), default=0) + 1,
        action=action,
        version=model.version if model else None,
        previous=serving.version if serving else None,
        verdict=model.verdict if model else "none",
        actor=actor.name,
        actor_kind=actor.kind,
        login=actor.login,
        note=note.strip(),
        decided_at=datetime.now(UTC),
        outcome="done" if action == "approve" else "intended",
    )


def _move(decision: Decision) -> Decision:
    """Write the intent, move the alias, write that it is done."""
    decision.write()
    point(decision.name, decision.version)
    return replace(decision, outcome="done").write()


def _rollback_target(name: str, found: Trail, to: int | Literal["previous", "none"]) -> RegisteredModel | None:
    serving = aliased(name, CHAMPION)
    current = serving.version if serving else None
    if to == "none":
        if current is None:
            raise UserError(f"No model of {name} serves, so there is none to take off.")
        return None
    earlier = [version for version in found.served() if version != current and found.approval(version) is not None]
    if not earlier:
        raise UserError(
            f"No other model of {name} has served before and is still approved, so there is none to go back to.",
            todo="with `--to none` the program ranks by its fallback rule.",
        )
    if to == "previous":
        return model_version(name, earlier[-1])
    if to not in earlier:
        raise UserError(
            f"{name}/{to} is not a version to go back to.",
            expected=f"one of {', '.join(map(str, earlier))}, or none",
            todo="a version that never served is approved and promoted instead.",
        )
    return model_version(name, to)


def _refuse(model: RegisteredModel, serving: RegisteredModel | None, found: Trail, *, asked: bool) -> None:
    """The rules of promotion, the plainest first; where a person is `asked`, an automatic approval is none."""
    _refuse_blocked(model)
    if (why := unfit(model)) is not None:
        raise RefusedError(f"{model.label} may not score here: {why}.", todo="train again.")
    _refuse_fallback(model, serving)
    approval = found.approval(model.version)
    if approval is None:
        raise RefusedError(
            f"Nobody has approved {model.label}.",
            todo=f'`outreach models approve {model.name} {model.version} --note "..."`, then promote it.',
        )
    if asked and approval.actor_kind == "auto":
        raise RefusedError(
            f"{model.label} was only approved automatically, and OUTREACH_AUTO_APPROVE is off here.",
            todo=f'`outreach models approve {model.name} {model.version} --note "..."`, then promote it.',
        )


def _refuse_blocked(model: RegisteredModel) -> None:
    if model.verdict not in ("publish", "fallback"):
        raise RefusedError(
            f"{model.label} was blocked by its gates.",
            actual=model.tags.get("verdict_sentence", "no sentence on record").rstrip("."),
            todo="see `outreach models show`; mend the data or the design and train again.",
        )


def _refuse_fallback(model: RegisteredModel, serving: RegisteredModel | None) -> None:
    """A model whose ranking is not published may only fill an empty place."""
    if model.verdict == "fallback" and serving is not None and unfit(serving) is None:
        raise RefusedError(
            f"{model.label} did not pass the gates that a ranking by effect needs, and {serving.label} serves.",
            todo="keep the champion; or take it off first with `outreach models rollback ... --to none`.",
        )


def _refuse_taken_off(model: RegisteredModel, found: Trail) -> None:
    """Who rolled back to no model chose the rule, and no training takes that choice back; a person may."""
    if (taken_off := found.taken_off()) is not None:
        raise RefusedError(
            f"No model of {model.name} is to serve: the last was taken off on {taken_off.decided_at:%Y-%m-%d}.",
            todo="keep the fallback rule; or approve and promote a version by hand.",
        )


def _refuse_older(model: RegisteredModel, serving: RegisteredModel | None) -> None:
    """A training for a night long past knows less than the champion; a person may still want it."""
    if serving is None or unfit(serving) is not None:
        return
    learnt, known = model.tags.get("trained_as_of", ""), serving.tags.get("trained_as_of", "")
    if learnt < known:
        raise RefusedError(
            f"{model.label} learnt from what was known on {learnt}, and {serving.label} from what was known on {known}.",
            todo="keep the champion; or approve and promote the older one by hand.",
        )
