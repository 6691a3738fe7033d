"""Programs as configuration: what is shipped is complete, what is malformed is refused by field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot
import yaml
from sqlglot import exp

from contracts import features
from contracts.errors import ConfigError
from contracts.features import covariates, registry
from contracts.programs import Programs, load_programs, programs
from contracts.unique_keys import UniqueKeyLoader

SHIPPED = Path(__file__).resolve().parents[2] / "contracts" / "programs.yaml"


def test_three_programs_ship() -> None:
    assert set(programs().programs) == {"ed_diversion", "transitions_of_care", "medication_adherence"}


@pytest.mark.parametrize("key", list(programs().programs))
def test_sql_reads_known_features_only(key: str) -> None:
    program = programs().programs[key]
    for sql in (program.eligibility, program.fallback):
        read = {column.name for column in sqlglot.parse_one(sql, read="spark").find_all(exp.Column)}
        assert read <= set(registry()), f"{key}: unknown features {sorted(read - set(registry()))}"


PAST = {
    f"{key}: {measure.name}": measure
    for key, measures in {
        **{key: program.placebos for key, program in programs().programs.items()},
        "all": programs().negative_controls,
    }.items()
    for measure in measures
}


@pytest.mark.parametrize("name", list(PAST))
def test_past_measures_are_features_that_leave_the_covariates(name: str) -> None:
    past = PAST[name]
    assert {past.feature, *past.less} <= set(registry()), f"{name}: unknown features"
    left_out = [c for c in covariates() if re.match(past.overlapping, c)]
    assert past.feature in left_out, f"{name}: the measure must not adjust for itself"
    assert len(left_out) < len(covariates()) / 2, (
        f"{name}: the pattern leaves out {len(left_out)} of {len(covariates())} covariates"
    )
    if past.less:
        assert set(past.less) - set(left_out), f"{name}: the later windows should stay in the adjustment"


@pytest.mark.parametrize("name", list(PAST))
def test_past_measures_end_before_what_members_are_chosen_by(name: str) -> None:
    """Recent use decides whom care managers choose: as a control it would be a measured reason, not a hidden one."""
    past = PAST[name]
    if past.feature.startswith("area_"):
        return
    first = [registry()[past.feature].window, *(registry()[part].window for part in past.less)]
    days = [tuple(int(d) for d in (w or "1-1").split("-")) for w in first]
    covered = set(range(days[0][0], days[0][1] + 1)) - {d for low, high in days[1:] for d in range(low, high + 1)}
    assert min(covered) > 90, f"{name}: begins {min(covered)} days before time zero"
    assert covered == set(range(min(covered), max(covered) + 1)), f"{name}: windows that do not nest"


def test_there_are_controls_enough_and_each_is_named_once() -> None:
    names = [measure.name for measure in programs().negative_controls]
    assert len(names) == len(set(names))
    assert len(names) >= 20
    for program in programs().programs.values():
        assert len({measure.name for measure in program.placebos}) == len(program.placebos)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("outcome", "horizon_days"), 0, "outcome.horizon_days"),
        (("outcome", "event_types"), ["flu"], "outcome"),
        (("holdout_share",), 0.9, "holdout_share"),
        (("capacity_per_night",), "many", "capacity_per_night"),
        (("colour",), "red", "colour"),
    ],
)
def test_malformed_field_is_named(tmp_path: Path, path: tuple[str, ...], value: object, named: str) -> None:
    document = yaml.safe_load(SHIPPED.read_text())
    entry = document["programs"]["ed_diversion"]
    for part in path[:-1]:
        entry = entry[part]
    entry[path[-1]] = value
    file = tmp_path / "programs.yaml"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError, match=re.escape(named)):
        load_programs(file)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (
            ("programs", "ed_diversion", "channels", "phone", "team"),
            "nobody",
            "channels.phone.team: no team is called nobody",
        ),
        (("programs", "ed_diversion", "channels", "phone", "minutes"), 2000, "channels.phone.minutes"),
        (("programs", "ed_diversion", "channels", "phone", "effect_share"), 0.5, "must be 1"),
        (("programs", "ed_diversion", "channels", "text", "effect_share"), 1.5, "channels.text.effect_share"),
        (("programs", "ed_diversion", "channels", "text", "languages"), ["fr"], "channels.text.languages"),
        (
            ("programs", "ed_diversion", "channels", "pigeon"),
            {"team": "nurse_line", "minutes": 1, "cost_usd": 1},
            "pigeon",
        ),
        (("programs", "ed_diversion", "channels"), {}, "channels"),
        (("programs", "ed_diversion", "rank_by"), "luck", "rank_by"),
        (("teams", "nurse_line", "hours_per_night"), 0, "teams.nurse_line.hours_per_night"),
        (("nightly_budget_usd",), -1, "nightly_budget_usd"),
    ],
)
def test_malformed_resource_is_named(tmp_path: Path, path: tuple[str, ...], value: object, named: str) -> None:
    document = yaml.safe_load(SHIPPED.read_text())
    entry = document
    for part in path[:-1]:
        entry = entry[part]
    entry[path[-1]] = value
    file = tmp_path / "programs.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    with pytest.raises(ConfigError, match=re.escape(named)):
        load_programs(file)


def test_a_channel_speaks_what_its_team_speaks_or_less() -> None:
    configured = programs()
    assert configured.languages("ed_diversion", "phone") is None
    assert configured.languages("ed_diversion", "text") == ("en", "es")


def test_not_a_programs_file(tmp_path: Path) -> None:
    file = tmp_path / "programs.yaml"
    file.write_text("- 1\n")
    with pytest.raises(ConfigError, match="not a programs file"):
        load_programs(file)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("  transitions_of_care:", "  ed_diversion:", "line 128: the field `ed_diversion` occurs twice"),
        ("holdout_salt:", "holdout_salt: old\nholdout_salt:", "the field `holdout_salt` occurs twice"),
        ("  ed_diversion:", "  ../ed:", "programs.../ed.key"),
        ("usd_per_unit: 1100", "usd_per_unit: .inf", "usd_per_unit"),
        ("event_types: [ed_visit]", "event_types: []", "event_types"),
        ('"^(ed_visit_365d_count|', '"^((ed_visit_365d_count|', "not a regular expression"),
        ("minutes: 20, cost_usd: 35", "minutes: 20, cost_usd: .nan", "cost_usd"),
    ],
)
def test_what_would_be_lost_or_break_later_is_refused(tmp_path: Path, old: str, new: str, named: str) -> None:
    text = SHIPPED.read_text()
    assert old in text
    file = tmp_path / "programs.yaml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=re.escape(named)):
        load_programs(file)


@pytest.mark.parametrize(
    ("field", "sql", "said"),
    [
        ("eligibility", "age >=", "eligibility: `age >=` is not an SQL expression"),
        ("eligibility", "", "eligibility: `` is not an SQL expression"),
        ("eligibility", "1=1) or (1=1", "is not an SQL expression"),
        ("eligibility", "age > (select max(age) from core.member)", "is not an SQL expression"),
        ("eligibility", "agee > 3", "there is no feature agee. Expected: age"),
        ("fallback", "sum(age)", "is not an SQL expression"),
        ("fallback", "ed_visit_90d_counts * 10", "there is no feature ed_visit_90d_counts"),
    ],
)
def test_sql_of_a_program_is_looked_at_before_it_runs(
    monkeypatch: pytest.MonkeyPatch, field: str, sql: str, said: str
) -> None:
    document = yaml.safe_load(SHIPPED.read_text())
    document["programs"]["ed_diversion"][field] = sql
    for key, entry in document["programs"].items():
        entry["key"] = key
    monkeypatch.setattr(features, "programs", lambda: Programs.model_validate(document))
    with pytest.raises(ConfigError, match=re.escape(said)):
        features.registry.__wrapped__()


def test_sql_knows_no_capital_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    document = yaml.safe_load(SHIPPED.read_text())
    document["programs"]["ed_diversion"]["eligibility"] = "AGE >= 18 AND Ed_Visit_365d_Count > 0"
    for key, entry in document["programs"].items():
        entry["key"] = key
    monkeypatch.setattr(features, "programs", lambda: Programs.model_validate(document))
    assert "age" in features.registry.__wrapped__()


def test_a_key_beside_a_merged_one_is_no_second_one() -> None:
    """A merge brings in keys of which the own one counts; merged on, they had been taken for written twice."""
    text = "a: &a {x: 1}\nouter:\n  b: &b {<<: *a, x: 2}\nc: {<<: *b, y: 3}\n"
    assert yaml.load(text, Loader=UniqueKeyLoader) == yaml.safe_load(text)


def test_a_placebo_of_no_feature_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = programs().programs["ed_diversion"]
    wrong = shipped.placebos[0].model_copy(update={"measure": "zzz - age"})
    changed = programs().model_copy(update={"programs": {"x": shipped.model_copy(update={"placebos": (wrong,)})}})
    monkeypatch.setattr(features, "programs", lambda: changed)
    with pytest.raises(ConfigError, match=r"programs\.x\.placebos: ed_visit_91_to_180d_count: there is no feature zzz"):
        features.registry.__wrapped__()
