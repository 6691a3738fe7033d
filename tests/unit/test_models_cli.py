"""`outreach models`: what each command prints, leaves behind and exits with, on a registry of its own and without Spark."""

from __future__ import annotations

import pytest
import typer
from ran import Ran, Run, typed
from registry_world import NAME, PROGRAM, Registry

from contracts.errors import EngineError, ExitCode, OutreachError
from dagster_project import cli


@pytest.fixture
def run(registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line as the console script runs it; no warehouse can be reached."""
    from jobs import model_changes, model_facts

    def unreachable(*_: object) -> object:
        raise EngineError("No engine in this test.")

    for module in (model_changes, model_facts):
        monkeypatch.setattr(module, "spark_session", unreachable)
    monkeypatch.setattr("getpass.getuser", lambda: "mortiz")

    def call(*arguments: str) -> Ran:
        app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
        return typed(monkeypatch, capsys, "models", *arguments, app=app)

    return call


def test_an_empty_registry_is_no_error(run: Run) -> None:
    assert run("list").out == "No model has been trained yet. Run `outreach train`.\n"
    assert run("list", "--json").json == []
    assert run("show", PROGRAM).code == 1
    assert "outreach train" in run("compare", PROGRAM).err


def test_from_training_to_rollback(run: Run, registry: Registry) -> None:
    """The whole life, as a person would type it."""
    registry.train()
    refused = run("promote", PROGRAM)
    assert refused.code == 12
    assert "Nobody has approved" in refused.err
    assert "Traceback" not in refused.err

    approved = run("approve", PROGRAM, "--note", "read the card", "--by", "Maria Ortiz", "--json")
    assert approved.code == 0
    kept = {key: approved.json[key] for key in ("action", "version", "actor", "actor_kind", "login", "note", "outcome")}
    assert kept == {
        "action": "approve", "version": 1, "actor": "Maria Ortiz", "actor_kind": "person", "login": "mortiz",
        "note": "read the card", "outcome": "done",
    }  # fmt: skip
    promoted = run("promote", PROGRAM)
    assert promoted.code == 0
    assert "ranks by effect from the next night on" in promoted.out
    assert "next night" in promoted.err, "a record that waits for the warehouse is not told of"
    assert "serves already" in run("promote", f"{NAME}/1").out

    registry.train()
    run("approve", NAME, "2", "--note", "better calibrated")
    run("promote", NAME, "2")
    rows = {row["version"]: row for row in run("list", "--json").json}
    assert (rows[2]["role"], rows[1]["role"]) == ("champion", None)
    assert rows[2]["approved_by"] == "mortiz"

    assert run("rollback", NAME).code == 2, "a rollback without a reason"
    back = run("rollback", NAME, "--reason", "nurses report odd lists")
    assert back.code == 0
    assert f"{NAME}/1 serves from the next night on" in back.out
    taken_off = run("show", NAME, "2", "--json").json
    assert taken_off["approved_by"] is None
    assert [d["action"] for d in taken_off["decisions"]] == ["approve", "promote", "rollback"]
    assert "fallback rule ranks" in run("rollback", NAME, "--reason", "stop", "--to", "none").out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "nothing"), 1, NAME),
        (("show", f"{NAME}/nine"), 1, "a number"),
        (("show", f"{NAME}/9"), 1, "models list"),
        (("approve", NAME), 2, "--note"),
        (("rollback", NAME, "--reason", "x", "--to", "yesterday"), 2, "previous, none, or a version number"),
        (("rollback", NAME, "--reason", "x"), 2, "none to go back to"),
        (("approve", NAME, "--note", "comit\udce9"), 2, "text in UTF-8"),
        (("approve", NAME, "--note", "x", "--by", "x" * 201), 2, "at most 200 characters"),
        (("show", NAME, "--card"), 1, "has no card"),
        (("promote", NAME, "0"), 2, "greater than or equal to 1"),
        (("list", "--source", "nope"), 2, "No source is called nope"),
        (("list", "--program", "nope"), 2, "No program is called nope"),
    ],
)
def test_errors_are_one_sentence_with_a_way_out(
    run: Run, registry: Registry, arguments: tuple[str, ...], code: int, said: str
) -> None:
    registry.train()
    ran = run(*arguments)
    assert ran.code == code
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_a_version_that_is_named_is_meant(run: Run, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobs import model_facts

    monkeypatch.setattr(model_facts, "shadow_nights", lambda model, count: [])
    for version in ("1", "2"):
        registry.train()
        run("approve", NAME, version, "--note", "x")
        run("promote", NAME, version)
    registry.train()
    assert run("compare", NAME, "--json").json["challenger"] == f"{NAME}/3"
    assert run("compare", f"{NAME}/1", "--json").json["challenger"] == f"{NAME}/1"
    refused = run("rollback", f"{NAME}/1", "--reason", "x")
    assert (refused.code, f"{NAME}/2 serves" in refused.err) == (2, True)
    assert run("rollback", f"{NAME}/9", "--reason", "x").code == 1
    assert run("rollback", f"{PROGRAM}/2", "--reason", "x").code == 0


def test_a_card_that_cannot_be_drawn_does_not_undo_the_decision(
    run: Run, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError("no space left")

    registry.train()
    monkeypatch.setattr("jobs.model_changes.redraw_card", full)
    done = run("approve", NAME, "--note", "read")
    assert done.code == 0
    assert "is not drawn again yet (OSError)" in done.err


def test_blocked_models_are_refused(run: Run, registry: Registry) -> None:
    registry.train("blocked")
    ran = run("approve", NAME, "--note", "I insist")
    assert ran.code == 12
    assert "The gates say blocked" in ran.err


def test_a_program_of_two_sources_must_be_named_in_full(
    run: Run, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.train()
    monkeypatch.setattr("registry_world.SOURCE", "desynpuf")
    registry.train()
    ran = run("show", PROGRAM)
    assert ran.code == 1
    assert "More than one source" in ran.err
    assert run("show", f"outreach.desynpuf.{PROGRAM}", "--json").json["data_source"] == "desynpuf"
    assert {row["data_source"] for row in run("list", "--source", "desynpuf", "--json").json} == {"desynpuf"}


def test_old_versions_are_listed_only_when_asked_for(run: Run, registry: Registry) -> None:
    first = registry.train()
    run("approve", NAME, "1", "--note", "x")
    run("promote", NAME, "1")
    for _ in range(6):
        registry.train()
    assert [row["version"] for row in run("list", "--json").json] == [7, 6, 5, 4, 3, 1]
    assert len(run("list", "--all", "--json").json) == 7
    first.scorer_path.unlink()
    assert "may not score here: its file is missing" in run("list").out


def test_show_says_what_stands_against_a_model(run: Run, registry: Registry) -> None:
    registry.train("fallback")
    ran = run("show", NAME)
    assert ran.code == 0
    for words in ("Challenger: waits for approval", "Nobody has approved", "placebo_outcome", "autoc"):
        assert words in ran.out, words
    assert "gates_1" not in ran.out


def test_compare_without_and_with_a_challenger(run: Run, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobs import model_facts

    registry.train()
    run("approve", NAME, "--note", "x")
    run("promote", NAME)
    alone = run("compare", NAME)
    assert alone.code == 0
    assert "no challenger" in alone.out
    assert run("compare", NAME, "--json").json["challenger"] is None

    registry.train("fallback")
    night = {
        "run_date": "2026-11-23", "status": "scored", "message": None, "list_agreement": 0.9, "rank_correlation": 0.81,
        "score_psi": 0.034, "served_value_usd": 5120.4, "challenger_value_usd": None, "served_list_by_challenger_usd": 1.0,
        "challenger_list_by_served_usd": 2.0,
    }  # fmt: skip
    monkeypatch.setattr(model_facts, "shadow_nights", lambda model, count: [night])
    both = run("compare", NAME)
    for words in ("90%", "0.81", "0.034", "$5,120", "placebo_outcome", "did not pass the gates"):
        assert words in both.out, words
    facts = run("compare", NAME, "--json").json
    assert facts["nights"] == [night]
    assert [g["champion"]["status"] for g in facts["gates"]] == ["pass", "pass"]
    assert facts["held_out"][0]["challenger"]["value"] == 0.2


def test_a_damaged_registry_is_one_sentence(run: Run, registry: Registry) -> None:
    (registry.home / "mlflow" / "mlflow.db").write_bytes(b"no database" * 500)
    ran = run("list")
    assert ran.code == 22
    assert "The model registry cannot be used" in ran.err
    assert "Traceback" not in ran.err


def test_help_says_how_a_model_comes_to_serve(run: Run) -> None:
    shown = " ".join(run("--help").out.split())
    for words in ("challenger", "approve", "promote", "rollback", "compare", "12 the model may not serve"):
        assert words in shown, words
    for command in ("list", "show", "compare", "approve", "promote", "rollback"):
        assert "--json" in run(command, "--help").out


def test_exit_codes_of_the_errors_are_documented() -> None:
    codes = {int(kind.exit_code) for kind in _below(OutreachError)}
    documented = {
        int(part.strip().split()[0]) for part in cli.exit_codes(ExitCode).removeprefix("Exit codes:").split(";")
    }
    assert codes <= documented


def _below(kind: type[OutreachError]) -> list[type[OutreachError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _below(child))]
