"""`run_study`: published keys, several arms, and three public data sets."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import causal.study as study_module
from causal.options import TrainOptions
from causal.study import SCORE_COLUMNS, StudyResult, run_study
from causal.study_columns import LARGEST
from causal.study_frame import read_frame
from contracts.errors import ConfigError
from contracts.study import StudySpec, parse_study

QUICK = TrainOptions(n_trees=40, threads=1, refutation_rows=800, refutation_simulations=2)
KEYS = {"name", "n", "n_treated", "arms", "learner", "estimand", "seed", "versions", "estimates", "placebo", "ranking"}


def arms_frame(n: int = 1200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    arm = rng.choice(["none", "mail", "call"], n)
    age = rng.normal(50, 10, n)
    visits = rng.poisson(1.5 - 0.6 * ((arm != "none") & (age > 50)))
    return pd.DataFrame(
        {"id": [f"u{i}" for i in range(n)], "arm": arm, "age": age, "sex": rng.choice(["f", "m", None], n)}
    ).assign(visits=visits, before=rng.poisson(1.5, n), home=np.arange(n) // 2)


def arms_spec(**changes: object) -> dict[str, object]:
    return {
        "name": "arms",
        "unit_id": "id",
        "treatment": {"column": "arm", "control": "none", "treated": ["mail", "call"]},
        "outcome": {"column": "visits", "better": "lower"},
        "cluster": "home",
        "assignment": {"randomized": {"arms": {"none": 1 / 3, "mail": 1 / 3, "call": 1 / 3}}},
        "placebo_outcomes": ["before"],
        "learners": ["constant", "causal_forest"],
        **changes,
    }


def test_several_arms_give_the_published_keys() -> None:
    frame = arms_frame()
    begun: list[tuple[str, str]] = []
    result = run_study(
        frame, parse_study(arms_spec()), 1, options=QUICK, on_step=lambda arm, step: begun.append((arm, step))
    )
    assert list(dict.fromkeys(arm for arm, _ in begun)) == ["mail", "call"]
    assert {step for arm, step in begun if arm == "call"} == set(result.arms["call"].timings) >= {"selection", "gates"}
    facts = json.loads(json.dumps(result.facts, allow_nan=False))
    assert set(facts) >= KEYS | {"gates", "verdict", "policy_value"}
    assert facts["arms"] == ["mail", "call"]
    assert facts["n"] == len(frame)
    assert set(facts["estimates"]["mail"]) >= {"ate", "se", "ci_low", "ci_high", "att", "att_se", "naive_difference"}
    assert set(facts["placebo"]["before"]) == {"estimate", "se", "ci_low", "ci_high"}
    assert set(facts["ranking"]["call"]) == {"learner", "random", "constant", "baseline_risk"}
    assert set(facts["gates"][0]) == {"name", "arm", "status", "hard", "value", "threshold", "sentence"}
    assert set(facts["policy_value"]) >= {"budget", "value", "se", "random_value"}
    scores = result.scores
    assert list(scores.columns) == list(SCORE_COLUMNS)
    assert scores.groupby("arm")["unit_id"].nunique().to_dict() == {"mail": len(frame), "call": len(frame)}
    mail = scores[scores["arm"] == "mail"].dropna(subset=["cate"])
    assert mail.sort_values("rank")["cate"].is_monotonic_increasing
    for arm in ("mail", "call"):
        e = facts["estimates"][arm]
        assert abs(e["ate"] + 0.3) < 4 * e["se"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"outcome": {"column": "nope", "better": "lower"}}, "outcome.column"),
        ({"outcome": {"column": "sex", "better": "lower"}}, "outcome.column"),
        ({"outcome": {"column": "visits", "better": "less"}}, "outcome.better"),
        (
            {
                "treatment": {"column": "arm", "control": "zero", "treated": ["mail"]},
                "assignment": "observational",
            },
            "treatment.control",
        ),
        (
            {
                "treatment": {"column": "arm", "control": "none", "treated": ["post"]},
                "assignment": "observational",
            },
            "treatment.treated",
        ),
        ({"treatment": {"column": "arm", "control": "none", "treated": []}}, "treatment.treated"),
        (
            {"treatment": {"column": "arm", "control": "none", "treated": ["mail", " "]}},
            "`treatment.treated`: an arm is a value",
        ),
        (
            {"treatment": {"column": "arm", "control": "", "treated": ["mail"]}},
            "`treatment.control`: an arm is a value",
        ),
        ({"unit_id": "nope"}, "unit_id"),
        ({"cluster": "nope"}, "cluster"),
        ({"weights": "sex"}, "weights"),
        ({"placebo_outcomes": ["nope"]}, "placebo_outcomes"),
        ({"negative_controls": ["nope"]}, "negative_controls"),
        ({"groups": ["nope"]}, "groups"),
        ({"groups": ["visits"]}, "groups"),
        ({"covariates": {"include": ["visits"]}}, "covariates.include"),
        ({"covariates": {"include": []}, "assignment": "observational"}, "covariates"),
        ({"assignment": {"randomized": 1.5}}, "randomized"),
        ({"assignment": {"randomized": 0.5}}, "randomized"),
        ({"assignment": {"randomized": {"arms": {"none": 0.5, "mail": 0.5}}}}, "randomized.arms"),
        ({"assignment": "guess"}, "assignment"),
        ({"split": {"test_fraction": 1.0}}, "split.test_fraction"),
        ({"budget": {"fraction": 0}}, "budget.fraction"),
        ({"learners": ["magic"]}, "learners"),
        ({"colour": "red"}, "colour"),
        ({"budget": {"fraction": True}}, "budget.fraction"),
        ({"outcome": {"column": "arm", "better": "lower"}}, "outcome.column"),
        ({"placebo_outcomes": ["visits"]}, "placebo_outcomes"),
        ({"placebo_outcomes": ["before", "before"]}, "placebo_outcomes"),
        (
            {"assignment": {"randomized": {"arms": {"none": 0.5, "mail": 0.2, "call": 0.1}}}},
            "randomized.arms.*sum to 1",
        ),
        ({"assignment": {"randomized": {"arms": {"none": 0.1, "mail": 0.8, "call": 0.1}}}}, "randomized.*do not fit"),
        ({"assignment": {"randomized": {"column": "age"}}}, "several arms"),
        ({"unit_id": "sex"}, "unit_id"),
        ({"unit_id": "home", "cluster": None}, "unit_id"),
        ({"unit_id": "home", "cluster": "id"}, "cluster"),
        ({"covariates": {"include": ["age", "age"]}}, "covariates.include"),
        ({"treatment": {"column": "arm", "control": "none", "treated": "mail"}}, "treatment.treated"),
        ({"treatment": {"column": "arm", "control": "none"}}, "treatment.treated"),
    ],
)
def test_a_malformed_study_names_the_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        run_study(arms_frame(150), parse_study(arms_spec(**change)), 1, options=QUICK)


DAYS = pd.date_range("2019-01-01", periods=40).strftime("%Y-%m-%d").to_numpy()


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(np.r_[DAYS[:38], ["9999-12-31"] * 2]),
        pd.Series([*map(date.fromisoformat, DAYS[:38]), date(9999, 12, 31), date(9999, 12, 31)]),
        pd.Series(np.r_[DAYS[:38], ["9999-12-31"] * 2].astype("datetime64[us]")),
        pd.Series(np.r_[DAYS[:38], ["0001-01-01"] * 2].astype("datetime64[s]")),
    ],
    ids=["text", "dates", "microseconds", "year 1"],
)
def test_dates_are_days_and_a_year_that_stands_for_open_is_missing(column: pd.Series) -> None:
    frame = trial_frame(40).assign(since=column)
    since = read_frame(frame, parse_study(trial_spec(unit_id=None))).features["since"].to_numpy(dtype=float)
    assert since[:38].tolist() == list(range(17_897, 17_935)), "days since 1970"
    assert np.isnan(since[38:]).all()


@pytest.mark.parametrize("wrong", ["2019-13-45", "2019-01-01 25:00", "1/15/2019", "unknown"])
def test_a_date_that_is_none_does_not_turn_the_others_into_words(wrong: str) -> None:
    frame = trial_frame(40).assign(since=np.r_[DAYS[:39], [wrong]])
    with pytest.raises(ConfigError, match=r"column `since` holds dates and 1 values that are none") as raised:
        read_frame(frame, parse_study(trial_spec()))
    assert wrong not in str(raised.value)


@pytest.mark.parametrize("layout", ["%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", " %m/%d/%Y 12:00:00 AM"])
def test_dates_in_the_order_of_a_country_are_days(layout: str) -> None:
    days = pd.date_range("2019-01-01", periods=40)
    frame = trial_frame(40).assign(since=[day.strftime(layout) for day in days[:39]] + [None])
    since = read_frame(frame, parse_study(trial_spec(unit_id=None))).features["since"].to_numpy(dtype=float)
    assert since[:39].tolist() == list(range(17_897, 17_936))
    assert np.isnan(since[39])


@pytest.mark.parametrize(
    "dates",
    [
        [f"{1 + i % 12}/{1 + i % 11}/2019" for i in range(40)],
        [f"3/{13 + i % 18}/19" for i in range(40)],
        [f"{(13, 4)[i % 2]}/{(4, 13)[i % 2]}/2019" for i in range(40)],
    ],
    ids=["either order", "two digits", "both orders"],
)
def test_dates_of_which_day_month_and_year_cannot_be_told_are_refused(dates: list[str]) -> None:
    """Read as words they would be left out, and with them what they confound."""
    with pytest.raises(ConfigError, match="column `since` holds dates of which it cannot be told") as raised:
        read_frame(trial_frame(40).assign(since=dates), parse_study(trial_spec()))
    assert not any(written in str(raised.value) for written in dates)


def test_codes_of_three_numbers_are_words() -> None:
    frame = trial_frame(40).assign(code=np.resize(["10.99.13", "10.98.14"], 40))
    assert read_frame(frame, parse_study(trial_spec())).features["code"].nunique() == 2


def test_copied_rows_are_refused_where_nothing_says_who_is_who() -> None:
    frame = trial_frame(200).drop(columns="id").assign(score=np.random.default_rng(0).normal(size=200))
    copied = pd.concat([frame, frame.iloc[:7]], ignore_index=True)
    with pytest.raises(ConfigError, match="7 of 207 rows are copies"):
        read_frame(copied, parse_study(trial_spec(unit_id=None)))
    together = copied.assign(person=[*range(200), *range(7)])
    assert read_frame(together, parse_study(trial_spec(unit_id=None, cluster="person"))).n == 207
    coarse = frame.round(0)
    assert coarse.duplicated().any(), "people may be alike"
    assert read_frame(coarse, parse_study(trial_spec(unit_id=None))).n == 200


def test_values_that_are_not_told_apart_are_counted() -> None:
    draw = np.random.default_rng(2)
    frame = trial_frame(1000).assign(
        plan=draw.choice([f"P{i:02}" for i in range(40)], 1000), sex=draw.choice(["f", "m"], 1000)
    )
    facts = run_study(frame, parse_study(trial_spec()), options=QUICK).facts
    (merged,) = facts["levels_merged"].values()
    told = frame["plan"].value_counts().iloc[:20].sum() / 1000
    assert merged == {"plan": pytest.approx(1 - told, abs=0.03)}


def test_words_too_varied_to_tell_people_apart_are_named() -> None:
    frame = trial_frame().assign(
        name=lambda f: "member " + f["id"].astype(str), region=np.resize(["north", "south"], 400)
    )
    found = read_frame(frame, parse_study(trial_spec()))
    assert found.unused == {"name": "is text of which no value is in 0.5% of the rows, and of 11 people"}
    assert found.features["region"].nunique() == 2


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["57", "unknown", "60"], [57, None, 60]),
        (["12%", "13 %", "5%"], [12, 13, 5]),
        (["(12)", "13", "(1,200.50)"], [-12, 13, -1200.5]),
        (["$1,200.00", "$3.5", "n/a"], [1200, 3.5, None]),
        (["\u22123", "4\u00a0", None], [-3, 4, None]),
        (["<45", "46", "#DIV/0!", "47", "48"], [None, 46, None, 47, 48]),
        (["1", "K", "PK"], None),
        (["007", "12", "250.83"], None),
        (["70-80", "80-90"], None),
    ],
)
def test_numbers_among_words_are_adjusted_for_as_numbers(written: list[str], read: list[float | None] | None) -> None:
    times = 60
    frame = trial_frame(times * len(written)).assign(a=written * times)
    found = read_frame(frame, parse_study(trial_spec()))
    if read is None:
        assert "a (number)" not in found.features
    else:
        np.testing.assert_array_equal(found.features["a (number)"], np.array(read * times, dtype=float)[found.position])
    assert found.features["a"].nunique() == len(set(written) - {None}), "words stay words too"


def test_one_stray_word_does_not_leave_the_confounding() -> None:
    rng = np.random.default_rng(4)
    age = rng.normal(60, 10, 1500).round()
    t = rng.uniform(size=1500) < 1 / (1 + np.exp(-(age - 60) / 8))
    frame = pd.DataFrame(
        {"id": range(1500), "arm": np.where(t, "mail", "none"), "y": 0.2 * age + rng.normal(size=1500)}
    )
    ages = age.astype(int).astype(str)
    ages[7] = "unknown"
    found = run_trial(frame.assign(age=ages), assignment="observational").facts["estimates"]["mail"]
    assert found["naive_difference"] > 1
    assert abs(found["ate"]) < 0.3
    assert found["ci_low"] < 0 < found["ci_high"]


def test_words_of_few_people_are_not_told_apart_nor_named() -> None:
    names = [f"Ann Brown {i // 2}" for i in range(390)]
    towns = ["Oslo"] * 200 + ["Bergen"] * 180 + ["Molde"] * 10
    frame = trial_frame(390).assign(name=names, town=towns)
    found = read_frame(frame, parse_study(trial_spec()))
    assert set(found.features["town"]) == {"Oslo", "Bergen", "(rare)"}
    assert "name" in found.unused
    assert "name" not in found.features
    visits = pd.concat([frame.assign(town=f"of {i % 9}") for i in range(3)]).sort_values("id", ignore_index=True)
    visits.loc[visits["id"] <= 5, "town"] = "one of fifteen rows"
    found = read_frame(visits, parse_study(trial_spec(cluster="id")))
    assert "one of fifteen rows" not in set(found.features["town"]), "fifteen rows of five people"


def test_splits_of_a_study_are_ranked_at_one_level() -> None:
    """Where all are predicted the same, neither half comes first."""
    scores = run_trial(trial_frame(600), learners=["constant"]).scores
    assert scores["cate"].nunique() == 1
    assert scores.sort_values("rank")["unit_id"].astype(str).is_monotonic_increasing, "ties go by unit"
    top = scores[scores["rank"] <= 120]
    assert 0.3 < (top["split"] == "test").mean() < 0.7


@pytest.mark.parametrize(
    ("verdicts", "best"),
    [
        ({"mail": "blocked", "call": "publish"}, "call"),
        ({"mail": "fallback", "call": "publish"}, "call"),
        ({"mail": "blocked", "call": "fallback"}, "call"),
        ({"mail": "publish", "call": "publish"}, "mail"),
        ({"mail": "blocked", "call": "blocked"}, "mail"),
    ],
)
def test_a_value_is_that_of_the_arm_to_be_believed(
    verdicts: dict[str, str], best: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worth = {"mail": 2.0, "call": 1.0}
    monkeypatch.setattr(
        study_module, "_arm_value", lambda arm, usd: {"value": worth[arm.arm], "se": 0.1, "random_value": 0.0}
    )
    arms = {arm: SimpleNamespace(arm=arm, verdict=verdict) for arm, verdict in verdicts.items()}
    found = study_module._policy_value(parse_study(arms_spec()), arms)  # type: ignore[arg-type]
    assert (found["arm"], found["value"]) == (best, worth[best])


def test_a_page_names_what_fell_where_the_ranking_helped() -> None:
    from jobs.study_report.render import render_report

    facts = run_trial(trial_frame(1200)).facts
    assert facts["verdict"] == {"mail": "publish"}

    def page(**status: str) -> str:
        gates = [gate | {"status": status.get(gate["name"], gate["status"])} for gate in facts["gates"]]
        return render_report(facts | {"gates": gates, "verdict": {"mail": "fallback"}})

    shown = page(overlap="fail", balance="fail")
    assert "helped people kept aside, but this was not passed: overlap and balance. Use a simple rule." in shown
    assert "Nothing shows" not in shown
    for name in ("heterogeneity", "beats_simple_rules", "value_at_capacity"):
        assert "Nothing shows that ranking by effect helps here" in page(overlap="fail", **{name: "inconclusive"})


def test_a_page_says_people_and_rows_need_and_money_as_they_are() -> None:
    from jobs.study_report.render import around, figure, render_report

    frame = trial_frame(300)
    frame = pd.concat([frame, frame.assign(y=frame["y"] + 0.1)], ignore_index=True)
    frame["y"] = frame["y"] * 20_000 + 1e6
    frame["kind"] = np.where(frame["b"] > 0, "up", "down")
    facts = run_trial(frame, cluster="id", groups=["kind"], budget={"fraction": 0.203}).facts
    assert (facts["n"], facts["n_units"]) == (600, 300)
    page = render_report(json.loads(json.dumps(facts)))
    assert "300 people in 600 rows" in page
    assert "lower is worse" in page
    assert not re.search(r"\de\+?0\d", page), "powers of ten"
    assert "−1,0" not in page, "need is the outcome, which is about a million"
    assert (figure(-15_512.3), figure(0.01234), figure(None), figure(1e15)) == ("−15,500", "0.0123", "–", "1e15")
    assert (around(0.0, 3.5e-19), around(2.0, 0.31)) == ("0", "2 ± 0.31")


@pytest.mark.parametrize("name", ["study.json", "scores.parquet"])
def test_results_never_replace_what_they_were_made_from(tmp_path: Path, name: str) -> None:
    from jobs.study import run_study_file

    trial_frame(100).to_parquet(tmp_path / "scores.parquet")
    path = tmp_path / "study.json"
    path.write_text(json.dumps(trial_spec(data="scores.parquet")), encoding="utf-8")
    if name == "scores.parquet":
        path = path.rename(tmp_path / "study.yaml")
    before = (tmp_path / name).read_bytes()
    with pytest.raises(ConfigError, match=f"{name} would replace"):
        run_study_file(path, tmp_path, 1)
    assert (tmp_path / name).read_bytes() == before


STATA_MISSING = 8.98846567431158e307


@pytest.mark.parametrize("value", [STATA_MISSING, -1e31, np.inf])
def test_huge_numbers_are_treated_as_infinite_ones_are(value: float) -> None:
    frame = trial_frame(60).assign(before=1.0, control=1.0, w=1.0, band=lambda f: f["b"], flat=1.0, p=0.5)
    frame.loc[:1, ["a", "y", "before", "control", "band", "flat"]] = value
    spec = trial_spec(unit_id=None, placebo_outcomes=["before"], negative_controls=["control"], groups=["band"])
    found = read_frame(frame.assign(y=frame["b"]), parse_study({**spec, "weights": "w"}))
    for column in (found.features["a"], found.features["flat"], found.groups["band"]):
        assert column.isna().sum() == 2
    for values in (found.placebos["before"], found.negative_controls["control"]):
        assert np.isinf(values).sum() == 2
    assert read_frame(frame, parse_study(spec)).excluded == {"missing or infinite outcome": 2}
    assert read_frame(frame.assign(a=value), parse_study(trial_spec())).unused["a"] == "is empty"
    for column, change in (("w", {"weights": "w"}), ("p", {"assignment": {"randomized": {"column": "p"}}})):
        wrong = frame.assign(**{column: np.r_[[value], np.full(59, 0.5)], "y": frame["b"]})
        with pytest.raises(ConfigError, match=f"`{next(iter(change))}.*`{column}`") as raised:
            read_frame(wrong, parse_study(trial_spec(**change)))
        assert not re.search(r"e\+3(07|08|1)", str(raised.value))
    with pytest.raises(ConfigError, match=r"`outcome\.column`: no row has both.*beyond 1e\+30"):
        read_frame(frame.assign(y=value), parse_study(trial_spec()))


def test_a_number_as_large_as_is_read_ends_with_a_verdict_and_no_warning() -> None:
    frame = trial_frame()
    frame["c"] = LARGEST * frame["b"] / frame["b"].abs().max()
    frame.loc[0, "a"] = -LARGEST
    frame["before"] = frame["c"] * np.where(frame["id"] % 2, 1, -1)
    frame["y"] *= LARGEST / frame["y"].abs().max()
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        run_trial(frame, learners="auto", placebo_outcomes=["before"], assignment="observational")


def test_an_arm_of_more_digits_than_a_float_holds_is_not_found() -> None:
    treatment = {"column": "arm", "control": int("9" * 400), "treated": ["mail"]}
    with pytest.raises(ConfigError, match=r"`treatment\.control`: no row has the value `9{100}`"):
        read_frame(trial_frame(60), parse_study(trial_spec(treatment=treatment)))


@pytest.mark.parametrize(("column", "field"), [("a", "covariates"), ("arm", "treatment.column"), ("home", "cluster")])
@pytest.mark.parametrize("value", [b"\xff\x00", [1, 2]], ids=["bytes", "list"])
def test_a_cell_that_is_no_single_value_names_its_field(column: str, field: str, value: object) -> None:
    frame = trial_frame(60).assign(home=lambda f: f["id"])
    frame[column] = pd.Series([value] * len(frame), dtype=object)
    with pytest.raises(ConfigError, match=f"`{field}`: column `{column}` holds lists, records or bytes"):
        read_frame(frame, parse_study(trial_spec(cluster="home")))


def test_a_file_without_a_header_shows_nobody_in_its_error() -> None:
    frame = trial_frame(60)
    frame.columns = pd.Index(["M0012345", "mail", "-0.1", "0.7", "1958-02-03"])
    with pytest.raises(
        ConfigError, match=r"`treatment\.column`: the data have no column `arm`.*one of the 5 columns"
    ) as raised:
        read_frame(frame, parse_study(trial_spec()))
    assert not any(name in str(raised.value) for name in frame.columns)
    with pytest.raises(ConfigError, match=r"columns 1 and 5 have the same name") as raised:
        read_frame(frame.set_axis(["M0012345", "arm", "a", "y", "M0012345"], axis=1), parse_study(trial_spec()))
    assert "M0012345" not in str(raised.value)


def test_a_slip_in_a_column_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Expected: `arm`"):
        read_frame(
            trial_frame(60),
            parse_study(trial_spec(treatment={"column": "arms", "control": "none", "treated": ["mail"]})),
        )


def test_a_learner_that_cannot_learn_the_outcome_is_named() -> None:
    frame = arms_frame(150)
    frame["visits"] -= 0.5
    with pytest.raises(ConfigError, match="learners") as raised:
        run_study(frame, parse_study(arms_spec(learners=["lasso_bayes", "relative_lasso"])), 1, options=QUICK)
    assert "relative_lasso for a continuous outcome" in str(raised.value)


def test_a_study_tells_sensitivity_calibration_and_equity() -> None:
    from jobs.study_report.render import render_report

    rng = np.random.default_rng(1)
    frame = arms_frame(1500)
    controls = [f"past_{j}" for j in range(20)]
    frame[controls] = rng.poisson(1.0, size=(1500, 20))
    spec = parse_study(
        arms_spec(
            treatment={"column": "arm", "control": "none", "treated": ["mail"]},
            negative_controls=controls,
            groups=["sex", "age"],
        )
    )
    skip = frozenset({"refutation"})
    options = TrainOptions(n_trees=20, threads=1, skip_gates=skip)
    facts = json.loads(json.dumps(run_study(frame, spec, 1, options=options).facts, allow_nan=False))
    assert set(facts["negative_controls"]) == set(controls)
    calibrated = facts["calibrated"]["mail"]
    assert calibrated["n_controls"] == 20
    assert calibrated["ci_low"] < calibrated["calibrated"] < calibrated["ci_high"]
    fragile = facts["sensitivity"]["mail"]
    assert 0 < fragile["robustness_value_ci"] < fragile["robustness_value"] < 1
    assert fragile["e_value_measure"] == "rate_ratio"
    assert 1 <= fragile["e_value_ci"] <= fragile["e_value"]
    rows = pd.DataFrame(facts["equity"]["mail"])
    assert set(rows["dimension"]) == {"sex", "age"}
    assert set(rows["ranking"]) == {"model", "baseline_risk"}
    assert set(rows.loc[rows["dimension"] == "sex", "group_name"]) == {"f", "m", "not recorded"}
    page = render_report(facts)
    assert "sex: not recorded" in page
    assert page.count("<td>risk</td>") == len(rows) // 2
    assert "age" in run_frame_covariates(frame, spec), "a group stays a covariate unless it is left out"


def run_frame_covariates(frame: pd.DataFrame, spec: StudySpec) -> list[str]:
    return list(read_frame(frame, spec).features.columns)


def test_rows_left_out_are_counted() -> None:
    frame = arms_frame(600)
    frame.loc[:9, "visits"] = np.nan
    frame.loc[10:14, "arm"] = None
    spec = parse_study(arms_spec(treatment={"column": "arm", "control": "none", "treated": ["mail"]}))
    skip = frozenset({"refutation", "placebo_outcome"})
    result = run_study(frame, spec, 1, options=TrainOptions(n_trees=20, threads=1, skip_gates=skip))
    excluded = result.facts["excluded"]
    assert excluded["other or missing treatment"] == int((frame["arm"].isna() | (frame["arm"] == "call")).sum())
    assert result.facts["n"] + sum(excluded.values()) == 600


FAST = TrainOptions(n_trees=20, threads=1, skip_gates=frozenset({"refutation", "stability"}))


def trial_frame(n: int = 400, seed: int = 3) -> pd.DataFrame:
    """One arm, half treated by chance, an effect of about .5 that rises with b."""
    rng = np.random.default_rng(seed)
    a, b, t = rng.normal(size=n), rng.normal(size=n), rng.binomial(1, 0.5, n)
    y = a + t * (0.5 + 0.5 * b) + rng.normal(size=n)
    return pd.DataFrame({"id": np.arange(n) + 1, "arm": np.where(t == 1, "mail", "none"), "a": a, "b": b, "y": y})


def trial_spec(**changes: object) -> dict[str, object]:
    return {
        "name": "trial",
        "unit_id": "id",
        "treatment": {"column": "arm", "control": "none", "treated": ["mail"]},
        "outcome": {"column": "y", "better": "higher"},
        "assignment": {"randomized": 0.5},
        "learners": ["constant", "linear_dr"],
        **changes,
    }


def run_trial(frame: pd.DataFrame, **changes: object) -> StudyResult:
    from jobs.study_report.render import render_report

    result = run_study(frame, parse_study(trial_spec(**changes)), 1, options=FAST)
    assert set(result.facts["verdict"].values()) <= {"publish", "fallback", "blocked"}
    assert not result.scores.loc[result.scores["in_support"], "cate"].isna().any()
    assert "</html>" in render_report(json.loads(json.dumps(result.facts, allow_nan=False)))
    return result


ODD: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "thirty rows": lambda f: f.head(30),
    "three rows": lambda f: f.head(3),
    "nobody had the outcome": lambda f: f.assign(y=0),
    "the outcome is the arm": lambda f: f.assign(y=(f["arm"] == "mail").astype(int)),
    "no outcome in one arm": lambda f: f.assign(y=f["y"].where(f["arm"] == "none")),
    "a feature is the outcome": lambda f: f.assign(c=f["y"]),
    "no feature": lambda f: f[["id", "arm", "y"]],
    "empty, flat, endless, long and dated features": lambda f: f.assign(
        c=np.nan, d=1, e=np.inf, g=[f"town {i}" for i in range(len(f))], h=pd.Timestamp("2024-01-01"), i="2024-01-31"
    ),
    "missing everywhere": lambda f: f.mask(np.random.default_rng(0).random(f.shape) < 0.1).assign(id=f["id"]),
    "huge outcome": lambda f: f.assign(y=1e12 * f["y"]),
    "one cluster": lambda f: f.assign(home=1),
}


@pytest.mark.parametrize("world", ODD)
def test_odd_data_end_with_a_verdict(world: str) -> None:
    frame = ODD[world](trial_frame())
    found = run_trial(frame, cluster="home" if "home" in frame else None).facts
    e = found["estimates"]["mail"]
    if world in ("thirty rows", "no feature"):
        assert found["learner"] == "none"
        assert e["ate"] == pytest.approx(e["naive_difference"])
        assert e["ci_low"] < 0.5 < e["ci_high"]
    if world in ("one cluster", "nobody had the outcome"):
        assert e["ate"] is None


def test_separated_arms_are_not_believed() -> None:
    frame = trial_frame().assign(c=lambda f: (f["arm"] == "mail") * 1.0)
    result = run_trial(frame, assignment="observational")
    assert result.facts["verdict"]["mail"] == "fallback"
    gate = next(g for g in result.facts["gates"] if g["name"] == "design")
    assert gate["status"] == "fail"
    assert "nobody has comparable people" in gate["sentence"]
    assert result.facts["estimates"]["mail"]["ate"] is None, "no effect is claimed of people who cannot be compared"
    assert result.scores["cate"].isna().all()
    assert not result.scores["in_support"].any()


@pytest.mark.parametrize(
    ("change", "level"),
    [
        (lambda t: t.astype(str), 1),
        (lambda t: t.astype(bool), True),
        (lambda t: t.astype(bool).astype(str), 1),
        (lambda t: t.astype(float), "1"),
        (lambda t: pd.Series(pd.Categorical(t)), 1),
        (lambda t: t.map({0: "No", 1: "Yes"}), "Yes"),
    ],
    ids=["text", "boolean", "boolean as text", "float", "category", "words"],
)
def test_arms_and_outcomes_mean_the_same_however_they_were_typed(
    change: Callable[[pd.Series], pd.Series], level: Any
) -> None:
    frame = trial_frame()
    frame["y"] = (frame["y"] > 0).astype(int)
    as_numbers = read_frame(frame, parse_study(trial_spec()))
    typed = frame.assign(arm=change((frame["arm"] == "mail").astype(int)), y=change(frame["y"]))
    control = {True: False, "Yes": "No", "1": "0"}.get(level, 0) if level != 1 or level is True else 0
    spec = parse_study(trial_spec(treatment={"column": "arm", "control": control, "treated": [level]}))
    as_typed = read_frame(typed, spec)
    assert (as_typed.outcome == as_numbers.outcome).all()
    assert ((as_typed.arm == "") == (as_numbers.arm == "")).all()


def test_the_order_of_rows_and_the_process_change_nothing() -> None:
    frame = trial_frame()
    mixed = frame.sample(frac=1, random_state=5, ignore_index=True)
    a, b = run_trial(frame), run_trial(mixed)
    assert json.dumps(a.facts) == json.dumps(b.facts)
    assert (b.scores["unit_id"] == mixed["id"]).all(), "scores stand in the order of the data"
    assert a.scores["unit_id"].dtype == frame["id"].dtype
    pd.testing.assert_frame_equal(a.scores, b.scores.sort_values("unit_id", ignore_index=True))


def test_several_rows_of_a_unit_may_come_in_any_order() -> None:
    frame = trial_frame().assign(id=lambda f: f["id"] // 3, note=lambda f: np.where(f["a"] > 0, "up", None))
    frame["self"] = frame["b"].round(1)  # a name that pandas' own arguments have
    mixed = frame.sample(frac=1, random_state=5, ignore_index=True)
    spec = parse_study(trial_spec(cluster="id"))
    one, other = read_frame(frame, spec), read_frame(mixed, spec)
    pd.testing.assert_frame_equal(one.features, other.features)
    np.testing.assert_array_equal(one.outcome, other.outcome)


def test_what_weights_sum_to_changes_no_effect() -> None:
    """Confounded in a way that only trees see; their penalties are absolute."""
    frame = trial_frame(800)
    rng = np.random.default_rng(8)
    frame["w"] = rng.uniform(0.5, 1.5, len(frame))
    middle = frame["a"].abs() < 0.7
    offered = rng.random(len(frame)) < np.where(middle, 0.8, 0.2)
    frame["arm"] = np.where(offered, "mail", "none")
    frame["y"] = 3 * middle + 0.5 * offered + rng.normal(size=len(frame))
    whole = run_trial(frame, weights="w", assignment="observational").facts["estimates"]["mail"]
    frame["w"] /= frame["w"].sum()
    shares = run_trial(frame, weights="w", assignment="observational").facts["estimates"]["mail"]
    assert shares["ate"] == pytest.approx(whole["ate"], rel=1e-3)
    assert shares["ate"] < 0.6 * shares["naive_difference"], "trees still adjust"


def test_rows_of_one_person_need_a_cluster_and_keep_their_own_scores() -> None:
    frame = trial_frame()
    frame["id"] = (frame["id"] + 1) // 2
    result = run_trial(frame, cluster="id")
    assert len(result.scores) == len(frame)
    assert (result.scores["unit_id"].to_numpy() == frame["id"].to_numpy()).all()
    assert " people were offered" in _design(result)


def test_the_design_gate_counts_clusters_and_says_what_they_are() -> None:
    frame = trial_frame().assign(home=lambda f: np.arange(len(f)) // 2)
    offered = frame["home"][frame["arm"] == "mail"].nunique()
    assert f"{offered} groups of `home` were offered" in _design(run_trial(frame, cluster="home"))
    assert "Only 1 group of `home`" in _design(run_trial(frame.assign(home=1), cluster="home"))


def _design(result: StudyResult) -> str:
    return str(next(g for g in result.facts["gates"] if g["name"] == "design")["sentence"])


def test_effects_have_the_sign_of_treated_minus_control_and_ranks_that_of_better() -> None:
    frame = trial_frame(1500)
    high, low = run_trial(frame), run_trial(frame, outcome={"column": "y", "better": "lower", "usd_per_unit": 100})
    assert high.facts["estimates"]["mail"]["ate"] == pytest.approx(low.facts["estimates"]["mail"]["ate"])
    assert high.facts["estimates"]["mail"]["ate"] > 0.3
    for result, best in ((high, "idxmax"), (low, "idxmin")):
        cate = result.scores["cate"]
        assert result.scores.loc[getattr(cate, best)(), "rank"] == 1
    assert high.facts["policy_value"]["value"] > 0
    assert low.facts["policy_value"]["value_usd"] == pytest.approx(100 * low.facts["policy_value"]["value"])


@pytest.mark.parametrize(("budget", "called"), [(0.35, 0.35), (0.9, 0.7)])
def test_the_value_is_that_of_those_who_can_be_called(budget: float, called: float) -> None:
    """Of three tenths nearly nobody is treated: they have no estimate, and the places of all people are the others'."""
    from jobs.study_report.render import render_report

    rng = np.random.default_rng(5)
    n = 4000
    b, p = rng.normal(size=n), np.where(np.arange(n) % 10 < 7, 0.5, 0.004)
    t, tau = rng.binomial(1, p), 0.5 + 0.5 * b
    frame = pd.DataFrame({"id": range(n), "arm": np.where(t == 1, "mail", "none"), "b": b, "p": p})
    result = run_trial(
        frame.assign(y=tau * t + 0.3 * rng.normal(size=n), kind=np.where(np.arange(n) % 4 < 2, "up", "down")),
        assignment={"randomized": {"column": "p"}},
        budget={"fraction": budget},
        groups=["kind"],
    )
    found = result.facts["policy_value"]
    truth = float((tau * (result.scores["rank"] <= budget * n).fillna(False).to_numpy()).mean())
    assert found["called"] == pytest.approx(called, abs=0.02)
    assert abs(found["value"] - truth) < 3 * found["se"]
    assert found["random_value"] == pytest.approx(called * 0.5, abs=0.03)
    gate = next(g["sentence"] for g in result.facts["gates"] if g["name"] == "value_at_capacity")
    rate = [row["selection_rate"] / row["selection_ratio"] for row in result.facts["equity"]["mail"]]
    assert rate == pytest.approx([min(1.0, budget / 0.7)] * len(rate), abs=0.05)
    page = render_report(result.facts)
    assert ("all who have comparable people, helps" in gate) == (budget > called)
    assert ("all who have comparable people; the budget is 90%" in page) == (budget > called)


def test_a_placebo_outcome_may_be_adjusted_for_but_not_in_its_own_check() -> None:
    frame = trial_frame(600).assign(before=lambda f: f["a"] + f["b"])
    found = run_trial(frame, placebo_outcomes=["before"], covariates={"include": ["a", "before"]}).facts
    assert found["covariates"] == ["a", "before"]
    assert found["placebo"]["before"]["se"] > 0.01


def test_the_command_line_tells_user_errors_in_one_sentence(tmp_path: Path) -> None:
    outreach = [sys.executable, "-c", "from dagster_project.cli import main; main()", "study"]
    subprocess.run([*outreach, "example", "--out", str(tmp_path)], check=True, capture_output=True)
    study = tmp_path / "study.yaml"
    assert parse_study(yaml.safe_load(study.read_text())).groups == ["sex"]
    study.write_text(study.read_text().replace("better: lower", "better: down"))
    run = [*outreach, "run", str(study), "--out", str(tmp_path / "out")]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 2
    assert "`outcome.better`" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def hillstrom(folder: Path, n: int | None = None) -> pd.DataFrame:
    frame = pd.read_csv(folder / "hillstrom.csv.gz")
    return frame if n is None else frame.sample(n, random_state=1, ignore_index=True)


def hillstrom_spec(learners: list[str]) -> dict[str, object]:
    third = {"No E-Mail": 1 / 3, "Mens E-Mail": 1 / 3, "Womens E-Mail": 1 / 3}
    return {
        "name": "hillstrom",
        "treatment": {"column": "segment", "control": "No E-Mail", "treated": ["Mens E-Mail", "Womens E-Mail"]},
        "outcome": {"column": "visit", "better": "higher"},
        "covariates": {"exclude": ["conversion", "spend"]},
        "assignment": {"randomized": {"arms": third}},
        "learners": learners,
    }


def test_hillstrom_effects_equal_the_differences_in_means(real_data: Path) -> None:
    skip = frozenset({"refutation"})
    options = TrainOptions(n_trees=20, threads=1, max_train_rows=3000, skip_gates=skip)
    result = run_study(hillstrom(real_data), parse_study(hillstrom_spec(["constant"])), 1, options=options)
    published = {"Mens E-Mail": 0.18276 - 0.10617, "Womens E-Mail": 0.15140 - 0.10617}
    for arm, difference in published.items():
        e = result.facts["estimates"][arm]
        assert e["naive_difference"] == pytest.approx(difference, abs=2e-5)
        assert abs(e["ate"] - difference) < 0.2 * e["se"], (arm, e)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_hillstrom_with_a_permuted_treatment_falls_back(real_data: Path, seed: int) -> None:
    frame = hillstrom(real_data, 6000)
    frame["segment"] = np.random.default_rng(seed).permutation(frame["segment"])
    spec = hillstrom_spec(["constant", "causal_forest"])
    spec["treatment"] = {"column": "segment", "control": "No E-Mail", "treated": ["Mens E-Mail"]}
    options = TrainOptions(n_trees=40, threads=1, skip_gates=frozenset({"refutation"}))
    assert run_study(frame, parse_study(spec), seed, options=options).facts["verdict"] == {"Mens E-Mail": "fallback"}


def test_nhefs_adjusted_effect_covers_the_textbook_value(real_data: Path) -> None:
    frame = pd.read_csv(real_data / "nhefs_complete.csv.gz")
    names = ["sex", "age", "race", "education", "smokeintensity", "smokeyrs", "exercise", "active", "wt71"]
    spec = {
        "name": "nhefs",
        "treatment": {"column": "qsmk", "control": 0, "treated": [1]},
        "outcome": {"column": "wt82_71", "better": "lower", "unit": "kg"},
        "covariates": {"include": names},
        "learners": ["constant", "linear_dr"],
    }
    options = TrainOptions(threads=1, skip_gates=frozenset({"refutation"}))
    e = run_study(frame, parse_study(spec), 1, options=options).facts["estimates"]["1"]
    assert e["naive_difference"] == pytest.approx(2.54, abs=0.01)
    assert e["ci_low"] < 3.4 < e["ci_high"]
    assert e["ate"] > 2.9


def test_a_study_file_writes_its_three_results(tmp_path: Path) -> None:
    from jobs.study import run_study_file

    arms_frame(200).to_csv(tmp_path / "trial.csv", index=False)
    spec = arms_spec(data="trial.csv", treatment={"column": "arm", "control": "none", "treated": ["mail"]})
    (tmp_path / "study.yaml").write_text(json.dumps(spec))
    files = run_study_file(tmp_path / "study.yaml", tmp_path / "out", 1)
    assert json.loads(files.facts.read_text())["verdict"] == {"mail": "fallback"}
    assert len(pd.read_parquet(files.scores)) == len(arms_frame(200).query("arm != 'call'"))
    assert "fallback" in files.report.read_text()
    (tmp_path / "taken" / "report.html").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"`--out`: taken has a folder of the name report\.html"):
        run_study_file(tmp_path / "study.yaml", tmp_path / "taken", 1)
    with pytest.raises(ConfigError, match="`--out`: the folder sys cannot be written to"):
        run_study_file(tmp_path / "study.yaml", Path("/proc/sys"), 1)
    (tmp_path / "broken.yaml").write_text("name: [")
    with pytest.raises(ConfigError, match=r"broken\.yaml"):
        run_study_file(tmp_path / "broken.yaml", tmp_path / "out")
    (tmp_path / "lost.yaml").write_text(json.dumps({**spec, "data": "gone.csv"}))
    with pytest.raises(ConfigError, match="`data`"):
        run_study_file(tmp_path / "lost.yaml", tmp_path / "out")
