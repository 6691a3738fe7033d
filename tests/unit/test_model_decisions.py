"""Who may serve: the rules of approval, promotion and rollback, and that a killed command leaves a valid state."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date

import pytest
from registry_world import NAME, PROGRAM, SOURCE, Registry

from contracts.errors import RefusedError, RegistryError, UserError
from contracts.settings import settings
from jobs import decision_table, decisions
from jobs.decisions import (
    Actor,
    approve,
    approve_and_promote_unasked,
    objection,
    pending,
    promote,
    roll_back,
    trail,
    unasked_objection,
)
from jobs.registry import RegisteredModel, challenger, champion, latest, model_version

MARIA = Actor("Maria", "person", "maria")


def serving() -> int | None:
    found = champion(SOURCE, PROGRAM)
    return found.version if found else None


def serve(model: RegisteredModel) -> None:
    approve(model, MARIA, "read the card")
    assert promote(model, MARIA) is not None


def test_nothing_serves_before_anything_was_trained(registry: Registry) -> None:
    assert (champion(SOURCE, PROGRAM), challenger(SOURCE, PROGRAM), latest(SOURCE, PROGRAM)) == (None, None, None)
    assert pending() == []


def test_training_alone_lets_nothing_serve(registry: Registry) -> None:
    model = registry.train()
    assert serving() is None
    assert challenger(SOURCE, PROGRAM).label == model.label


def test_promotion_needs_an_approval(registry: Registry) -> None:
    model = registry.train()
    with pytest.raises(RefusedError, match="Nobody has approved") as refused:
        promote(model, MARIA)
    assert refused.value.exit_code == 12
    serve(model)
    assert serving() == 1
    assert challenger(SOURCE, PROGRAM) is None, "the champion is its own challenger"
    assert latest(SOURCE, PROGRAM).version == 1


def test_an_approval_says_who_when_and_what_it_rests_on(registry: Registry) -> None:
    model = registry.train()
    with pytest.raises(UserError, match="note"):
        approve(model, MARIA, "  ")
    approve(model, MARIA, "read the card with the nurses")
    found = trail(NAME).approval(1)
    assert (found.actor, found.actor_kind, found.login, found.note) == (
        "Maria", "person", "maria", "read the card with the nurses",
    )  # fmt: skip
    assert found.decided_at.tzinfo is UTC


@pytest.mark.parametrize("text", ["comit\udce9", "x" * 2001, "x" * 100_000])
def test_what_cannot_be_kept_is_refused_before_anything_is_decided(registry: Registry, text: str) -> None:
    """A shell passes a byte that is no UTF-8 as half a surrogate pair; every night would have met it."""
    model = registry.train()
    for decide in (
        lambda: approve(model, MARIA, text),
        lambda: approve(model, Actor(text, "person", "maria"), "read"),
        lambda: promote(model, MARIA, text),
        lambda: roll_back(NAME, MARIA, text),
    ):
        with pytest.raises(UserError, match=r"cannot be kept|too long to be kept") as refused:
            decide()
        assert refused.value.exit_code == 2
        assert text not in str(refused.value)
    assert trail(NAME).decisions == ()
    approve(model, MARIA, "Begründung 🙂 " * 100)


def test_a_decision_that_cannot_be_appended_is_an_alert_and_stops_no_other(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(registry.train())
    first, _ = pending()
    appended, alerts = list[str](), list[dict[str, object]]()

    def append(rows: dict[str, object], *_: object) -> None:
        if rows["decision_id"] == first.decision_id:
            "\udce9".encode()
        appended.append(str(rows["action"]))

    monkeypatch.setattr(decision_table, "ensure_tables", lambda *_: None)
    monkeypatch.setattr(decision_table, "rows_of_contract", lambda _, __, rows: rows[0])
    monkeypatch.setattr(decision_table, "computed", lambda rows, _: rows)
    monkeypatch.setattr(decision_table, "append_idempotent", append)
    monkeypatch.setattr(decision_table, "record_alert", lambda **alert: alerts.append(alert))
    assert decision_table.record_decisions(None) == 1
    assert appended == ["promote"]
    assert [alert["subject"] for alert in alerts] == [NAME]
    assert f"{first.decision_id} cannot be appended" in str(alerts[0]["message"])
    assert [d.decision_id for d in pending()] == [first.decision_id], "it is lost"


def test_a_record_that_fails_costs_nobody_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    from jobs import night

    def failing(_: object) -> int:
        raise OSError("no space left")

    alerts = list[dict[str, object]]()
    monkeypatch.setattr(night, "spark_session", lambda: None)
    monkeypatch.setattr(night, "record_decisions", failing)
    monkeypatch.setattr(night, "record_alert", lambda **alert: alerts.append(alert))
    night._catch_up_on_decisions(SOURCE, date(2026, 7, 1), "run")
    assert [(alert["kind"], alert["subject"]) for alert in alerts] == [("model", "ops.model_decision")]


def test_blocked_is_neither_approved_nor_promoted(registry: Registry) -> None:
    model = registry.train("blocked")
    with pytest.raises(RefusedError, match="blocked by its gates"):
        approve(model, MARIA, "I know better")
    with pytest.raises(RefusedError, match="blocked by its gates"):
        promote(model, MARIA)
    assert trail(NAME).decisions == ()


def test_fallback_fills_only_an_empty_place(registry: Registry) -> None:
    first = registry.train("fallback")
    serve(first)
    serve(registry.train("publish"))
    third = registry.train("fallback")
    approve(third, MARIA, "newer")
    with pytest.raises(RefusedError, match="did not pass the gates"):
        promote(third, MARIA)
    assert serving() == 2


def test_fallback_replaces_a_champion_that_may_not_score(registry: Registry) -> None:
    old = registry.train("publish")
    serve(old)
    old.scorer_path.unlink()
    serve(registry.train("fallback"))
    assert serving() == 2


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"library_numpy": "1.0"}, "numpy was 1.0 and is"),
        ({"feature_version": "0"}, "feature definitions changed"),
        ({"contract_causal.cohort": "0.9.0"}, "contract of causal.cohort was 0.9.0"),
        ({"program_version": "0"}, "eligibility, timing or outcome changed"),
    ],
)
def test_other_definitions_are_not_promoted(registry: Registry, tags: dict[str, str], said: str) -> None:
    model = registry.train(tags=tags)
    approve(model, MARIA, "looks good")
    with pytest.raises(RefusedError, match=said):
        promote(model, MARIA)
    assert said in objection(model)


def test_promoting_what_serves_changes_nothing(registry: Registry) -> None:
    model = registry.train()
    serve(model)
    before = trail(NAME).decisions
    assert promote(model, MARIA) is None
    assert trail(NAME).decisions == before


def test_rollback_puts_the_previous_back_and_ends_the_approval(registry: Registry) -> None:
    first, second, third = registry.train(), registry.train(), registry.train()
    for model in (first, second, third):
        serve(model)
    assert roll_back(NAME, MARIA, "complaints").version == 2
    assert serving() == 2
    assert roll_back(NAME, MARIA, "again").version == 1, "two rollbacks do not bring the first one back"
    with pytest.raises(UserError, match="none to go back to"):
        roll_back(NAME, MARIA, "further")
    with pytest.raises(RefusedError, match="Nobody has approved"):
        promote(third, MARIA)
    assert serving() == 1
    assert [d.note for d in trail(NAME).decisions if d.action == "rollback"] == ["complaints", "again"]


def test_a_rollback_never_goes_back_to_what_was_rolled_back_from(registry: Registry) -> None:
    first, second = registry.train(), registry.train()
    for model in (first, second, first):
        if trail(NAME).approval(model.version) is None:
            approve(model, MARIA, "read")
        assert promote(model, MARIA) is not None
    assert trail(NAME).served() == [1, 2, 1]
    assert roll_back(NAME, MARIA, "complaints about 1").version == 2
    with pytest.raises(UserError, match="none to go back to"):
        roll_back(NAME, MARIA, "complaints about 2")
    with pytest.raises(UserError, match="none to go back to"):
        roll_back(NAME, MARIA, "complaints about 2", to=1)
    assert serving() == 2
    serve_again = approve(first, MARIA, "mended")
    assert promote(first, MARIA).version == serve_again.version
    assert roll_back(NAME, MARIA, "no better").version == 2, "an approval given anew counts"


def test_rollback_to_none_lets_the_rule_rank_and_can_be_undone(registry: Registry) -> None:
    for model in (registry.train(), registry.train()):
        serve(model)
    assert roll_back(NAME, MARIA, "harm suspected", to="none").version is None
    assert serving() is None
    with pytest.raises(UserError, match="none to take off"):
        roll_back(NAME, MARIA, "twice", to="none")
    assert roll_back(NAME, MARIA, "the one before was fine").version == 1
    assert serving() == 1


def test_rollback_asks_for_a_reason_and_a_version_that_served(registry: Registry) -> None:
    serve(registry.train())
    registry.train()
    serve(registry.train())
    with pytest.raises(UserError, match="reason"):
        roll_back(NAME, MARIA, "")
    with pytest.raises(UserError, match="not a version to go back to"):
        roll_back(NAME, MARIA, "why not", to=2)
    assert roll_back(NAME, MARIA, "known to be good", to=1).version == 1


def test_no_rollback_to_what_may_not_score(registry: Registry) -> None:
    first = registry.train()
    serve(first)
    serve(registry.train())
    first.scorer_path.write_bytes(b"not the file that was registered")
    with pytest.raises(RefusedError, match="checksum differs"):
        roll_back(NAME, MARIA, "bad night")
    assert serving() == 2


def test_auto_approval_is_on_record_as_such(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().auto_approve is False, "no model may serve unasked unless somebody said so"
    assert approve_and_promote_unasked(registry.train("fallback"))
    assert approve_and_promote_unasked(registry.train("publish"))
    assert not approve_and_promote_unasked(registry.train("fallback")), "a publishing champion serves"
    assert not approve_and_promote_unasked(registry.train("blocked"))
    assert serving() == 2
    assert {(d.actor, d.actor_kind, d.login) for d in trail(NAME).decisions} == {("auto-approval", "auto", None)}


def test_what_learnt_from_less_does_not_replace_the_champion_unasked(registry: Registry) -> None:
    """A training for a night of last year ends later and knows less."""
    assert approve_and_promote_unasked(registry.train())
    older = registry.train(tags={"trained_as_of": "2025-06-01"})
    assert not approve_and_promote_unasked(older)
    assert "learnt from what was known on 2025-06-01" in unasked_objection(older)
    assert serving() == 1
    serve(older)
    assert serving() == 2, "a person may want it"
    older.scorer_path.unlink()
    assert approve_and_promote_unasked(registry.train(tags={"trained_as_of": "2025-01-01"})), "nothing that may score"


def test_a_rule_that_a_person_chose_ranks_until_a_person_promotes(registry: Registry) -> None:
    """A training of the next night, which nobody was asked about, must not put back what was taken off for harm."""
    assert approve_and_promote_unasked(registry.train())
    roll_back(NAME, MARIA, "harm suspected", to="none")
    later = registry.train()
    assert not approve_and_promote_unasked(later)
    assert "is to serve: the last was taken off on" in unasked_objection(later)
    assert "harm" not in unasked_objection(later), "the reason is for the record alone"
    assert serving() is None
    assert trail(NAME).approval(later.version) is None
    serve(later)
    assert approve_and_promote_unasked(registry.train()), "models rank again"


def test_an_automatic_approval_does_not_bind_a_person_elsewhere(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = registry.train()
    approve(model, Actor("auto-approval", "auto", None), "OUTREACH_AUTO_APPROVE is set")
    with pytest.raises(RefusedError, match="only approved automatically"):
        promote(model, MARIA)
    monkeypatch.setenv("OUTREACH_AUTO_APPROVE", "true")
    settings.cache_clear()
    assert promote(model, MARIA) is not None


class Killed(BaseException):
    """Stands for kill -9 between two transactions."""


def dying(at: int, function: Callable[..., object], calls: list[int]) -> Callable[..., object]:
    def run(*arguments: object, **options: object) -> object:
        calls[0] += 1
        if calls[0] == at:
            raise Killed
        return function(*arguments, **options)

    return run


@pytest.mark.parametrize("at", range(1, 4))
@pytest.mark.parametrize("action", ["promote", "rollback", "none"])
def test_a_killed_command_leaves_the_old_champion_or_the_new_one(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, action: str, at: int
) -> None:
    """Three transactions move a champion: intent, alias, done. Killed before any of them, the state is whole."""
    serve(registry.train())
    if action != "promote":
        serve(registry.train())
    else:
        approve(registry.train(), MARIA, "read")
    before, third = serving(), registry.train()
    calls = [0]
    with monkeypatch.context() as patched:
        for name in ("set_name_tag", "point"):
            patched.setattr(decisions, name, dying(at, getattr(decisions, name), calls))
        with pytest.raises(Killed):
            act(action)
    wanted = {"promote": 2, "rollback": 1, "none": None}[action]
    assert serving() in (before, wanted)
    last = trail(NAME).decisions[-1]
    if at > 1:
        assert last.outcome == ("done" if serving() == wanted else "interrupted")
        assert (serving() == wanted) == (at == 3)
    # The next command settles the record and works as if nothing had happened.
    serve(third)
    assert serving() == third.version
    assert all(d.outcome != "intended" for d in trail(NAME).decisions)
    numbers = [d.number for d in trail(NAME).decisions]
    assert numbers == list(range(1, len(numbers) + 1)), "a number was given twice or lost"


def act(action: str) -> None:
    if action == "promote":
        promote(model_version(NAME, 2), MARIA)
    else:
        roll_back(NAME, MARIA, "why", to="none" if action == "none" else "previous")


def test_two_commands_do_not_decide_at_once(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    model = registry.train()
    lock = settings().mlflow_dir / "decisions.lock"
    code = f"import filelock, sys; lock = filelock.FileLock({str(lock)!r}); lock.acquire(); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        monkeypatch.setattr(decisions, "_PATIENCE_SECONDS", 0.2)
        with pytest.raises(RegistryError, match="Another command") as held:
            approve(model, MARIA, "read")
        assert held.value.exit_code == 22
        other.stdin.close()
    approve(model, MARIA, "read")


def test_pending_decisions_are_those_not_appended_yet(registry: Registry) -> None:
    model = registry.train()
    serve(model)
    first, second = pending()
    assert [first.action, second.action] == ["approve", "promote"]
    assert (second.previous, second.version) == (None, 1)
    replace(first, is_recorded=True).write()
    assert [d.action for d in pending()] == ["promote"]
