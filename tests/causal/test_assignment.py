"""Keyed-hash draws."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy.stats import kstest

from causal.assignment import uniform, uniform_sql
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
    assert (uniform([IDS, "ed"], "salt|holdout") < 0.1).mean() == pytest.approx(0.1, abs=0.01)


def test_a_hash_needs_a_salt() -> None:
    with pytest.raises(ConfigError, match="salt"):
        uniform([["m"]], "")
