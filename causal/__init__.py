"""Estimation, evaluation, gates and allocation on frames in memory: no Spark, no Dagster, no paths."""
