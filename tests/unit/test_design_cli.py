"""`outreach design power`: what it prints, its JSON, and how it refuses; no engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from delta_world import write_table

from contracts.errors import ConfigError
from contracts.programs import program
from contracts.settings import settings
from dagster_project import cli
from jobs import design

ED = "ed_diversion"
EXPLICIT = ("--mean", "0.8", "--sd", "1.3", "--offers", "57", "--holdout-share", "0.1")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line as the console script runs it."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["outreach", "design", "power", *arguments])
        fresh = cli.typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
        monkeypatch.setattr(cli, "app", fresh)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


def test_json_holds_what_the_design_says(run: Run) -> None:
    code, out, _ = run(
        *EXPLICIT, "--effect", "0.1", "--explored", "3", "--eligible", "20000", "--nights", "250", "--json"
    )
    found = json.loads(out)
    assert code == 0
    assert [row["nights"] for row in found["holdout"]] == [30, 90, 180, 250, 365]
    asked = next(row for row in found["holdout"] if row["nights"] == 250)
    assert (asked["offered"], asked["not_offered"]) == (57 * 250, round(57 * 250 / 9))
    needed = found["effect"]
    assert needed["is_configured_share_enough"] == (needed["share_needed"] <= 0.1) == (needed["nights_needed"] <= 250)
    assert needed["power"] > 0.8
    assert asked["detectable_effect"] < 0.1
    drawn = next(row for row in found["exploration"] if row["nights"] == 250)
    assert (drawn["offered"], drawn["not_offered"]) == (750, 19_250)
    assert drawn["detectable_effect"] > asked["detectable_effect"]


def test_clusters_and_a_proportion_change_the_answer(run: Run) -> None:
    def smallest(*more: str) -> float:
        out = run(*EXPLICIT, *more, "--json")[1]
        return float(json.loads(out)["holdout"][0]["detectable_effect"])

    assert smallest("--cluster-size", "3", "--icc", "0.2") == pytest.approx(smallest() * 1.4**0.5)
    assert smallest("--r2", "0.36") == pytest.approx(smallest() * 0.8)
    code, _, error = run("--mean", "0.8", "--offers", "57", "--holdout-share", "1.1")
    assert code == int(ConfigError.exit_code)
    assert "holdout_share" in error


def test_a_program_is_held_against_its_configured_share(run: Run) -> None:
    out = run("--program", ED, "--mean", "0.8", "--sd", "1.3", "--effect", "0.1")[1]
    words = " ".join(out.split())
    assert f"{program(ED).ranked_per_night} offers a night by rank, {program(ED).explored_per_night} at random" in words
    assert "the configured holdout of 10.0%" in words
    assert "would do in that time" in words


def test_a_program_brings_its_own_outcome(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.session.spark_session", lambda *_: None)
    monkeypatch.setattr(design, "need_cohort", lambda *_: None)
    monkeypatch.setattr(design, "baseline_of", lambda *_: design.Baseline(0.6, 1.1, 4_000.0))
    inputs = json.loads(run("--program", ED, "--json")[1])["inputs"]
    assert (inputs["outcome_mean"], inputs["outcome_sd"], inputs["eligible"]) == (0.6, 1.1, 4_000.0)
    assert (inputs["holdout_share"], inputs["unit"]) == (program(ED).holdout_share, program(ED).outcome.unit)


def test_without_a_cohort_no_engine_is_started(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTREACH_HOME", str(tmp_path))
    settings.cache_clear()
    monkeypatch.setattr("jobs.session.spark_session", lambda *_: pytest.fail("an engine was started"))
    try:
        for kept in (None, {"data_source": "desynpuf", "program": ED}):
            if kept:
                write_table(tmp_path, "causal.cohort", [kept])
            code, _, error = run("--program", ED)
            assert (code, error.split(" says")[0]) == (2, f"No cohort of {ED} on tuva")
        write_table(tmp_path, "causal.cohort", [{"data_source": "tuva", "program": ED}])
        design.need_cohort(program(ED), "tuva", settings())
    finally:
        settings.cache_clear()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "--mean"),
        (("--mean", "0.2"), "--offers"),
        (("--mean", "0.2", "--offers", "9"), "--holdout-share"),
        ((*EXPLICIT, "--better", "more"), "--better"),
        (("--mean", "3", "--offers", "9", "--holdout-share", "0.1"), "standard deviation"),
        ((*EXPLICIT, "--effect", "-1"), "positive"),
        (("--program", "nobody"), "ed_diversion"),
        ((*EXPLICIT, "--power", "0.02"), "`power` must be larger than `alpha`"),
        ((*EXPLICIT, "--eligible", "0"), "`eligible`"),
        ((*EXPLICIT, "--explored", "-5"), "--explored"),
        ((*EXPLICIT, "--cluster-size", "nan"), "a cluster holds"),
        (("--mean", "1", "--sd", "nan", "--offers", "9", "--holdout-share", "0.1"), "standard deviation"),
        (("--mean", "1", "--sd", "inf", "--offers", "9", "--holdout-share", "0.1"), "standard deviation"),
        (("--mean", "nan", "--sd", "1", "--offers", "9", "--holdout-share", "0.1"), "mean"),
        (("--program", ED, "--sd", "0", "--mean", "1"), "standard deviation"),
    ],
)
def test_what_is_missing_or_impossible_is_named(run: Run, arguments: tuple[str, ...], named: str) -> None:
    code, _, error = run(*(arguments or ("--nights", "9")))
    assert code > 0
    assert named in error
    assert "Traceback" not in error


def test_an_outcome_of_mean_zero_has_no_share_of_it(run: Run) -> None:
    code, out, _ = run("--mean", "0", "--sd", "1", "--offers", "100", "--holdout-share", "0.1", "--json")
    assert code == 0
    assert {row["detectable_share_of_mean"] for row in json.loads(out)["holdout"]} == {None}


def test_nights_are_found_where_the_eligible_suffice_in_the_last_of_them(run: Run) -> None:
    """The last night's people do not all exist, and yet there are enough: it said 81 %, and that no wait is long enough."""
    arguments = ("--mean", "0.3", "--offers", "100", "--holdout-share", "0.1", "--eligible", "2888", "--effect", "0.08")
    effect = json.loads(run(*arguments, "--json")[1])["effect"]
    assert effect["power"] >= 0.8
    assert effect["nights_needed"] is not None
    assert "too few people" not in run(*arguments)[1]
