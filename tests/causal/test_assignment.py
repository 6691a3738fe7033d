"""Keyed-hash draws and holdout sizes."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy.stats import kstest

from causal.assignment import detectable_effect, holdout_size, holdout_sql, is_held_out, uniform, uniform_sql
from contracts.errors import ConfigError

IDS = [f"member-{i}" for i in range(20_000)]


def test_draws_are_uniform_and_independent_across_programs_and_salts() -> None:
    a, b, c = uniform([IDS, "ed"], "s"), uniform([IDS, "toc"], "s"), uniform([IDS, "ed"], "other")
    for draws in (a, b, c):
        assert kstest(draws, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03
    assert abs(np.corrcoef(a, c)[0, 1]) < 0.03


def test_draws_do_not_depend_on_who_else_is_there() -> None:
    assert uniform([IDS[5:6], "ed"], "s")[0] == uniform([IDS, "ed"], "s")[5]


def test_the_algorithm_is_the_one_that_sql_states() -> None:
    digest = hashlib.sha256(b"m1\x1fed\x1fs").hexdigest()
    assert uniform([["m1"], "ed"], "s")[0] == int(digest[:13], 16) / 16**13
    sql = uniform_sql(("member_id", "program"), "it's")
    assert "sha2(concat_ws(char(31), cast(member_id as string), cast(program as string), 'it\\'s'), 256)" in sql
    assert sql.endswith("/ 4503599627370496D)")


def test_holdout_share_is_kept() -> None:
    share = is_held_out(IDS, "ed", "salt", 0.1).mean()
    assert share == pytest.approx(0.1, abs=0.01)
    assert holdout_sql("member_id", "program", "salt", 0.1).endswith("< 0.1D)")


def test_holdout_size_has_the_power_it_promises() -> None:
    size = holdout_size(0.2, -0.05, offered=2000, power=0.8)
    rng, runs, hits = np.random.default_rng(0), 2000, 0
    for _ in range(runs):
        a, b = rng.binomial(size.holdout, 0.2) / size.holdout, rng.binomial(2000, 0.15) / 2000
        se = np.sqrt(a * (1 - a) / size.holdout + b * (1 - b) / 2000)
        hits += abs(a - b) > 1.96 * se
    assert hits / runs == pytest.approx(0.8, abs=0.035)
    assert detectable_effect(0.2, size.holdout, 2000) == pytest.approx(0.05, rel=0.1)


def test_an_impossible_holdout_says_what_would_do() -> None:
    with pytest.raises(ConfigError, match="more than"):
        holdout_size(0.2, 0.001, offered=100)
    with pytest.raises(ConfigError, match="outcome_sd"):
        holdout_size(3.0, 0.1, offered=1000)
    with pytest.raises(ConfigError, match="salt"):
        uniform([["m"]], "")
