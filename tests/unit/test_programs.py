"""Programs as configuration: what is shipped is complete, what is malformed is refused by field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot
import yaml
from sqlglot import exp

from contracts.errors import ConfigError
from contracts.features import covariates, registry
from contracts.programs import load_programs, programs

SHIPPED = Path(__file__).resolve().parents[2] / "contracts" / "programs.yaml"


def test_three_programs_ship() -> None:
    assert set(programs().programs) == {"ed_diversion", "transitions_of_care", "medication_adherence"}


@pytest.mark.parametrize("key", list(programs().programs))
def test_sql_reads_known_features_only(key: str) -> None:
    program = programs().programs[key]
    for sql in (program.eligibility, program.fallback):
        read = {column.name for column in sqlglot.parse_one(sql, read="spark").find_all(exp.Column)}
        assert read <= set(registry()), f"{key}: unknown features {sorted(read - set(registry()))}"


@pytest.mark.parametrize("key", list(programs().programs))
def test_placebo_is_a_feature_and_leaves_covariates(key: str) -> None:
    placebo = programs().programs[key].placebo
    assert placebo.feature in registry()
    left_out = [name for name in covariates() if re.match(placebo.overlapping, name)]
    assert placebo.feature in left_out, f"{key}: the placebo outcome must not adjust for itself"
    assert len(left_out) < len(covariates()) / 2, (
        f"{key}: the pattern leaves out {len(left_out)} of {len(covariates())} covariates"
    )


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


def test_not_a_programs_file(tmp_path: Path) -> None:
    file = tmp_path / "programs.yaml"
    file.write_text("- 1\n")
    with pytest.raises(ConfigError, match="not a programs file"):
        load_programs(file)
