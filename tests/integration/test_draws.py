"""The keyed draws of holdouts and exploration are the same number in pandas and in Spark."""

from __future__ import annotations

import numpy as np

from causal.assignment import uniform, uniform_sql


def test_spark_draws_what_pandas_draws(spark: object) -> None:
    members = [f"M{n:05d}" for n in range(500)] + ["ä-ö", "x|y"]
    frame = spark.createDataFrame([(m, "ed_diversion") for m in members], "member_id string, program string")
    drawn = {
        row[0]: row[1]
        for row in frame.selectExpr("member_id", uniform_sql(("member_id", "program"), "salt's")).collect()
    }
    expected = uniform([members, "ed_diversion"], "salt's")
    np.testing.assert_array_equal([drawn[m] for m in members], expected)
